/**
 * The ordered index with revisions that the memory and the embedded store share.
 *
 * Idea: the engine keeps two states. The visible state is durable: reads, subscriptions and history use it. The
 * head is the visible state plus the transactions that were judged but are not yet durable. Transactions are
 * judged against the head, so any number of them can share one flush. `publish` makes them visible in
 * revision order; `abandon` drops them all.
 *
 * Invariant: the engine does no I/O.
 */
import { bug, Fault } from '../base/errors.ts';
import type {
  Batch,
  Condition,
  Entry,
  Snapshot,
  StoreEvent,
  StoreFault,
  Subscriber,
  Subscription,
  TxnResult,
  Write,
} from './contract.ts';
import { refuseUnwritable } from './limits.ts';
import { LocalSubscription } from './local-subscription.ts';
import { lowerBound, OrderedKeys } from './ordered-keys.ts';
import { isUnder, PrefixSet } from './prefixes.ts';

/** A judged transaction; `batch` is null when it changes nothing. */
export interface Staged {
  readonly result: TxnResult;
  readonly batch: Batch | null;
}

/** Revisions that are kept to judge `quiet`. */
const historyLimit = 10_000;

export class Engine {
  readonly #entries: Map<string, Entry>;
  readonly #keys: OrderedKeys;
  readonly #subscriptions = new Set<LocalSubscription>();
  /** Batches with revision in (#forgotten, #visible], in order. */
  #history: Batch[] = [];
  #forgotten: number;
  #visible: number;
  /** The last revision given out. It is above #visible while writes are under way or after they failed. */
  #head: number;
  /** What the head has in addition to the visible state; a null entry is a deletion. */
  readonly #staged = new Map<string, { readonly revision: number; readonly entry: Entry | null }>();
  /** The keys of each lease, at the head. */
  readonly #leases = new Map<string, Set<string>>();
  readonly #endedLeases = new Set<string>();
  #lastLease = 0;

  /** `entries` are as of `revision`, where history begins. */
  constructor(revision: number, entries: readonly Entry[]) {
    this.#entries = new Map(entries.map((entry) => [entry.key, entry]));
    this.#keys = new OrderedKeys([...this.#entries.keys()]);
    this.#forgotten = revision;
    this.#visible = revision;
    this.#head = revision;
  }

  get revision(): number {
    return this.#visible;
  }

  get(key: string): Entry | null {
    return this.#entries.get(key) ?? null;
  }

