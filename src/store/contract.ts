/**
 * The promises of every store. The contract test-suite in `testing/` checks each store against them:
 *
 * - Keys are `/`-separated text, ordered by code unit. Values are text (JSON by convention).
 * - One transaction is one revision, and one batch to each watcher.
 * - Revisions grow by at least 1 and are never reused, also over restarts.
 * - A transaction whose promise resolved survives kill -9. No reader or watcher sees one before that.
 * - `watch` from revision R gives every batch with revision >= R exactly once, in order.
 * - If R was compacted away, `watch` reports it and the reader lists again.
 *
 * Invariant: nothing here assumes that reader and writer share a process.
 */
import type { Fault } from '../base/errors.ts';

export interface Entry {
  readonly key: string;
  readonly value: string;
  /** Revision of the transaction that wrote it last. */
  readonly modRevision: number;
  /** Revision of the transaction that created it. */
  readonly createRevision: number;
}

/**
 * `unchanged`: the key's last write was at `modRevision`. `quiet`: no present key under `prefix` was written
 * after `revision`. It guards against additions; deletions pass.
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
  /** An empty `writes` only tests the conditions. A transaction may write one key once. */
  txn(conditions: readonly Condition[], writes: readonly Write[]): Promise<TxnResult>;
  watch(prefix: string, fromRevision: number, handlers: WatchHandlers): Watch;
  /** Drops the history up to and including `revision`; present values stay. */
  compact(revision: number): Promise<void>;
  close(): Promise<void>;
}

export type StoreFault =
  | { readonly code: 'StoreLocked'; readonly path: string; readonly holder: string }
  | { readonly code: 'StoreCorrupt'; readonly path: string }
  | { readonly code: 'StoreUnavailable' }
  | { readonly code: 'StoreClosed' }
  | { readonly code: 'Compacted'; readonly revision: number };
