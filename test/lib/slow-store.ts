/**
 * A store that delays the snapshots of some prefixes until `goOn`. Batches of other prefixes
 * arrive meanwhile, as with a store on another machine. It keeps all promises of the contract, and notes what it
 * delivered.
 */
import type {
  Batch,
  Condition,
  Limits,
  Snapshot,
  Store,
  Subscriber,
  Subscription,
  Write,
} from '../../src/store/contract.ts';

interface Waiting {
  readonly subscription: Subscription;
  prefixes: readonly string[];
}

export class SlowStore implements Store {
  /** The key of each entry and event that a reader received. */
  readonly delivered: string[] = [];
  readonly #near: Store;
  #isSlow: (prefix: string) => boolean = () => false;
  #waiting: Waiting[] = [];

  constructor(near: Store) {
    this.#near = near;
  }

  /** From now on, a reader that adds such a prefix waits for `goOn`. */
  hold(isSlow: (prefix: string) => boolean): void {
    this.#isSlow = isSlow;
  }

  goOn(): void {
    this.#isSlow = () => false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { subscription, prefixes } of waiting) subscription.add(prefixes);
  }

  /** The prefixes that somebody waits for. */
  get awaited(): readonly string[] {
    return this.#waiting.flatMap(({ prefixes }) => prefixes);
  }

  subscribe(prefixes: readonly string[], reader: Subscriber): Subscription {
    const near = this.#near.subscribe(prefixes, {
      onSnapshot: (snapshot: Snapshot, listed) => {
        this.delivered.push(...snapshot.entries.map(({ key }) => key));
        reader.onSnapshot(snapshot, listed);
      },
      onBatch: (batch: Batch) => {
        this.delivered.push(
          ...batch.events.map((event) => (event.type === 'put' ? event.entry.key : event.key)),
        );
        reader.onBatch(batch);
      },
      onTrouble: (error) => reader.onTrouble?.(error),
    });
    return {
      get revision() {
        return near.revision;
      },
      add: (more) => {
        if (more.some((prefix) => this.#isSlow(prefix)))
          this.#waiting.push({ subscription: near, prefixes: more });
        else near.add(more);
      },
      remove: (fewer) => {
        for (const waiting of this.#waiting)
          if (waiting.subscription === near)
            waiting.prefixes = waiting.prefixes.filter((prefix) => !fewer.includes(prefix));
        near.remove(fewer);
      },
      caughtUp: () => near.caughtUp(),
      close: () => {
        this.#waiting = this.#waiting.filter(({ subscription }) => subscription !== near);
        near.close();
      },
    };
  }

  get limits(): Limits {
    return this.#near.limits;
  }
  revision() {
    return this.#near.revision();
  }
  get(key: string) {
    return this.#near.get(key);
  }
  snapshot(prefixes: readonly string[]) {
    return this.#near.snapshot(prefixes);
  }
  txn(conditions: readonly Condition[], writes: readonly Write[]) {
    return this.#near.txn(conditions, writes);
  }
  lease(ttl: number) {
    return this.#near.lease(ttl);
  }
  /** The store behind it is others' as well. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
