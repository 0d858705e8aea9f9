/**
 * A distant store: writes take time to arrive, and watchers receive them at different times. It keeps all
 * promises of the contract. A server that relies on more fails here.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type {
  Condition,
  Entry,
  Lease,
  Limits,
  Snapshot,
  Store,
  Subscriber,
  Subscription,
  TxnResult,
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

  get limits(): Limits {
    return this.#near.limits;
  }

  revision(): Promise<number> {
    return this.#asked(() => this.#near.revision());
  }

  snapshot(prefixes: readonly string[]): Promise<Snapshot> {
    return this.#asked(() => this.#near.snapshot(prefixes));
  }

  txn(conditions: readonly Condition[], writes: readonly Write[]): Promise<TxnResult> {
    return this.#asked(() => this.#near.txn(conditions, writes));
  }

  subscribe(prefixes: readonly string[], reader: Subscriber): Subscription {
    let before = Promise.resolve();
    let open = true;
    let revision = 0;
    const deliver = (at: number, hand: () => void): void => {
      const arrive = async (earlier: Promise<void>): Promise<void> => {
        await earlier;
        await this.#travel();
        if (!open) return;
        hand();
        revision = at;
      };
      before = arrive(before);
    };
    const near = this.#near.subscribe(prefixes, {
      onSnapshot: (snapshot, listed) => deliver(snapshot.revision, () => reader.onSnapshot(snapshot, listed)),
      onBatch: (batch) => deliver(batch.revision, () => reader.onBatch(batch)),
    });
    return {
      get revision() {
        return revision;
      },
      add: (more) => near.add(more),
      remove: (fewer) => near.remove(fewer),
      caughtUp: async () => {
        const reached = await near.caughtUp();
        await before;
        return reached;
      },
      close: () => {
        open = false;
        near.close();
      },
    };
  }

  lease(ttl: number): Promise<Lease> {
    return this.#near.lease(ttl);
  }

  close(): Promise<void> {
    return this.#near.close();
  }
}
