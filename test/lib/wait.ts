/** Waits for a condition, where a fixed sleep would be unreliable. */
import { setTimeout as sleep } from 'node:timers/promises';
import { reasonOf } from '../../src/base/errors.ts';

/**
 * How much slower this machine is than the timeouts assume: 1, or the value of PORTCULLIS_TEST_SLOW. Tests
 * wait for the same conditions, only longer.
 */
export const slowness = Math.max(1, Number(process.env.PORTCULLIS_TEST_SLOW ?? 1) || 1);

export interface UntilOptions {
  /** Milliseconds on an ordinary machine; 10000. */
  readonly timeout?: number;
  /** The condition's name, for the message of the failure. */
  readonly what?: string;
  /** Milliseconds between checks; 5. 0 is for a predicate that itself waits for input. */
  readonly interval?: number;
}

/**
 * Resolves with the predicate's first truthy value. A predicate that throws counts as not yet true. Its last
 * error becomes the cause of a timeout.
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
      throw new Error(`not within ${timeout} ms: ${what}${because}`, { cause: last });
    }
    if (interval > 0) await sleep(interval);
  }
}
