/**
 * The ordered index with revisions that the memory and the embedded store share.
 *
 * Idea: the engine keeps two states. The visible state is durable: reads, watches and history use it. The
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
  TxnResult,
  Watch,
  WatchHandlers,
  Write,
} from './contract.ts';
import { lowerBound, OrderedKeys } from './ordered-keys.ts';
import { Watcher } from './watcher.ts';

/** A judged transaction; `batch` is null when it changes nothing. */
export interface Staged {
  readonly result: TxnResult;
  readonly batch: Batch | null;
}

export interface EngineOptions {
  /** How many revisions a watch may look back. */
  readonly historyLimit?: number;
}

export class Engine {
  readonly #entries: Map<string, Entry>;
  readonly #keys: OrderedKeys;
  readonly #watchers = new Set<Watcher>();
  readonly #historyLimit: number;
  /** Batches with revision in (#compacted, #visible], in order. */
  #history: Batch[] = [];
  #compacted: number;
  #visible: number;
  /** The last revision given out. It is above #visible while writes are under way or after they failed. */
  #head: number;
  /** What the head has in addition to the visible state; a null entry is a deletion. */
  readonly #staged = new Map<string, { readonly revision: number; readonly entry: Entry | null }>();

  /** `entries` are as of `revision`, where history begins. */
  constructor(revision: number, entries: readonly Entry[], options: EngineOptions = {}) {
    this.#entries = new Map(entries.map((entry) => [entry.key, entry]));
    this.#keys = new OrderedKeys([...this.#entries.keys()]);
    this.#historyLimit = options.historyLimit ?? 10_000;
    this.#compacted = revision;
    this.#visible = revision;
    this.#head = revision;
  }

  get revision(): number {
    return this.#visible;
  }

  get(key: string): Entry | null {
    return this.#entries.get(key) ?? null;
  }

  range(prefix: string): Snapshot {
    const entries: Entry[] = [];
    for (const key of this.#keys.under(prefix)) {
      const entry = this.#entries.get(key);
      if (entry !== undefined) entries.push(entry);
    }
    return { revision: this.#visible, entries };
  }

  /** Judges a transaction against the head and adds it there. The caller then publishes or abandons it. */
  stage(conditions: readonly Condition[], writes: readonly Write[]): Staged {
    refuseUnwritable(writes);
    const failed = conditions.filter((condition) => !this.#holds(condition));
    if (failed.length > 0) return { result: { ok: false, failed }, batch: null };
    const revision = this.#head + 1;
    const events: StoreEvent[] = [];
    for (const write of writes) {
      const present = this.#atHead(write.key);
      if (write.op === 'put') {
        const createRevision = present?.createRevision ?? revision;
        const entry = { key: write.key, value: write.value, modRevision: revision, createRevision };
        events.push({ type: 'put', entry });
      } else if (present !== null) {
        events.push({ type: 'delete', key: write.key });
      }
    }
    if (events.length === 0) return { result: { ok: true, revision: this.#head }, batch: null };
    this.#head = revision;
    for (const event of events) {
      if (event.type === 'put') this.#staged.set(event.entry.key, { revision, entry: event.entry });
      else this.#staged.set(event.key, { revision, entry: null });
    }
    return { result: { ok: true, revision }, batch: { revision, events } };
  }

  /** Makes a staged batch visible to readers and watchers. Callers publish batches in the order of staging. */
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
    if (this.#history.length > this.#historyLimit * 1.25) {
      this.#forget(this.#history.length - this.#historyLimit);
    }
    for (const watcher of this.#watchers) watcher.offer(batch);
  }

  /** Drops every staged transaction. Their revisions are not given out again: no revision may have two meanings. */
  abandon(): void {
    this.#staged.clear();
  }

  watch(prefix: string, fromRevision: number, handlers: WatchHandlers): Watch {
    const watcher = new Watcher(prefix, fromRevision, handlers, (over) => this.#watchers.delete(over));
    if (this.#compacted >= Math.max(1, fromRevision)) {
      watcher.lose(
        new Fault<StoreFault>(
          { code: 'Compacted', revision: this.#compacted },
          `revision ${fromRevision} is gone: history begins after ${this.#compacted}`,
        ),
      );
      return watcher;
    }
    this.#watchers.add(watcher);
    for (let i = this.#firstAfter(fromRevision - 1); i < this.#history.length; i++) {
      const batch = this.#history[i];
      if (batch !== undefined) watcher.offer(batch);
    }
    return watcher;
  }

  /** Open watches have their batches queued and lose nothing. */
  compact(revision: number): void {
    const limit = Math.min(revision, this.#visible);
    if (limit <= this.#compacted) return;
    this.#forget(this.#firstAfter(limit));
    this.#compacted = limit;
  }

  /** Ends every watch with `fault`. */
  close(fault: Fault<StoreFault>): void {
    for (const watcher of this.#watchers) watcher.lose(fault);
  }

  #forget(count: number): void {
    const dropped = this.#history.splice(0, count);
    this.#compacted = dropped.at(-1)?.revision ?? this.#compacted;
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
      if (entry !== null && entry.modRevision > revision && key.startsWith(prefix)) return false;
    }
    const written = (key: string): boolean =>
      key.startsWith(prefix) && (this.#atHead(key)?.modRevision ?? 0) > revision;
    const wrote = (event: StoreEvent): boolean => event.type === 'put' && written(event.entry.key);
    // Two ways find the answer: the keys under the prefix, or the history since then. The shorter one is
    // used: a prefix may have thousands of keys, and a caller may ask about long ago.
    const from = this.#firstAfter(revision);
    let budget = revision >= this.#compacted ? this.#history.length - from : Number.POSITIVE_INFINITY;
    for (const key of this.#keys.under(prefix)) {
      if (budget-- <= 0) return !this.#history.slice(from).some((batch) => batch.events.some(wrote));
      if (written(key)) return false;
    }
    return true;
  }
}

/** A key that no store could hold, or a key written twice, is the caller's mistake. */
function refuseUnwritable(writes: readonly Write[]): void {
  const seen = new Set<string>();
  for (const { key } of writes) {
    if (key === '' || Buffer.byteLength(key) > maxKeyBytes || loneSurrogate.test(key)) {
      bug(`'${key.slice(0, 80)}' cannot be a key: 1 to ${maxKeyBytes} bytes of well-formed text`);
    }
    if (seen.has(key)) bug(`'${key}' is written twice in one transaction`);
    seen.add(key);
  }
}

/** Bytes in UTF-8, below the limit that lmdb's page size sets. */
const maxKeyBytes = 1024;

/** A lone surrogate: UTF-8 cannot hold it, so two such keys would become one on disk. */
const loneSurrogate = /\p{Surrogate}/u;
