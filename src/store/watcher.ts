/**
 * One watch: a queue of batches between the store and its reader. Batches are handed over from a microtask of
 * their own. A reader that writes from its handler is therefore never entered twice and never runs inside the
 * writer. Does not decide what the reader missed: the engine fills the queue.
 */
import { Fault, reasonOf } from '../base/errors.ts';
import type { Batch, StoreFault, Watch, WatchHandlers } from './contract.ts';

export class Watcher implements Watch {
  readonly #prefix: string;
  readonly #from: number;
  readonly #handlers: WatchHandlers;
  readonly #onOver: (watcher: Watcher) => void;
  #queue: Batch[] = [];
  #fault: Fault<StoreFault> | null = null;
  #scheduled = false;
  #over = false;

  constructor(prefix: string, from: number, handlers: WatchHandlers, onOver: (watcher: Watcher) => void) {
    this.#prefix = prefix;
    this.#from = from;
    this.#handlers = handlers;
    this.#onOver = onOver;
  }

  /** Queues the part of the batch under the prefix. Batches must come in revision order. */
  offer(batch: Batch): void {
    if (this.#over || this.#fault !== null || batch.revision < this.#from) return;
    const events = batch.events.filter((event) =>
      (event.type === 'put' ? event.entry.key : event.key).startsWith(this.#prefix),
    );
    if (events.length === 0) return;
    this.#queue.push(events.length === batch.events.length ? batch : { revision: batch.revision, events });
    this.#schedule();
  }

  /** Ends the watch after the queued batches have been handed over. */
  lose(fault: Fault<StoreFault>): void {
    this.#fault ??= fault;
    this.#schedule();
  }

  close(): void {
    this.#over = true;
    this.#queue = [];
    this.#onOver(this);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const batch of queue) {
      if (this.#over) return;
      try {
        this.#handlers.onBatch(batch);
      } catch (error) {
        // The reader may have taken half of the batch, so it has to list again.
        this.#fault = new Fault<StoreFault>(
          { code: 'StoreUnavailable' },
          `the watch on '${this.#prefix}' ended: its reader failed: ${reasonOf(error)}`,
          error,
        );
        break;
      }
    }
    if (this.#over || this.#fault === null || this.#queue.length > 0) return;
    this.close();
    this.#handlers.onLost(this.#fault);
  }
}
