/**
 * An election chooses one of several processes on a store. The holder rewrites a key at intervals. Another process
 * takes the key over when it has not changed for `ttl` by that process's own clock. Clocks of two processes
 * are never compared.
 */
import { reasonOf } from '../base/errors.ts';
import type { Condition, Store } from './contract.ts';

export interface ElectionOptions {
  readonly store: Store;
  readonly key: string;
  /** Written into the key, for people. */
  readonly holder: string;
  /** Milliseconds between writes, and the time without a write after which another process takes over. */
  readonly renewInterval: number;
  readonly ttl: number;
  /** No other process can be on the store, so a key that is there is left over and can be taken at once. */
  readonly alone?: boolean;
  readonly onGained: () => void;
  /** Another process may hold the lease by now. */
  readonly onLost: () => void;
  readonly onTrouble: (reason: string) => void;
}

export class Election {
  readonly #options: ElectionOptions;
  /** This process's last write; null while it does not hold the lease. */
  #own: { readonly revision: number; readonly at: number } | null = null;
  #seen: { readonly revision: number; readonly at: number } | null = null;
  #timer: NodeJS.Timeout | null = null;
  #turn: Promise<void> | null = null;
  #stopped = false;

  constructor(options: ElectionOptions) {
    this.#options = options;
  }

  /** Tries at once, then at each interval until stopped. */
  start(): void {
    this.#tick();
    this.#timer = setInterval(() => this.#tick(), this.#options.renewInterval);
  }

  get held(): boolean {
    return this.#own !== null;
  }

  /** The revision of the last write: while it is unchanged, nobody else took the lease. Null while not held. */
  get revision(): number | null {
    return this.#own?.revision ?? null;
  }

  /** Gives the lease up, so that another process need not wait. A store that is away is not waited for. */
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
    // A slow store gets one request at a time.
    this.#turn ??= this.#look();
  }

  async #look(): Promise<void> {
    try {
      await (this.#own === null ? this.#seek() : this.#renew());
    } catch (error) {
      this.#options.onTrouble(reasonOf(error));
    }
    // Another process may take over a lease that could not be renewed for so long.
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
