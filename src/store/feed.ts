/**
 * Keeps a reader equal to some prefixes of the store.
 *
 * Idea: the feed lists the prefixes, then watches. It lists again when the watch is lost: history was
 * compacted, or the store was away. It watches the longest common prefix and filters, so a revision that
 * touches several prefixes arrives as one batch.
 *
 * Rejected for now: one watch a prefix. A remote store will need it, to keep unwanted keys off the network.
 * It passes a revision on once every watch has reached it, and lists all ranges in one transaction.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Backoff } from '../base/backoff.ts';
import { Fault } from '../base/errors.ts';
import type { Batch, Snapshot, Store, StoreFault } from './contract.ts';

export interface FeedOptions {
  /** Everything under the prefixes: the reader drops what it had. Called first, and after each loss. */
  onReset(snapshot: Snapshot): void;
  /** The changes of one revision under the prefixes; never empty, never re-entrant. */
  onBatch(batch: Batch): void;
  /** Why the feed has to list again; for the log. An error thrown by a handler is reported here too. */
  onTrouble?(error: unknown): void;
  /** Ends the feed; no handler is called afterwards. */
  readonly signal: AbortSignal;
}

/** Resolves when the signal is aborted or the store is closed; never rejects. */
export async function follow(store: Store, prefixes: readonly string[], options: FeedOptions): Promise<void> {
  const { signal } = options;
  const wanted = (key: string): boolean => prefixes.some((prefix) => key.startsWith(prefix));
  const common = commonPrefix(prefixes);
  const backoff = new Backoff();
  while (!signal.aborted) {
    try {
      const { revision, entries } = await store.range(common);
      if (signal.aborted) return;
      options.onReset({ revision, entries: entries.filter((entry) => wanted(entry.key)) });
      await watchUntilLost(store, common, revision + 1, signal, (batch) => {
        const events = batch.events.filter((e) => wanted(e.type === 'put' ? e.entry.key : e.key));
        if (events.length > 0) options.onBatch({ revision: batch.revision, events });
        backoff.reset();
      });
    } catch (error) {
      if (signal.aborted || isClosed(error)) return;
      options.onTrouble?.(error);
      await pause(backoff.next(), signal);
    }
  }
}

/** Resolves at the abort; rejects with the fault that ended the watch. */
async function watchUntilLost(
  store: Store,
  prefix: string,
  fromRevision: number,
  signal: AbortSignal,
  onBatch: (batch: Batch) => void,
): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      watch.close();
      resolve();
    };
    const watch = store.watch(prefix, fromRevision, {
      onBatch,
      onLost: (fault) => {
        signal.removeEventListener('abort', stop);
        reject(fault);
      },
    });
    signal.addEventListener('abort', stop, { once: true });
  });
}

/** Waits so many milliseconds, or until the abort. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(milliseconds, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function isClosed(error: unknown): boolean {
  return error instanceof Fault && (error as Fault<StoreFault>).data.code === 'StoreClosed';
}

/** The longest text that every prefix begins with. */
function commonPrefix(prefixes: readonly string[]): string {
  let common = prefixes[0] ?? '';
  for (const prefix of prefixes) while (!prefix.startsWith(common)) common = common.slice(0, -1);
  return common;
}
