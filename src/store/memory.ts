/**
 * The store without a disk, for tests and throw-away runs. A transaction is visible as soon as it is judged.
 * Everything is gone with the process. The engine defines all semantics.
 */
import { Fault } from '../base/errors.ts';
import type {
  Condition,
  Entry,
  Lease,
  Snapshot,
  Store,
  StoreFault,
  Subscriber,
  Subscription,
  TxnResult,
  Write,
} from './contract.ts';
import { Engine, type Staged } from './engine.ts';
import { noLimits } from './limits.ts';
import { LocalLease } from './local-lease.ts';

export class MemoryStore implements Store {
  readonly limits = noLimits;
  readonly #engine = new Engine(0, []);
  #closed = false;

  async revision(): Promise<number> {
    return this.#open().revision;
  }

  async get(key: string): Promise<Entry | null> {
    return this.#open().get(key);
  }

  async snapshot(prefixes: readonly string[]): Promise<Snapshot> {
    return this.#open().snapshot(prefixes);
  }

  async txn(conditions: readonly Condition[], writes: readonly Write[]): Promise<TxnResult> {
    return this.#make(this.#open().stage(conditions, writes));
  }

  subscribe(prefixes: readonly string[], reader: Subscriber): Subscription {
    return this.#open().subscribe(prefixes, reader);
  }

  async lease(ttl: number): Promise<Lease> {
    const id = this.#open().grant();
    return new LocalLease(id, ttl, async () => {
      if (!this.#closed) this.#make(this.#engine.stageEnd(id));
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#engine.close(closed());
  }

  #make({ result, batch }: Staged): TxnResult {
    if (batch !== null) this.#engine.publish(batch);
    return result;
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
