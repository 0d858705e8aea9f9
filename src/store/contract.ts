/**
 * The promises of every store. The contract's tests in `testing/` check each store against them:
 *
 * - Keys are `/`-separated text, ordered by code unit. Values are text (JSON by convention).
 * - A prefix ends where a part ends: `ports/1` has `ports/1` and `ports/1/x` under it, not `ports/12`. `ports/1/` has
 *   `ports/1/x`. The empty prefix has everything (`prefixes.ts`).
 * - One transaction is one revision. Revisions grow by at least 1 and are never reused, also over restarts.
 * - A transaction whose promise resolved survives kill -9. No reader sees it before that. A key with a lease is the
 *   exception: it survives no longer than its lease.
 * - A rejected `txn` (`StoreUnavailable`) may have been made where the store is another process that does not answer.
 *   Wherever the store can find out, it does so before it answers.
 *
 * Invariant: nothing here assumes that reader and writer share a process, or compares two machines' clocks.
 */

export interface Entry {
  readonly key: string;
  readonly value: string;
  /** Revision of the transaction that wrote it last. */
  readonly modRevision: number;
  /** Revision of the transaction that created it. */
  readonly createRevision: number;
  /** Id of the lease with which the entry ends. */
  readonly lease?: string;
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

/** A put without a lease frees the key from the lease that it had. */
export type Write =
  | { readonly op: 'put'; readonly key: string; readonly value: string; readonly lease?: Lease }
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
  /** All entries are as of this revision, in the order of their keys, each once. */
  readonly revision: number;
  readonly entries: readonly Entry[];
}

/**
 * What a subscription calls: never before `subscribe` has returned, never re-entrantly, in the order of revisions, and
 * never after `close`. A handler that throws gets `onTrouble`, and then everything again as after a loss.
 */
export interface Subscriber {
  /**
   * All that is under `prefixes`: the reader forgets what else it had there. It comes once for the first prefixes,
   * once for each `add`, and for all prefixes after a loss. Every earlier batch of the other prefixes has been
   * delivered, and every later batch includes the changes under `prefixes`.
   */
  onSnapshot(snapshot: Snapshot, prefixes: readonly string[]): void;
  /** All changes that one revision made under all prefixes: never a part of them, never none. */
  onBatch(batch: Batch): void;
  /**
   * The store was away, the history was compacted, or a handler failed. The subscription retries by itself, with
   * growing pauses. It calls `onSnapshot` for all prefixes where a batch may have been missed.
   */
  onTrouble?(error: unknown): void;
}

export interface Subscription {
  /** Everything under the prefixes up to this revision has been delivered; 0 before the first snapshot. */
  readonly revision: number;
  /** Follows these prefixes too, from a snapshot on. Those that are followed already are ignored. */
  add(prefixes: readonly string[]): void;
  /** No change under these prefixes is delivered after the call, unless another followed prefix covers them. */
  remove(prefixes: readonly string[]): void;
  /**
   * A barrier. Resolves with a revision that is not below the store's at the call, once everything up to it is delivered.
   * A slow reader or network only delays it. It waits while the store is away; rejects when the subscription or the store
   * is closed.
   */
  caughtUp(): Promise<number>;
  close(): void;
}

/**
 * A sign of life: the store ends it when its process no longer keeps it alive, by the store's clock alone. The keys that
 * were put with it then vanish in one transaction. The store object keeps it alive until `revoke`, `abandon` or `close`.
 * In the embedded store no lease outlives the process.
 *
 * Where readers follow several prefixes, the end of a lease is delivered once, but perhaps after later transactions.
 */
export interface Lease {
  readonly id: string;
  /** Resolves once the lease has ended, or could not be kept alive for its time. Not after `revoke` or `close`. */
  readonly lost: Promise<void>;
  /** Ends it at once, with its keys. */
  revoke(): Promise<void>;
  /** Keeps it alive no longer, as if the process had died. */
  abandon(): void;
}

/** What one transaction may have at most. `txn` refuses more with `TransactionTooLarge` before anything is written. */
export interface Limits {
  /** Conditions, and likewise writes. */
  readonly operations: number;
  /** Bytes of keys and values, in UTF-8. */
  readonly bytes: number;
}

export interface Store {
  readonly limits: Limits;
  /**
   * Resolves when the store has another history than this process has seen, as after the restore of an older copy. The
   * store then refuses all calls, and everything begins again with a new one. Absent where it cannot happen.
   */
  readonly replaced?: Promise<void>;
  /** The present revision: not below that of any transaction that was acknowledged, to anybody, before the call. */
  revision(): Promise<number>;
  get(key: string): Promise<Entry | null>;
  snapshot(prefixes: readonly string[]): Promise<Snapshot>;
  /**
   * An empty `writes` only tests the conditions. A transaction may write one key once. Throws `LeaseLost` when a lease
   * has ended.
   */
  txn(conditions: readonly Condition[], writes: readonly Write[]): Promise<TxnResult>;
  subscribe(prefixes: readonly string[], reader: Subscriber): Subscription;
  /** `ttl` in milliseconds; a store may round it up to seconds. */
  lease(ttl: number): Promise<Lease>;
  close(): Promise<void>;
}

export type StoreFault =
  | { readonly code: 'StoreLocked'; readonly path: string; readonly holder: string }
  | { readonly code: 'StoreCorrupt'; readonly path: string }
  /** `isRefusal`: it answers and refuses this process, so trying again is of no use. */
  | { readonly code: 'StoreUnavailable'; readonly isRefusal?: boolean }
  | { readonly code: 'StoreClosed' }
  | { readonly code: 'LeaseLost' }
  | { readonly code: 'TransactionTooLarge'; readonly limits: Limits };
