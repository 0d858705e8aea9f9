/**
 * Runs a plan until its transaction goes through: the plan decides on the view at one moment, the store checks that
 * the decision still holds, and a lost race means deciding again on what is there now.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Fault } from '../base/errors.ts';
import type { Store } from '../store/contract.ts';
import { Change, Claims, Contended } from './change.ts';
import type { View } from './view.ts';

export type CommitFault = { readonly code: 'RetryLater' };

/** Losing this often in a row means something other than bad luck. */
const maxAttempts = 100;

/** Puts conditions and writes on the change and returns what the answer needs. Must not await: it sees one moment. */
export type Plan<T> = (change: Change) => T;

export class Committer {
  readonly #store: Store;
  readonly #view: View;
  readonly #claims = new Claims();

  constructor(store: Store, view: View) {
    this.#store = store;
    this.#view = view;
  }

  /**
   * Resolves when the change is durable and the view shows it. Throws what the plan throws, judged on a view that
   * is not older than the call; `RetryLater` after too many lost races.
   */
  async commit<T>(plan: Plan<T>): Promise<T> {
    let fresh = false;
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const change = new Change(this.#view.revision, attempt, this.#claims);
      try {
        const decision = decide(plan, change);
        if (decision.kind === 'done') {
          if (change.writes.length === 0) return decision.result;
          const outcome = await this.#store.txn(change.conditions, change.writes);
          if (outcome.ok) {
            await this.#view.reached(outcome.revision);
            return decision.result;
          }
        } else if (decision.kind === 'contended') {
          change.settle();
          await this.#claims.released();
          continue;
        } else {
          // Another server may have just made room, or made what was missed: look again before refusing.
          if (fresh || !(await this.#view.catchUp())) throw decision.refusal;
          fresh = true;
          continue;
        }
      } finally {
        change.settle();
      }
      await this.#lookAgain(attempt);
    }
    throw new Fault<CommitFault>({ code: 'RetryLater' }, `lost ${maxAttempts} races in a row`);
  }

  async #lookAgain(attempt: number): Promise<void> {
    // The winner may be judged but not yet visible; a moment of patience beats spinning.
    if (attempt > 0) await delay(Math.random() * Math.min(2 ** attempt, 50));
    await this.#view.catchUp();
  }
}

type Decision<T> =
  | { readonly kind: 'done'; readonly result: T }
  | { readonly kind: 'contended' }
  | { readonly kind: 'refused'; readonly refusal: Error };

function decide<T>(plan: Plan<T>, change: Change): Decision<T> {
  try {
    return { kind: 'done', result: plan(change) };
  } catch (error) {
    if (error instanceof Contended) return { kind: 'contended' };
    if (error instanceof Fault) return { kind: 'refused', refusal: error };
    throw error;
  }
}
