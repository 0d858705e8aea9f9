/**
 * The server's copy of the store, for reads and uniqueness checks at memory speed. It follows the store and is always a
 * little behind it: `reached` waits for a revision, `catchUp` for all that the store shows now.
 * Must never write.
 */
import type { Logger } from 'pino';
import { Fault, reasonOf } from '../../base/errors.ts';
import type { Batch, Snapshot, Store, StoreEvent, Subscription } from '../../store/contract.ts';
import { LastSeen } from './last-seen.ts';
import { type OnReleased, State } from './state.ts';

export type ViewFault = { readonly code: 'ViewBehind'; readonly revision: number };

interface Waiter {
  readonly revision: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Milliseconds until a wait for a revision gives up. */
const revisionTimeout = 10_000;

export class View {
  readonly #store: Store;
  readonly #log: Logger;
  #subscription: Subscription | null = null;
  /** Outlives a new listing of the store. */
  readonly #lastSeen = new LastSeen();
  #state: State;
  #revision = 0;
  #waiters: Waiter[] = [];
  readonly #listeners = new Set<() => void>();
  #onReleased: OnReleased = () => {};

  constructor(store: Store, log: Logger) {
    this.#store = store;
    this.#log = log;
    this.#state = this.#emptyState();
  }

  get state(): State {
    return this.#state;
  }

  get revision(): number {
    return this.#revision;
  }

  set onReleased(handler: OnReleased) {
    this.#onReleased = handler;
  }

  /** Resolves once the view holds what the store held at the call; rejects when the store cannot be listed then. */
  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      let started = false;
      this.#subscription = this.#store.subscribe([''], {
        onSnapshot: (snapshot) => {
          this.#reset(snapshot);
          started = true;
          resolve();
        },
        onBatch: (batch) => this.#take(batch),
        onTrouble: (error) => {
          if (!started) {
            this.#subscription?.close();
            reject(error);
            return;
          }
          this.#log.warn({ reason: reasonOf(error) }, 'lost the store, listing it again');
        },
      });
    });
  }

  close(): void {
    this.#subscription?.close();
    for (const waiter of this.#waiters.splice(0)) {
      clearTimeout(waiter.timer);
      waiter.reject(behind(waiter.revision));
    }
  }

  /** Calls `listener` after each change of the view, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when the revision is applied; throws `ViewBehind` when that takes too long. */
  async reached(revision: number): Promise<void> {
    if (this.#revision >= revision) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((waiter) => waiter.timer !== timer);
        reject(behind(revision));
      }, revisionTimeout);
      this.#waiters.push({ revision, resolve, reject, timer });
    });
  }

  /** Resolves when everything that any server wrote before the call is applied; true when the view changed by that. */
  async catchUp(): Promise<boolean> {
    const before = this.#revision;
    await this.reached(await this.#store.revision());
    return this.#revision > before;
  }

  #emptyState(): State {
    return new State((subnet, address) => this.#onReleased(subnet, address), this.#lastSeen);
  }

  #reset({ revision, entries }: Snapshot): void {
    const state = this.#emptyState();
    for (const entry of entries.toSorted((a, b) => a.createRevision - b.createRevision))
      this.#apply(state, { type: 'put', entry });
    this.#state = state;
    this.#arrive(revision);
  }

  #take(batch: Batch): void {
    for (const event of batch.events) this.#apply(this.#state, event);
    this.#arrive(batch.revision);
  }

  #apply(state: State, event: StoreEvent): void {
    state.apply(event);
    if (event.type === 'delete') return;
    const { key } = event.entry;
    const reason = state.unreadable.get(key);
    if (reason !== undefined) this.#log.error({ key, reason }, 'cannot read a record');
  }

  #arrive(revision: number): void {
    if (revision > this.#revision) this.#revision = revision;
    for (const listener of this.#listeners) listener();
    if (this.#waiters.length === 0) return;
    const waiting: Waiter[] = [];
    for (const waiter of this.#waiters) {
      if (waiter.revision > this.#revision) {
        waiting.push(waiter);
        continue;
      }
      clearTimeout(waiter.timer);
      waiter.resolve();
    }
    this.#waiters = waiting;
  }
}

function behind(revision: number): Fault<ViewFault> {
  return new Fault<ViewFault>({ code: 'ViewBehind', revision }, `revision ${revision} has not arrived yet`);
}
