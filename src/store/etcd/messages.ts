/** The messages of etcd's API (`rpc.proto`, version 3) that the store uses. The numbers are those of etcd's protocol. */
import { Fields, ProtoMessage } from './protobuf.ts';

export const methods = {
  range: '/etcdserverpb.KV/Range',
  txn: '/etcdserverpb.KV/Txn',
  compact: '/etcdserverpb.KV/Compact',
  watch: '/etcdserverpb.Watch/Watch',
  leaseGrant: '/etcdserverpb.Lease/LeaseGrant',
  leaseRevoke: '/etcdserverpb.Lease/LeaseRevoke',
  leaseKeepAlive: '/etcdserverpb.Lease/LeaseKeepAlive',
  authenticate: '/etcdserverpb.Auth/Authenticate',
} as const;

/** From `key` up to `end`, which is not included; without an end the key alone. */
export interface KeyRange {
  readonly key: Buffer;
  readonly end?: Buffer;
}

export interface RangeOptions {
  readonly revision?: number;
  readonly limit?: number;
  readonly keysOnly?: boolean;
  /** The key that was written last comes first. */
  readonly latestFirst?: boolean;
}

const descending = 2;
const byModRevision = 3;

export const rangeRequest = ({ key, end }: KeyRange, options: RangeOptions = {}): ProtoMessage =>
  new ProtoMessage()
    .bytes(1, key)
    .bytes(2, end ?? '')
    .int(3, options.limit ?? 0)
    .int(4, options.revision ?? 0)
    .int(5, options.latestFirst === true ? descending : 0)
    .int(6, options.latestFirst === true ? byModRevision : 0)
    .bool(8, options.keysOnly ?? false);

export interface KeyValue {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  /** 0 for none. */
  readonly lease: number;
}

const keyValueOf = (fields: Fields): KeyValue => ({
  key: fields.text(1),
  createRevision: fields.int(2),
  modRevision: fields.int(3),
  value: fields.text(5),
  lease: fields.int(6),
});

export interface RangeResponse {
  readonly revision: number;
  readonly entries: readonly KeyValue[];
  readonly more: boolean;
}

const revisionIn = (fields: Fields): number => fields.message(1)?.int(3) ?? 0;

export const rangeResponse = (fields: Fields): RangeResponse => ({
  revision: revisionIn(fields),
  entries: fields.messages(2).map(keyValueOf),
  more: fields.bool(3),
});

const equal = 0;
const greater = 1;
const less = 2;
const versionTarget = 0;
const modTarget = 2;
const valueTarget = 3;

export const keyIsAbsent = (key: Buffer): ProtoMessage =>
  new ProtoMessage().int(1, equal).int(2, versionTarget).bytes(3, key).int(4, 0);
export const keyIsPresent = (key: Buffer): ProtoMessage =>
  new ProtoMessage().int(1, greater).int(2, versionTarget).bytes(3, key).int(4, 0);
/** Of a key that is not there the revision is 0. */
export const keyIsAt = (key: Buffer, revision: number): ProtoMessage =>
  new ProtoMessage().int(1, equal).int(2, modTarget).bytes(3, key).int(6, revision);
export const rangeIsQuiet = ({ key, end }: KeyRange, revision: number): ProtoMessage =>
  new ProtoMessage()
    .int(1, less)
    .int(2, modTarget)
    .bytes(3, key)
    .int(6, revision + 1)
    .bytes(64, end ?? '');
export const valueIs = (key: Buffer, value: Buffer): ProtoMessage =>
  new ProtoMessage().int(1, equal).int(2, valueTarget).bytes(3, key).bytes(7, value);

export const rangeOperation = (range: KeyRange, options?: RangeOptions): ProtoMessage =>
  new ProtoMessage().message(1, rangeRequest(range, options));
export const putOperation = (key: Buffer, value: string, lease = 0): ProtoMessage =>
  new ProtoMessage().message(2, new ProtoMessage().bytes(1, key).bytes(2, value).int(3, lease));
export const deleteOperation = (key: Buffer): ProtoMessage =>
  new ProtoMessage().message(3, new ProtoMessage().bytes(1, key));

export interface TxnParts {
  readonly compares: readonly ProtoMessage[];
  readonly success: readonly ProtoMessage[];
  readonly failure: readonly ProtoMessage[];
}

export function txnRequest({ compares, success, failure }: TxnParts): ProtoMessage {
  const request = new ProtoMessage();
  for (const compare of compares) request.message(1, compare);
  for (const operation of success) request.message(2, operation);
  for (const operation of failure) request.message(3, operation);
  return request;
}

export interface TxnResponse {
  readonly revision: number;
  readonly succeeded: boolean;
  /** The answers to range operations; null for other operations. */
  readonly ranges: readonly (RangeResponse | null)[];
}

export const txnResponse = (fields: Fields): TxnResponse => ({
  revision: revisionIn(fields),
  succeeded: fields.bool(2),
  ranges: fields.messages(3).map((operation) => {
    const range = operation.message(1);
    return range === null ? null : rangeResponse(range);
  }),
});

/** A revision's events may come in fragments where they exceed etcd's limit of a message. */
export const watchCreate = (id: number, { key, end }: KeyRange, startRevision: number): ProtoMessage =>
  new ProtoMessage().message(
    1,
    new ProtoMessage()
      .bytes(1, key)
      .bytes(2, end ?? '')
      .int(3, startRevision)
      .int(7, id)
      .bool(8, true),
  );
export const watchCancel = (id: number): ProtoMessage =>
  new ProtoMessage().message(2, new ProtoMessage().int(1, id));

export interface WatchResponse {
  readonly revision: number;
  readonly id: number;
  readonly created: boolean;
  readonly canceled: boolean;
  /** Not 0 where the watch begins before history does. */
  readonly compactRevision: number;
  readonly reason: string;
  readonly fragment: boolean;
  readonly events: readonly { readonly isDelete: boolean; readonly entry: KeyValue }[];
}

export const watchResponse = (fields: Fields): WatchResponse => ({
  revision: revisionIn(fields),
  id: fields.int(2),
  created: fields.bool(3),
  canceled: fields.bool(4),
  compactRevision: fields.int(5),
  reason: fields.text(6),
  fragment: fields.bool(7),
  events: fields.messages(11).map((event) => ({
    isDelete: event.int(1) === 1,
    entry: keyValueOf(event.message(2) ?? new Fields(Buffer.alloc(0))),
  })),
});

export const leaseGrantRequest = (id: number, seconds: number): ProtoMessage =>
  new ProtoMessage().int(1, seconds).int(2, id);
export const leaseRequest = (id: number): ProtoMessage => new ProtoMessage().int(1, id);
/** Seconds that the lease has; 0 for one that has ended. */
export const keepAliveSeconds = (fields: Fields): number => fields.int(3);

export const authenticateRequest = (user: string, password: string): ProtoMessage =>
  new ProtoMessage().bytes(1, user).bytes(2, password);
export const tokenIn = (fields: Fields): string => fields.text(2);

export const compactRequest = (revision: number): ProtoMessage => new ProtoMessage().int(1, revision);
