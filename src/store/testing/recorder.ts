/** A watch that records its batches, so that tests can wait for a revision. */
import { vi } from 'vitest';
import type { Fault } from '../../base/errors.ts';
import type { Batch, Store, StoreFault, Watch } from '../contract.ts';

export interface Recorder extends Watch {
  readonly batches: readonly Batch[];
  readonly lost: readonly Fault<StoreFault>[];
  /** Resolves when a batch of this or a later revision has come. */
  reached(revision: number): Promise<void>;
  /** Resolves with the fault that ended the watch. */
  ended(): Promise<Fault<StoreFault>>;
}

export function record(
  store: Store,
  prefix: string,
  fromRevision: number,
  onBatch?: (batch: Batch) => void,
): Recorder {
  const batches: Batch[] = [];
  const lost: Fault<StoreFault>[] = [];
  const watch = store.watch(prefix, fromRevision, {
    onBatch: (batch) => {
      batches.push(batch);
      onBatch?.(batch);
    },
    onLost: (fault) => lost.push(fault),
  });
  return {
    batches,
    lost,
    close: () => watch.close(),
    reached: (revision) =>
      eventually(() => {
        if ((batches.at(-1)?.revision ?? 0) < revision) {
          throw new Error(`revision ${revision} has not come; the last is ${batches.at(-1)?.revision}`);
        }
      }),
    ended: () =>
      eventually(() => {
        const fault = lost[0];
        if (fault === undefined) throw new Error('the watch has not ended');
        return fault;
      }),
  };
}

/** Tries until the assertion holds, and returns its result. */
export async function eventually<T>(assertion: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(assertion, { timeout: 10_000, interval: 2 });
}
