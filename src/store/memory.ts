/**
 * The store without a disk, for tests and throw-away runs. A transaction is visible as soon as it is judged.
 * Everything is gone with the process. The engine defines all semantics.
 */
import { Fault } from '../base/errors.ts';
import type {
  Condition,
  Entry,
  Snapshot,
  Store,
  StoreFault,
  TxnResult,
  Watch,
  WatchHandlers,
  Write,
} from './contract.ts';
import { Engine, type EngineOptions } from './engine.ts';

export class MemoryStore implements Store {
  readonly #engine: Engine;
  #closed = false;

  constructor(options: EngineOptions = {}) {
    this.#engine = new Engine(0, [], options);
  }

  async get(key: string): Promise<Entry | null> {
    return this.#open().get(key);
  }

  async range(prefix: string): Promise<Snapshot> {
    return this.#open().range(prefix);
  }

  async txn(conditions: readonly Condition[], writes: readonly Write[]): Promise<TxnResult> {
    const { result, batch } = this.#open().stage(conditions, writes);
    if (batch !== null) this.#engine.publish(batch);
    return result;
  }

  watch(prefix: string, fromRevision: number, handlers: WatchHandlers): Watch {
    const watch = this.#engine.watch(prefix, fromRevision, handlers);
    if (this.#closed) this.#engine.close(closed());
    return watch;
  }

  async compact(revision: number): Promise<void> {
    this.#open().compact(revision);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#engine.close(closed());
  }

  #open(): Engine {
    if (this.#closed) throw closed();
    return this.#engine;
  }
}

/** The fault of every call on a closed store. */
export function closed(): Fault<StoreFault> {
  return new Fault<StoreFault>({ code: 'StoreClosed' }, 'the store is closed');
}
