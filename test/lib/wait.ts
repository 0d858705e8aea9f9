/** Waiting for a condition, in place of sleeping for luck. */
import { setTimeout as sleep } from 'node:timers/promises';
import { reasonOf } from '../../src/base/errors.ts';

/**
 * By how much this machine is slower than those that timeouts are meant for; 1 unless PORTCULLIS_TEST_SLOW says more.
 * Tests wait for the same conditions, only longer.
 */
export const slowness = Math.max(1, Number(process.env.PORTCULLIS_TEST_SLOW ?? 1) || 1);

export interface UntilOptions {
  /** Milliseconds on an ordinary machine; 10000. */
  readonly timeout?: number;
  /** What is waited for, for the message of the failure. */
  readonly what?: string;
  /** Milliseconds between looks; 5. At 0 a predicate that waits for input is its own pace. */
  readonly interval?: number;
}

/**
 * Resolves with the predicate's first truthy value. A predicate that throws has not come true yet; the last
 * error is the cause of the failure when time runs out.
 */
export async function until<T>(
  predicate: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const { what = String(predicate), interval = 5 } = options;
  const timeout = (options.timeout ?? 10_000) * slowness;
  const deadline = performance.now() + timeout;
  for (;;) {
    let last: unknown;
    try {
      const value = await predicate();
      if (value) return value as NonNullable<Exclude<T, false>>;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= deadline) {
      const because = last === undefined ? '' : ` (${reasonOf(last)})`;
      throw new Error(`not in ${timeout} ms: ${what}${because}`, { cause: last });
    }
    if (interval > 0) await sleep(interval);
  }
}
