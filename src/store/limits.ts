/** Refuses a transaction that exceeds a store's limits, or that no store could hold. Must be called before any write. */
import { bug, Fault } from '../base/errors.ts';
import type { Condition, Limits, StoreFault, Write } from './contract.ts';

/** Bytes of a key in UTF-8, below the limit that lmdb's page size sets. */
const maxKeyBytes = 1024;

/** A lone surrogate: UTF-8 cannot hold it, so two such keys would become one on disk. */
const loneSurrogate = /\p{Surrogate}/u;

export const noLimits: Limits = { operations: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };

/** A key that no store could hold, or a key written twice, is the caller's mistake. */
export function refuseUnwritable(writes: readonly Write[]): void {
  const seen = new Set<string>();
  for (const { key } of writes) {
    if (key === '' || Buffer.byteLength(key) > maxKeyBytes || loneSurrogate.test(key)) {
      bug(`'${key.slice(0, 80)}' cannot be a key: 1 to ${maxKeyBytes} bytes of well-formed text`);
    }
    if (seen.has(key)) bug(`'${key}' is written twice in one transaction`);
    seen.add(key);
  }
}

/** Throws `TransactionTooLarge`. */
export function refuseTooLarge(
  limits: Limits,
  conditions: readonly Condition[],
  writes: readonly Write[],
): void {
  const operations = Math.max(conditions.length, writes.length);
  if (operations > limits.operations)
    refuse(limits, `${operations} operations are more than ${limits.operations}`);
  if (limits.bytes === Number.POSITIVE_INFINITY) return;
  const bytes = bytesOf(conditions, writes);
  if (bytes > limits.bytes) refuse(limits, `${bytes} bytes are more than ${limits.bytes}`);
}

function bytesOf(conditions: readonly Condition[], writes: readonly Write[]): number {
  let bytes = 0;
  for (const condition of conditions)
    bytes += Buffer.byteLength(condition.is === 'quiet' ? condition.prefix : condition.key);
  for (const write of writes) {
    bytes += Buffer.byteLength(write.key);
    if (write.op === 'put') bytes += Buffer.byteLength(write.value);
  }
  return bytes;
}

function refuse(limits: Limits, problem: string): never {
  throw new Fault<StoreFault>(
    { code: 'TransactionTooLarge', limits },
    `the transaction is too large for the store: ${problem}`,
  );
}
