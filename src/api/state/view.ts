/**
 * The server's copy of the store, fed by one watch, so that reads and uniqueness checks cost memory speed. It is
 * a step behind the store by nature: `reached` waits for a revision, `catchUp` for all that is visible now.
 * Must never write.
 */
import type { Logger } from 'pino';
import { Backoff } from '../../base/backoff.ts';
import { Fault } from '../../base/errors.ts';
import type { Batch, Store, Watch } from '../../store/contract.ts';
import { type OnReleased, State } from './state.ts';

export type ViewFault = { readonly code: 'ViewBehind'; readonly revision: number };

interface Waiter {
  readonly revision: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Milliseconds until a wait for a revision gives up. */
const patience = 10_000;

export class View {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #backoff = new Backoff();
  #state: State;
  #revision = 0;
  #watch: Watch | null = null;
  #retry: NodeJS.Timeout | null = null;
  #waiters: Waiter[] = [];
  #closed = false;
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

  /** Resolves once the view holds what the store held at the call. */
  async start(): Promise<void> {
    const snapshot = await this.#store.range('');
    const state = this.#emptyState();
    for (const entry of snapshot.entries.toSorted((a, b) => a.createRevision - b.createRevision)) {
      state.apply({ type: 'put', entry });
    }
    if (this.#closed) return;
    this.#state = state;
    this.#arrive(snapshot.revision);
    this.#watch = this.#store.watch('', snapshot.revision + 1, {
      onBatch: (batch) => this.#take(batch),
      onLost: (fault) => {
        this.#log.warn({ fault: fault.data }, 'the watch on the store was lost; listing again');
        this.#restart();
      },
    });
  }

  close(): void {
    this.#closed = true;
    this.#watch?.close();
    if (this.#retry !== null) clearTimeout(this.#retry);
    for (const waiter of this.#waiters.splice(0)) {
      clearTimeout(waiter.timer);
      waiter.reject(behind(waiter.revision));
    }
  }

  /** Resolves when the revision is applied; throws `ViewBehind` when that takes too long. */
  async reached(revision: number): Promise<void> {
    if (this.#revision >= revision) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((waiter) => waiter.timer !== timer);
        reject(behind(revision));
      }, patience);
      this.#waiters.push({ revision, resolve, reject, timer });
    });
  }

  /** Resolves when everything that any server wrote before the call is applied; true when that was news. */
  async catchUp(): Promise<boolean> {
    const before = this.#revision;
    const { revision } = await this.#store.range('none/');
    await this.reached(revision);
    return this.#revision > before;
  }

  #emptyState(): State {
    return new State((subnet, address) => this.#onReleased(subnet, address));
  }

  #take(batch: Batch): void {
    for (const event of batch.events) this.#state.apply(event);
    this.#backoff.reset();
    this.#arrive(batch.revision);
  }

  #arrive(revision: number): void {
    if (revision > this.#revision) this.#revision = revision;
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

  #restart(): void {
    this.#watch = null;
    if (this.#closed) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.start().catch((error: unknown) => {
        this.#log.error({ err: error }, 'the store could not be listed');
        this.#restart();
      });
    }, this.#backoff.next());
  }
}

function behind(revision: number): Fault<ViewFault> {
  return new Fault<ViewFault>({ code: 'ViewBehind', revision }, `revision ${revision} has not arrived yet`);
}
