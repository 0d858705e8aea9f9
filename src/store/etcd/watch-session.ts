/**
 * One stretch of a subscription: from a listing of its prefixes until history is lost. Merges the watches of several scopes
 * into one batch a revision.
 *
 * Idea: etcd orders the events of one watch, but not those of several, not even on one stream: a watch whose reader is slow
 * falls behind the others. So it must be known that every watch has delivered all up to a revision R. Each transaction
 * stamps the scopes that it changes (`scopes.ts`). A linearizable read gives all stamps as of R. A watch that has delivered
 * an event of its stamp's revision has delivered all that its scope has up to R. Then all events up to R are whole, and R
 * is a barrier. This trusts no progress notification, and costs one read a burst of events.
 *
 * A single watch is in order by itself; it needs the read for barriers only. The scope of the whole store is such a watch:
 * it serves prefixes that no scope covers, and its reader gets all keys and drops what it does not want.
 *
 * An event that a stamp announces and that does not come was lost by etcd: the session ends, and its owner lists again.
 * The end of a lease has no stamp, because no client makes it: it may come late.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Snapshot, StoreEvent } from '../contract.ts';
import type { ReaderQueue } from '../reader-queue.ts';
import type { EtcdConnection } from './connection.ts';
import { unavailable } from './faults.ts';
import { entryOf } from './listing.ts';
import type { Places } from './scopes.ts';
import { type WatchEvents, WatchStream } from './watch-stream.ts';

export interface Stamps {
  /** All stamps are as of this revision, which is the store's at the time of the call or later. */
  readonly revision: number;
  readonly of: ReadonlyMap<string, number>;
}

export interface WatchSessionOptions {
  readonly connection: EtcdConnection;
  readonly places: Places;
  readonly delivery: ReaderQueue;
  readonly list: (prefixes: readonly string[]) => Promise<Snapshot>;
  /** Whether the prefix was not removed meanwhile. */
  readonly wants: (prefix: string) => boolean;
  readonly readStamps: (scopes: readonly string[]) => Promise<Stamps>;
  /** The barriers that wait: how many there are, and a function that frees the oldest. */
  readonly barriers: { readonly count: number; free(count: number): void };
  readonly onTrouble: (error: unknown) => void;
  readonly onLost: (error: unknown) => void;
}

interface Watched {
  readonly id: number;
  /** Every event of the scope up to this revision has come. */
  seen: number;
}

interface Listed {
  readonly snapshot: Snapshot;
  readonly prefixes: readonly string[];
}

/** Milliseconds for an announced event. */
const eventTimeout = 10_000;
const retryInterval = 200;

export class WatchSession {
  readonly #options: WatchSessionOptions;
  readonly #stream: WatchStream;
  readonly #scopes = new Map<string, Watched>();
  readonly #scopeOf = new Map<number, string>();
  /** Events that are not known to be whole, by revision. */
  readonly #pending = new Map<number, StoreEvent[]>();
  #lastId = 0;
  #additions: string[] = [];
  #listed: Listed[] = [];
  #isStarted = false;
  #isListing = false;
  #isWorking = false;
  #over = false;
  /** Called whenever events arrive. */
  #onArrival: () => void = () => {};

