/**
 * Runs a plan until its transaction succeeds. The plan decides by the view at one moment, and the store checks that the
 * conditions of the decision still hold. After a lost race the plan decides again by the present view.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Fault } from '../../base/errors.ts';
import type { Store } from '../../store/contract.ts';
import { Change, Claims, Contended, type Plan } from './change.ts';
import { Lanes } from './lanes.ts';
import type { View } from './view.ts';

export type CommitFault = { readonly code: 'RetryLater' };

/** Milliseconds after which a request that lost every race is refused. */
const commitTimeout = 15_000;

export class Committer {
  readonly #store: Store;
  readonly #view: View;
  readonly #claims = new Claims();
  readonly #lanes = new Lanes((plan) => this.commit(plan));

  constructor(store: Store, view: View) {
    this.#store = store;
    this.#view = view;
  }

  /**
   * As `commit`, for plans that all rewrite one record. Plans that arrive while a transaction of the lane is under way share
   * the next one. One after the other, each would wait for a flush of its own.
   */
  commitInLane<T>(lane: string, plan: Plan<T>): Promise<T> {
    return this.#lanes.enter(lane, plan);
  }

  /**
   * Resolves when the change is durable and the view shows it. Throws what the plan throws, judged on a view that
   * is not older than the call; `RetryLater` when it keeps losing races for too long.
   */
  async commit<T>(plan: Plan<T>): Promise<T> {
    const deadline = Date.now() + commitTimeout;
    let fresh = false;
    let lost = 0;
    while (Date.now() < deadline) {
      const change = new Change(this.#view.revision, lost, this.#claims);
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
          await this.#claims.released(decision.value);
          continue;
        } else {
          // Another server may have just removed the obstacle: look again before refusing.
          if (fresh || !(await this.#view.catchUp())) throw decision.refusal;
          fresh = true;
          continue;
        }
      } finally {
        change.settle();
      }
      await this.#lookAgain(lost++);
    }
    throw new Fault<CommitFault>({ code: 'RetryLater' }, `lost ${lost} races in a row`);
  }

  async #lookAgain(lost: number): Promise<void> {
    // The winner may be committed and not yet visible: wait a moment instead of spinning.
    if (lost > 0) await delay(Math.random() * Math.min(2 ** lost, 50));
    await this.#view.catchUp();
  }
}

type Decision<T> =
  | { readonly kind: 'done'; readonly result: T }
  | { readonly kind: 'contended'; readonly value: string }
  | { readonly kind: 'refused'; readonly refusal: Error };

function decide<T>(plan: Plan<T>, change: Change): Decision<T> {
  try {
    return { kind: 'done', result: plan(change) };
  } catch (error) {
    if (error instanceof Contended) return { kind: 'contended', value: error.value };
    if (error instanceof Fault) return { kind: 'refused', refusal: error };
    throw error;
  }
}
