/**
 * A distant store: writes take time to arrive, and watchers receive them at different times. It keeps all
 * promises of the contract. A server that relies on more fails here.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type {
  Batch,
  Condition,
  Entry,
  Snapshot,
  Store,
  TxnResult,
  Watch,
  WatchHandlers,
  Write,
} from '../../../src/store/contract.ts';
import type { Random } from './random.ts';

export class FarStore implements Store {
  readonly #near: Store;
  readonly #random: Random;

  constructor(near: Store, random: Random) {
    this.#near = near;
    this.#random = random;
  }

  async #travel(): Promise<void> {
    for (let turns = this.#random.below(6); turns > 0; turns--) await nextTurn();
  }

  async #asked<T>(ask: () => Promise<T>): Promise<T> {
    await this.#travel();
    const answer = await ask();
    await this.#travel();
    return answer;
  }

  get(key: string): Promise<Entry | null> {
    return this.#asked(() => this.#near.get(key));
  }

  range(prefix: string): Promise<Snapshot> {
    return this.#asked(() => this.#near.range(prefix));
  }

  txn(conditions: readonly Condition[], writes: readonly Write[]): Promise<TxnResult> {
    return this.#asked(() => this.#near.txn(conditions, writes));
  }

  watch(prefix: string, fromRevision: number, handlers: WatchHandlers): Watch {
    let before = Promise.resolve();
    let open = true;
    const deliver = (batch: Batch): void => {
      before = before.then(() => this.#travel()).then(() => (open ? handlers.onBatch(batch) : undefined));
    };
    const near = this.#near.watch(prefix, fromRevision, {
      onBatch: deliver,
      onLost: (fault) => void before.then(() => (open ? handlers.onLost(fault) : undefined)),
    });
    return {
      close: () => {
        open = false;
        near.close();
      },
    };
  }

  compact(revision: number): Promise<void> {
    return this.#near.compact(revision);
  }

  close(): Promise<void> {
    return this.#near.close();
  }
}