  constructor(options: WatchSessionOptions) {
    this.#options = options;
    this.#stream = new WatchStream(options.connection, {
      probe: () => options.readStamps(['']),
      onEvents: (id, events) => this.#take(id, events),
      onTrouble: options.onTrouble,
      onLost: (error) => this.#lose(error),
    });
  }

  /** Whether the watches cover the prefixes, or can be extended to. */
  canFollow(prefixes: readonly string[]): boolean {
    return this.#isWhole || prefixes.every((prefix) => this.#options.places.scopeOf(prefix) !== '');
  }

  get #isWhole(): boolean {
    return this.#scopes.has('');
  }

  /** Lists the prefixes and follows them. Rejects when that fails. */
  async start(prefixes: readonly string[]): Promise<void> {
    const { places, delivery, list } = this.#options;
    const snapshot = await list(prefixes);
    if (this.#over) return;
    const scopes = new Set(prefixes.map((prefix) => places.scopeOf(prefix)));
    for (const scope of scopes.has('') ? [''] : scopes) this.#watch(scope, snapshot.revision);
    delivery.snapshot(snapshot, prefixes.filter(this.#options.wants));
    this.#isStarted = true;
    this.work();
  }

  add(prefixes: readonly string[]): void {
    this.#additions.push(...prefixes);
    this.work();
  }

  /** `left`: what is still followed. */
  remove(prefixes: readonly string[], left: readonly string[]): void {
    const { places } = this.#options;
    this.#additions = this.#additions.filter((prefix) => !prefixes.includes(prefix));
    if (this.#isWhole) return;
    const needed = new Set(left.map((prefix) => places.scopeOf(prefix)));
    for (const [scope, { id }] of this.#scopes) {
      if (needed.has(scope)) continue;
      this.#scopes.delete(scope);
      this.#scopeOf.delete(id);
      this.#stream.remove(id);
    }
  }

  close(): void {
    this.#over = true;
    this.#stream.close();
    this.#onArrival();
  }

  /** Does what there is to do: additions, barriers, events of several watches. */
  work(): void {
    if (this.#isWorking || this.#over || !this.#isStarted) return;
    this.#isWorking = true;
    void this.#work().finally(() => {
      this.#isWorking = false;
    });
  }

  get #hasWork(): boolean {
    const isMerging = this.#scopes.size > 1 && this.#pending.size > 0;
    // A listing waits for the stamps behind it, also where their read has failed once.
    const isListed = this.#additions.length > 0 || this.#listed.length > 0;
    return isListed || this.#options.barriers.count > 0 || isMerging;
  }

  async #work(): Promise<void> {
    while (this.#hasWork && !this.#over) {
      try {
        await this.#include();
        const waiting = this.#options.barriers.count;
        const revision = await this.#confirmed();
        if (this.#over) return;
        this.#deliver(revision);
        this.#isListing = false;
        this.#options.barriers.free(waiting);
      } catch (error) {
        if (this.#over) return;
        this.#options.onTrouble(error);
        await delay(retryInterval);
      }
    }
  }

  /** Lists what was added and watches it. Until it is delivered, no batch is. */
  async #include(): Promise<void> {
    if (this.#additions.length === 0) return;
    this.#isListing = true;
    const { places, list } = this.#options;
    const prefixes = this.#additions;
    this.#additions = [];
    let snapshot: Snapshot;
    try {
      snapshot = await list(prefixes);
    } catch (error) {
      this.#additions = [...prefixes, ...this.#additions];
      throw error;
    }
    if (!this.#isWhole)
      for (const prefix of prefixes) {
        const scope = places.scopeOf(prefix);
        if (!this.#scopes.has(scope)) this.#watch(scope, snapshot.revision);
      }
    this.#listed.push({ snapshot, prefixes });
  }

  /** Resolves with a revision up to which every watch has delivered all. */
  async #confirmed(): Promise<number> {
    const { revision, of } = await this.#options.readStamps([...this.#scopes.keys()]);
    const deadline = performance.now() + eventTimeout;
    const isMissing = (): boolean =>
      [...this.#scopes].some(([scope, { seen }]) => (of.get(scope) ?? 0) > seen);
    while (isMissing() && !this.#over) {
      if (performance.now() > deadline) {
        this.#lose(unavailable(`events up to revision ${revision} did not come`));
        break;
      }
      await this.#arrival(deadline);
    }
    return revision;
  }

  async #arrival(deadline: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, deadline - performance.now()));
      this.#onArrival = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#onArrival = () => {};
  }

  #watch(scope: string, after: number): void {
    const id = ++this.#lastId;
    this.#scopes.set(scope, { id, seen: after });
    this.#scopeOf.set(id, scope);
    this.#stream.add(id, this.#options.places.ofScope(scope), after);
  }

  #take(id: number, events: WatchEvents): void {
    const scope = this.#scopeOf.get(id);
    const watched = scope === undefined ? undefined : this.#scopes.get(scope);
    if (scope === undefined || watched === undefined) return;
    const { places } = this.#options;
    for (const { isDelete, entry } of events) {
      watched.seen = entry.modRevision;
      const key = places.keyIn(entry.key);
      // A neighbour belongs to another watch.
      if (scope !== '' && places.scopeOf(key) !== scope) continue;
      const event: StoreEvent = isDelete
        ? { type: 'delete', key }
        : { type: 'put', entry: entryOf(places, entry) };
      const others = this.#pending.get(entry.modRevision);
      if (others === undefined) this.#pending.set(entry.modRevision, [event]);
      else others.push(event);
    }
    if (this.#scopes.size === 1 && !this.#isListing) this.#deliver(watched.seen);
    else this.work();
    this.#onArrival();
  }

  #deliver(revision: number): void {
    const { delivery } = this.#options;
    const revisions = [...this.#pending.keys()].filter((each) => each <= revision).toSorted((a, b) => a - b);
    const listed = this.#listed.toSorted((a, b) => a.snapshot.revision - b.snapshot.revision);
    this.#listed = [];
    for (const each of revisions) {
      for (; (listed[0]?.snapshot.revision ?? each) < each; listed.shift()) {
        const [next] = listed;
        if (next !== undefined) this.#hand(next);
      }
      delivery.batch({ revision: each, events: this.#pending.get(each) ?? [] });
      this.#pending.delete(each);
    }
    for (const next of listed) this.#hand(next);
    delivery.passed(revision);
  }

  #hand({ snapshot, prefixes }: Listed): void {
    const { delivery, wants } = this.#options;
    delivery.snapshot(snapshot, prefixes.filter(wants));
  }

  #lose(error: unknown): void {
    if (this.#over) return;
    this.close();
    this.#options.onLost(error);
  }
}
