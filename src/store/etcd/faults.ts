/** Faults of calls to etcd as faults of the store. */
import { status } from '@grpc/grpc-js';
import { Fault } from '../../base/errors.ts';
import type { StoreFault } from '../contract.ts';
import type { CallFault } from './connection.ts';

export function unavailable(message: string, cause?: unknown, isRefusal = false): Fault<StoreFault> {
  const data = { code: 'StoreUnavailable', ...(isRefusal ? { isRefusal } : {}) } as const;
  return new Fault<StoreFault>(data, message, cause);
}

export function isCallFault(error: unknown): error is Fault<CallFault> {
  return error instanceof Fault && (error.name === 'CallUnknown' || error.name === 'CallRefused');
}

/** A lease that etcd does not know. */
export function isLeaseGone(error: unknown): boolean {
  return isCallFault(error) && error.data.code === 'CallRefused' && error.data.status === status.NOT_FOUND;
}

export function asStoreFault(error: unknown): unknown {
  if (!isCallFault(error)) return error;
  if (isLeaseGone(error)) return new Fault<StoreFault>({ code: 'LeaseLost' }, error.message, error);
  return unavailable(`etcd: ${error.message}`, error);
}
