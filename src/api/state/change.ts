/**
 * A transaction that is being planned: its conditions, its writes, and its claims. A claim is a lock inside this server on
 * what only one request can have: an address, a MAC, the next revision of a record. Claims only avoid lost races;
 * correctness rests on the store's conditions.
 */
import { keys } from '../../model/keys.ts';
import type { Condition, Write } from '../../store/contract.ts';
import { jsonText } from '../http/json-text.ts';
import type { Row } from './table.ts';

/** Another request holds a claim that this one needs: wait until it is released, then decide again. */
export class Contended extends Error {
  /** The claim to wait for. Its holder waits for the store only, never for a claim, so there is no deadlock. */
  readonly value: string;

  constructor(value: string) {
    super(`${value} is held by another request`);
    this.value = value;
  }
}

/** Puts conditions and writes on the change and returns what the answer needs. Must not await: it sees one moment. */
export type Plan<T> = (change: Change) => T;

/** Which change holds what. Rejected: a `Limiter` for each value, since a plan decides at once and cannot wait in a queue. */
export class Claims {
  readonly #holders = new Map<string, Change>();
  readonly #waiters = new Map<string, (() => void)[]>();

  holder(value: string): Change | undefined {
    return this.#holders.get(value);
  }

  hold(value: string, change: Change): void {
    this.#holders.set(value, change);
  }

  release(values: readonly string[]): void {
    for (const value of values) {
      this.#holders.delete(value);
      const waiters = this.#waiters.get(value) ?? [];
      this.#waiters.delete(value);
      for (const wake of waiters) wake();
    }
  }

  /** Resolves when the claim on `value` is released. */
  async released(value: string): Promise<void> {
    if (!this.#holders.has(value)) return;
    await new Promise<void>((resolve) => {
      const waiters = this.#waiters.get(value);
      if (waiters === undefined) this.#waiters.set(value, [resolve]);
      else waiters.push(resolve);
    });
  }
}

export class Change {
  readonly now = new Date();
  /** Default groups that this change creates: project to group. */
  readonly planted = new Map<string, string>();
  /** How many of each quota this change takes, by the quota's note. */
  readonly taken = new Map<string, number>();
  /** The rules that this change creates: their identity to their id. */
  readonly ruled = new Map<string, string>();
  /** The view's revision that all decisions of this change are made on. */
  readonly revision: number;
  /** 0 at first; grows with each lost race. */
  readonly attempt: number;
  readonly #claims: Claims;
  #claimed: string[] = [];
  readonly #conditions = new Map<string, Condition>();
  readonly #writes = new Map<string, Write>();

  constructor(revision: number, attempt: number, claims: Claims) {
    this.revision = revision;
    this.attempt = attempt;
    this.#claims = claims;
  }

  get conditions(): readonly Condition[] {
    return [...this.#conditions.values()];
  }

  get writes(): readonly Write[] {
    return [...this.#writes.values()];
  }

  requirePresent(key: string): void {
    // The change itself creates the key.
    if (this.#writes.get(key)?.op !== 'put') this.#conditions.set(`present ${key}`, { key, is: 'present' });
  }

  requireAbsent(key: string): void {
    this.#conditions.set(`absent ${key}`, { key, is: 'absent' });
  }

  requireUnchanged(row: Pick<Row<unknown>, 'key' | 'modRevision'>): void {
    this.#conditions.set(`unchanged ${row.key}`, {
      key: row.key,
      is: 'unchanged',
      modRevision: row.modRevision,
    });
  }

  /** The record is going to be replaced: other requests of this server wait, requests of other servers lose the race. */
  replace(row: Pick<Row<unknown>, 'key' | 'modRevision'>): void {
    this.claim(row.key);
    this.requireUnchanged(row);
  }

  /** Nothing under the prefix was written since the view's revision. */
  requireQuiet(prefix: string): void {
    this.#conditions.set(`quiet ${prefix}`, { prefix, is: 'quiet', revision: this.revision });
  }

  put(key: string, value: unknown): void {
    this.#writes.set(key, {
      op: 'put',
      key,
      value: typeof value === 'string' ? value : jsonText(value),
    });
  }

  remove(key: string): void {
    this.#writes.set(key, { op: 'delete', key });
  }

  /** Runs one of several plans that share this change. When the plan throws, what it has added is removed again. */
  share<T>(plan: Plan<T>): T {
    const kept = [this.#conditions, this.#writes, this.planted, this.ruled, this.taken].map((map) => ({
      map: map as Map<string, unknown>,
      content: [...map],
    }));
    try {
      return plan(this);
    } catch (error) {
      for (const { map, content } of kept) {
        map.clear();
        for (const [key, value] of content) map.set(key, value);
      }
      throw error;
    }
  }

  /** Who claims `value` among the requests of this server. */
  standing(value: string): 'free' | 'own' | 'foreign' {
    const holder = this.#claims.holder(value);
    if (holder === undefined) return 'free';
    return holder === this ? 'own' : 'foreign';
  }

  /** False when this change has claimed it before. Throws `Contended` when another change holds it. */
  claim(value: string): boolean {
    const standing = this.standing(value);
    if (standing === 'foreign') throw new Contended(value);
    if (standing === 'own') return false;
    this.#claims.hold(value, this);
    this.#claimed.push(value);
    return true;
  }

  /** Releases all claims; to be called when the change has succeeded or failed. */
  settle(): void {
    const claimed = this.#claimed;
    this.#claimed = [];
    this.#claims.release(claimed);
  }
}

/** A claim has the name of the store key that backs it; a record's next revision that of the record's key. */
export const ipClaim = keys.takenIp;
export const macClaim = keys.takenMac;
