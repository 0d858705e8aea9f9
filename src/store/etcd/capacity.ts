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

/** The wanted capacity, or the default one for what etcd refuses. `key` may be read. Throws `CallFault`. */
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
  const compares = Array.from({ length: wanted.operations }, () => keyIsAbsent(key));
  const hasOperations = await accepts(txnRequest({ compares, success: [], failure: [] }));
  const frame = 64 + key.length;
  const large = valueIs(key, Buffer.alloc(wanted.bytes + grpcOverhead - frame));
  const hasBytes = await accepts(txnRequest({ compares: [large], success: [], failure: [] }));
  return {
    operations: hasOperations ? wanted.operations : leastCapacity.operations,
    bytes: hasBytes ? wanted.bytes : leastCapacity.bytes,
  };
}