  snapshot(prefixes: readonly string[]): Snapshot {
    const wanted = new PrefixSet(prefixes);
    const [only] = wanted.all;
    const found = wanted.all.length === 1 && only !== undefined ? this.#under(only) : this.#underAll(wanted);
    const entries: Entry[] = [];
    for (const key of found) {
      const entry = this.#entries.get(key);
      if (entry !== undefined) entries.push(entry);
    }
    return { revision: this.#visible, entries };
  }

  *#under(prefix: string): Generator<string, void> {
    for (const key of this.#keys.under(prefix)) if (isUnder(prefix, key)) yield key;
  }

  #underAll(prefixes: PrefixSet): readonly string[] {
    const keys = new Set<string>();
    for (const prefix of prefixes.all) for (const key of this.#under(prefix)) keys.add(key);
    return [...keys].toSorted((a, b) => (a < b ? -1 : 1));
  }

  /** A lease without keys. */
  grant(): string {
    const id = String(++this.#lastLease);
    this.#leases.set(id, new Set());
    return id;
  }

  /** Ends a lease: its keys are deleted. After `abandon` it can be ended again. */
  stageEnd(lease: string): Staged {
    const keys = [...(this.#leases.get(lease) ?? [])];
    this.#endedLeases.add(lease);
    return this.stage(
      [],
      keys.map((key) => ({ op: 'delete', key })),
    );
  }

  /**
   * Judges a transaction against the head and adds it there. The caller then publishes or abandons it. Throws
   * `LeaseLost`.
   */
  stage(conditions: readonly Condition[], writes: readonly Write[]): Staged {
    refuseUnwritable(writes);
    this.#refuseEndedLease(writes);
    const failed = conditions.filter((condition) => !this.#holds(condition));
    if (failed.length > 0) return { result: { ok: false, failed }, batch: null };
    const revision = this.#head + 1;
    const events: StoreEvent[] = [];
    for (const write of writes) {
      const present = this.#atHead(write.key);
      if (write.op === 'put') {
        const createRevision = present?.createRevision ?? revision;
        const entry = { key: write.key, value: write.value, modRevision: revision, createRevision };
        const { lease } = write;
        events.push({ type: 'put', entry: lease === undefined ? entry : { ...entry, lease: lease.id } });
      } else if (present !== null) {
        events.push({ type: 'delete', key: write.key });
      }
    }
    if (events.length === 0) return { result: { ok: true, revision: this.#head }, batch: null };
    this.#head = revision;
    for (const event of events) {
      const key = event.type === 'put' ? event.entry.key : event.key;
      const entry = event.type === 'put' ? event.entry : null;
      this.#lend(key, this.#atHead(key), entry);
      this.#staged.set(key, { revision, entry });
    }
    return { result: { ok: true, revision }, batch: { revision, events } };
  }

  /** Makes a staged batch visible to readers and subscriptions. Callers publish batches in the order of staging. */
  publish(batch: Batch): void {
    if (batch.revision <= this.#visible) bug(`revision ${batch.revision} published after ${this.#visible}`);
    for (const event of batch.events) {
      const key = event.type === 'put' ? event.entry.key : event.key;
      if (event.type === 'put') {
        if (!this.#entries.has(key)) this.#keys.add(key);
        this.#entries.set(key, event.entry);
      } else if (this.#entries.delete(key)) {
        this.#keys.remove(key);
      }
      if (this.#staged.get(key)?.revision === batch.revision) this.#staged.delete(key);
    }
    this.#visible = batch.revision;
    this.#history.push(batch);
    // History is cut in strides: a cut with each write would move the whole history each time.
    if (this.#history.length > historyLimit * 1.25) {
      const dropped = this.#history.splice(0, this.#history.length - historyLimit);
      this.#forgotten = dropped.at(-1)?.revision ?? this.#forgotten;
    }
    for (const subscription of this.#subscriptions) subscription.offer(batch);
  }

  /** Drops every staged transaction. Their revisions are not given out again: no revision may have two meanings. */
  abandon(): void {
    for (const [key, { entry }] of this.#staged) this.#lend(key, entry, this.get(key));
    this.#staged.clear();
  }

  subscribe(prefixes: readonly string[], reader: Subscriber): Subscription {
    const subscription = new LocalSubscription(this, prefixes, reader, () =>
      this.#subscriptions.delete(subscription),
    );
    this.#subscriptions.add(subscription);
    return subscription;
  }

  /** Ends every subscription with `fault`. */
  close(fault: Fault<StoreFault>): void {
    for (const subscription of this.#subscriptions) subscription.end(fault);
  }

  #refuseEndedLease(writes: readonly Write[]): void {
    for (const write of writes)
      if (write.op === 'put' && write.lease !== undefined && this.#hasEnded(write.lease.id))
        throw new Fault<StoreFault>({ code: 'LeaseLost' }, `the lease of '${write.key}' has ended`);
  }

  #hasEnded(lease: string): boolean {
    return this.#endedLeases.has(lease) || !this.#leases.has(lease);
  }

  /** The key's entry at the head changes. */
  #lend(key: string, before: Entry | null, after: Entry | null): void {
    if (before?.lease !== undefined) this.#leases.get(before.lease)?.delete(key);
    if (after?.lease !== undefined) this.#leases.get(after.lease)?.add(key);
  }

  /** Index of the first batch of history above `revision`. */
  #firstAfter(revision: number): number {
    return lowerBound(this.#history.length, (i) => (this.#history[i]?.revision ?? 0) <= revision);
  }

  #atHead(key: string): Entry | null {
    const staged = this.#staged.get(key);
    return staged === undefined ? this.get(key) : staged.entry;
  }

  #holds(condition: Condition): boolean {
    switch (condition.is) {
      case 'absent':
        return this.#atHead(condition.key) === null;
      case 'present':
        return this.#atHead(condition.key) !== null;
      case 'unchanged':
        return this.#atHead(condition.key)?.modRevision === condition.modRevision;
      default:
        return this.#quiet(condition.prefix, condition.revision);
    }
  }

  #quiet(prefix: string, revision: number): boolean {
    for (const [key, { entry }] of this.#staged) {
      if (entry !== null && entry.modRevision > revision && isUnder(prefix, key)) return false;
    }
    const written = (key: string): boolean =>
      isUnder(prefix, key) && (this.#atHead(key)?.modRevision ?? 0) > revision;
    const wrote = (event: StoreEvent): boolean => event.type === 'put' && written(event.entry.key);
    // Two ways find the answer: the keys under the prefix, or the history since then. The shorter one is
    // used: a prefix may have thousands of keys, and a caller may ask about long ago.
    const from = this.#firstAfter(revision);
    let budget = revision >= this.#forgotten ? this.#history.length - from : Number.POSITIVE_INFINITY;
    for (const key of this.#keys.under(prefix)) {
      if (budget-- <= 0) return !this.#history.slice(from).some((batch) => batch.events.some(wrote));
      if (written(key)) return false;
    }
    return true;
  }
}
