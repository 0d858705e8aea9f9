/**
 * How large a transaction may be. etcd does not tell with what limits it was started, so they are tried with
 * transactions that read one key and write nothing. etcd's `--max-request-bytes` is seen by gRPC's own limit, which is
 * 512 KiB above it.
 */
import { status } from '@grpc/grpc-js';
import type { EtcdConnection } from './connection.ts';
import { isCallFault } from './faults.ts';
import { keyIsAbsent, methods, txnRequest, valueIs } from './messages.ts';

export interface EtcdCapacity {
  /** etcd's `--max-txn-ops`. */
  readonly operations: number;
  /** etcd's `--max-request-bytes`. */
  readonly bytes: number;
}

/** What docs/operations.md tells operators to start etcd with. */
export const wantedCapacity: EtcdCapacity = { operations: 16_384, bytes: 4 * 1024 * 1024 };
/** etcd's defaults. */
export const leastCapacity: EtcdCapacity = { operations: 128, bytes: 1.5 * 1024 * 1024 };

const grpcOverhead = 512 * 1024;

/** The wanted capacity; for what etcd refuses, a half, a quarter and so on. `key` may be read. Throws `CallFault`. */
export async function findCapacity(
  connection: EtcdConnection,
  key: Buffer,
  wanted: EtcdCapacity,
  timeout: number,
): Promise<EtcdCapacity> {
  const accepts = async (request: ReturnType<typeof txnRequest>): Promise<boolean> => {
    try {
      await connection.ask(methods.txn, request, timeout);
      return true;
    } catch (error) {
      const data = isCallFault(error) ? error.data : null;
      const isRefusal =
        data?.code === 'CallRefused' &&
        (data.status === status.INVALID_ARGUMENT || data.status === status.RESOURCE_EXHAUSTED);
      if (isRefusal) return false;
      throw error;
    }
  };
  const acceptsOperations = (count: number): Promise<boolean> => {
    const compares = Array.from({ length: count }, () => keyIsAbsent(key));
    return accepts(txnRequest({ compares, success: [], failure: [] }));
  };
  const frame = 64 + key.length;
  const acceptsBytes = (bytes: number): Promise<boolean> => {
    const large = valueIs(key, Buffer.alloc(bytes + grpcOverhead - frame));
    return accepts(txnRequest({ compares: [large], success: [], failure: [] }));
  };
  return {
    operations: await largest(wanted.operations, leastCapacity.operations, acceptsOperations),
    bytes: await largest(wanted.bytes, leastCapacity.bytes, acceptsBytes),
  };
}

/** The first accepted number of `wanted` and its halves; `least`, untried, where none above it is accepted. */
async function largest(
  wanted: number,
  least: number,
  isAccepted: (tried: number) => Promise<boolean>,
): Promise<number> {
  for (let tried = wanted; tried > least; tried = Math.floor(tried / 2))
    if (await isAccepted(tried)) return tried;
  return least;
}
