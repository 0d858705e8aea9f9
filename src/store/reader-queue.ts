/**
 * The way from a store to the reader of a subscription: a queue that is handed over from a microtask of its own. A reader
 * that writes from its handler is therefore never entered twice and never runs inside the writer. The store fills the
 * queue in the order of revisions. Does not know where snapshots and batches come from.
 */
import type { Fault } from '../base/errors.ts';
import type { Batch, Snapshot, StoreFault, Subscriber } from './contract.ts';
import { PrefixSet } from './prefixes.ts';

interface Mark {
  readonly kind: 'mark';
  readonly resolve: (revision: number) => void;
  readonly reject: (fault: Fault<StoreFault>) => void;
}

type Item =
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot; readonly prefixes: readonly string[] }
  | { readonly kind: 'batch'; readonly batch: Batch }
  /** Nothing of interest happened up to this revision. */
  | { readonly kind: 'passed'; readonly revision: number }
  | Mark;

export class ReaderQueue {
  readonly #reader: Subscriber;
  readonly #onFailed: (error: unknown) => void;
  /** The prefixes whose snapshots were delivered. */
  readonly #followed = new PrefixSet();
  #queue: Item[] = [];
  /** Wait for the snapshot of everything; null once it is queued. */
  #parked: Mark[] | null = [];
  #scheduled = false;
  #over = false;
  #revision = 0;

  /** `onFailed`: a handler failed, and the queue was dropped. */
  constructor(reader: Subscriber, onFailed: (error: unknown) => void) {
    this.#reader = reader;
    this.#onFailed = onFailed;
  }

  get revision(): number {
    return this.#revision;
  }

  snapshot(snapshot: Snapshot, prefixes: readonly string[]): void {
    this.#push({ kind: 'snapshot', snapshot, prefixes });
    const parked = this.#parked ?? [];
    this.#parked = null;
    for (const mark of parked) this.#push(mark);
  }

  /** May have events that nobody wants. */
  batch(batch: Batch): void {
    this.#push({ kind: 'batch', batch });
  }

  passed(revision: number): void {
    this.#push({ kind: 'passed', revision });
  }

  /** Resolves with the revision once all that was queued before is delivered. */
  mark(): Promise<number> {
    return new Promise((resolve, reject) => {
      const mark: Mark = { kind: 'mark', resolve, reject };
      if (this.#parked === null) this.#push(mark);
      else this.#parked.push(mark);
    });
  }

  /** Queued and later batches are delivered without what is only under these prefixes. */
  remove(prefixes: readonly string[]): void {
    this.#followed.delete(prefixes);
    this.#queue = this.#queue.map((item) =>
      item.kind === 'snapshot'
        ? { ...item, prefixes: item.prefixes.filter((prefix) => !prefixes.includes(prefix)) }
        : item,
    );
  }

  trouble(error: unknown): void {
    if (!this.#over) this.#reader.onTrouble?.(error);
  }

  /** Drops what is queued: a snapshot of everything follows. Marks wait for it. */
  drop(): void {
    const marks = this.#queue.filter((item) => item.kind === 'mark');
    this.#queue = [];
    this.#parked = [...(this.#parked ?? []), ...marks];
    this.#followed.delete(this.#followed.all);
  }

  close(fault: Fault<StoreFault>): void {
    this.#over = true;
    this.drop();
    for (const mark of this.#parked ?? []) mark.reject(fault);
  }

  #push(item: Item): void {
    if (this.#over) return;
    this.#queue.push(item);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    for (let item = this.#queue.shift(); item !== undefined; item = this.#queue.shift()) {
      try {
        this.#hand(item);
      } catch (error) {
        // The reader may have taken half of it, so it gets everything again.
        this.drop();
        this.trouble(error);
        if (!this.#over) this.#onFailed(error);
        return;
      }
    }
  }

  #hand(item: Item): void {
    switch (item.kind) {
      case 'snapshot':
        return this.#handSnapshot(item.snapshot, item.prefixes);
      case 'batch':
        return this.#handBatch(item.batch);
      case 'passed':
        this.#revision = Math.max(this.#revision, item.revision);
        return;
      case 'mark':
        item.resolve(this.#revision);
    }
  }

  #handSnapshot({ revision, entries }: Snapshot, prefixes: readonly string[]): void {
    if (prefixes.length > 0) {
      const wanted = new PrefixSet(prefixes);
      this.#reader.onSnapshot(
        { revision, entries: entries.filter(({ key }) => wanted.covers(key)) },
        prefixes,
      );
      this.#followed.add(prefixes);
    }
    this.#revision = Math.max(this.#revision, revision);
  }

  #handBatch(batch: Batch): void {
    const { revision, events } = batch;
    const wanted = events.filter((event) =>
      this.#followed.covers(event.type === 'put' ? event.entry.key : event.key),
    );
    if (wanted.length === events.length) this.#reader.onBatch(batch);
    else if (wanted.length > 0) this.#reader.onBatch({ revision, events: wanted });
    this.#revision = Math.max(this.#revision, revision);
  }
}
