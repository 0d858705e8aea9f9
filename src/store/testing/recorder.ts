/** A subscription that records what it hears, so that tests can wait for a revision. */
import { vi } from 'vitest';
import type { Batch, Entry, Snapshot, Store, Subscription } from '../contract.ts';
import { isUnder } from '../prefixes.ts';

export interface Recorder extends Subscription {
  readonly snapshots: readonly (Snapshot & { readonly prefixes: readonly string[] })[];
  readonly batches: readonly Batch[];
  readonly troubles: readonly unknown[];
  /** What a reader holds that keeps all that it hears. */
  readonly view: ReadonlyMap<string, Entry>;
  /** Resolves once everything up to the revision has come. */
  reached(revision: number): Promise<void>;
  /** Resolves once the first snapshot has come. */
  listed(): Promise<Recorder>;
}

export function record(
  store: Store,
  prefixes: readonly string[],
  handle: { readonly onSnapshot?: () => void; readonly onBatch?: (batch: Batch) => void } = {},
): Recorder {
  const snapshots: (Snapshot & { readonly prefixes: readonly string[] })[] = [];
  const batches: Batch[] = [];
  const troubles: unknown[] = [];
  const view = new Map<string, Entry>();
  const subscription = store.subscribe(prefixes, {
    onSnapshot: (snapshot, listed) => {
      snapshots.push({ ...snapshot, prefixes: listed });
      for (const key of view.keys()) if (listed.some((prefix) => isUnder(prefix, key))) view.delete(key);
      for (const entry of snapshot.entries) view.set(entry.key, entry);
      handle.onSnapshot?.();
    },
    onBatch: (batch) => {
      batches.push(batch);
      for (const event of batch.events) {
        if (event.type === 'put') view.set(event.entry.key, event.entry);
        else view.delete(event.key);
      }
      handle.onBatch?.(batch);
    },
    onTrouble: (error) => troubles.push(error),
  });
  const recorder: Recorder = {
    snapshots,
    batches,
    troubles,
    view,
    get revision() {
      return subscription.revision;
    },
    add: (more) => subscription.add(more),
    remove: (fewer) => subscription.remove(fewer),
    caughtUp: () => subscription.caughtUp(),
    close: () => subscription.close(),
    reached: (revision) =>
      eventually(() => {
        if (subscription.revision < revision)
          throw new Error(`revision ${revision} has not come; the last is ${subscription.revision}`);
      }),
    listed: async () => {
      await eventually(() => {
        if (snapshots.length === 0) throw new Error('no snapshot has come');
      });
      return recorder;
    },
  };
  return recorder;
}

/** Tries until the assertion holds, and returns its result. */
export async function eventually<T>(assertion: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(assertion, { timeout: 10_000, interval: 2 });
}
