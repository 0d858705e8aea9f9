/**
 * What every store promises (the contract test-suite in `testing/` holds each one to it):
 *
 * - keys are `/`-separated text, ordered by code unit; values are text (JSON by convention);
 * - one transaction = one revision = one batch to each watcher; revisions grow by at least 1 and are
 *   never reused, also over restarts;
 * - a transaction whose promise resolved survives kill -9; no reader or watcher sees one before that;
 * - `watch` from revision R gives every batch with revision >= R exactly once, in order;
 *   if R was compacted away, it says so and the reader lists again;
 * - nothing here assumes that reader and writer share a process.
 */
import type { Fault } from '../base/errors.ts';

export interface Entry {
  readonly key: string;
  readonly value: string;
  /** Revision of the transaction that last wrote it. */
  readonly modRevision: number;
  /** Revision of the transaction that created it. */
  readonly createRevision: number;
}

/**
 * `unchanged`: the key's last write was at `modRevision`. `quiet`: no present key under `prefix` was
 * written after `revision` (a lock against additions; deletions pass).
 */
export type Condition =
  | { readonly prefix: string; readonly is: 'quiet'; readonly revision: number }
  | { readonly key: string; readonly is: 'absent' }
  | { readonly key: string; readonly is: 'present' }
  | { readonly key: string; readonly is: 'unchanged'; readonly modRevision: number };

export type Write =
  | { readonly op: 'put'; readonly key: string; readonly value: string }
  | { readonly op: 'delete'; readonly key: string };

export type TxnResult =
  | { readonly ok: true; readonly revision: number }
  /** Nothing was written; `failed` lists the conditions that did not hold. */
  | { readonly ok: false; readonly failed: readonly Condition[] };

export type StoreEvent =
  | { readonly type: 'put'; readonly entry: Entry }
  | { readonly type: 'delete'; readonly key: string };

export interface Batch {
  readonly revision: number;
  readonly events: readonly StoreEvent[];
}

export interface Snapshot {
  /** All entries are as of this revision; a watch from `revision + 1` misses nothing. */
  readonly revision: number;
  readonly entries: readonly Entry[];
}

export interface WatchHandlers {
  /** Called once per revision that touches the prefix, in order, never re-entrantly. */
  onBatch(batch: Batch): void;
  /** The watch is over: list again and watch from there. Not called after `close()`. */
  onLost(fault: Fault<StoreFault>): void;
}

export interface Watch {
  close(): void;
}

export interface Store {
  get(key: string): Promise<Entry | null>;
  range(prefix: string): Promise<Snapshot>;
  /** An empty `writes` only tests the conditions. One key may be written once per transaction. */
  txn(conditions: readonly Condition[], writes: readonly Write[]): Promise<TxnResult>;
  watch(prefix: string, fromRevision: number, handlers: WatchHandlers): Watch;
  /** Forgets history up to and including `revision`; present values stay. */
  compact(revision: number): Promise<void>;
  close(): Promise<void>;
}

export type StoreFault =
  | { readonly code: 'StoreLocked'; readonly path: string; readonly holder: string }
  | { readonly code: 'StoreCorrupt'; readonly path: string }
  | { readonly code: 'StoreUnavailable' }
  | { readonly code: 'StoreClosed' }
  | { readonly code: 'Compacted'; readonly revision: number };
