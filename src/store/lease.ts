/**
 * One of several processes on a store does what only one may do. Who does keeps writing a key; who does not takes it
 * over when it has not been written for a while by the taker's own clock: clocks are never compared.
 */
import { reasonOf } from '../base/errors.ts';
import type { Condition, Store } from './contract.ts';

export interface LeaseOptions {
  readonly store: Store;
  readonly key: string;
  /** Written into the key, for people. */
  readonly holder: string;
  /** Milliseconds between writes, and of silence after which another takes over. */
  readonly every: number;
  readonly ttl: number;
  /** No other process can be on the store: what is there is left over, and nobody need be waited for. */
  readonly alone?: boolean;
  readonly onGained: () => void;
  /** Somebody else may have it by now. */
  readonly onLost: () => void;
  readonly onTrouble: (reason: string) => void;
}

export class Lease {
  readonly #options: LeaseOptions;
  /** The last write of one's own; null while another has it or nobody. */
  #own: { readonly revision: number; readonly at: number } | null = null;
  #seen: { readonly revision: number; readonly at: number } | null = null;
  #timer: NodeJS.Timeout | null = null;
  #turn: Promise<void> | null = null;
  #stopped = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** Tries at once, then for as long as it takes. */
  start(): void {
    this.#tick();
    this.#timer = setInterval(() => this.#tick(), this.#options.every);
  }

  get held(): boolean {
    return this.#own !== null;
  }

  /** Of the last write: while it is unchanged, nobody else has taken the lease. Null while it is not held. */
  get revision(): number | null {
    return this.#own?.revision ?? null;
  }

  /** Gives it up, so that another need not wait; a store that is away is not waited for. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#turn;
    const { revision } = this;
    this.#own = null;
    if (revision === null) return;
    const { store, key, onTrouble } = this.#options;
    await store
      .txn([{ key, is: 'unchanged', modRevision: revision }], [{ op: 'delete', key }])
      .catch((error: unknown) => onTrouble(reasonOf(error)));
  }

  #tick(): void {
    // A slow store is not asked twice at once.
    this.#turn ??= this.#look();
  }

  async #look(): Promise<void> {
    try {
      await (this.#own === null ? this.#seek() : this.#renew());
    } catch (error) {
      this.#options.onTrouble(reasonOf(error));
    }
    // What cannot be written for so long another may take at any moment.
    if (this.#own !== null && performance.now() - this.#own.at > this.#options.ttl / 2) this.#lose();
    this.#turn = null;
  }

  async #seek(): Promise<void> {
    const { store, key, ttl, alone } = this.#options;
    const present = await store.get(key);
    if (present === null) return this.#write({ key, is: 'absent' });
    const { modRevision: revision } = present;
    if (alone !== true && this.#seen?.revision !== revision) this.#seen = { revision, at: performance.now() };
    else if (alone === true || performance.now() - (this.#seen?.at ?? 0) >= ttl)
      await this.#write({ key, is: 'unchanged', modRevision: revision });
  }

  async #renew(): Promise<void> {
    const { revision } = this;
    if (revision !== null)
      await this.#write({ key: this.#options.key, is: 'unchanged', modRevision: revision });
  }

  async #write(condition: Condition): Promise<void> {
    const { store, key, holder, onGained } = this.#options;
    const at = performance.now();
    const result = await store.txn([condition], [{ op: 'put', key, value: JSON.stringify({ holder }) }]);
    const before = this.#own;
    if (!result.ok) {
      if (before !== null) this.#lose();
      return;
    }
    this.#own = { revision: result.revision, at };
    if (before === null && !this.#stopped) onGained();
  }

  #lose(): void {
    this.#own = null;
    this.#seen = null;
    this.#options.onLost();
  }
}
