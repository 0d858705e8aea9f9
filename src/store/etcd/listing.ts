/** Reads all keys under some prefixes as of one revision, in parts that etcd and gRPC carry easily. */
import type { Entry, Snapshot } from '../contract.ts';
import { PrefixSet } from '../prefixes.ts';
import {
  type KeyRange,
  type KeyValue,
  rangeOperation,
  type TxnResponse,
  txnRequest,
  txnResponse,
} from './messages.ts';
import type { Fields, ProtoMessage } from './protobuf.ts';
import type { Places } from './scopes.ts';

/** Entries of one range in one answer, and ranges in one question. */
const maxEntries = 5000;
const maxRanges = 60;

/** `ask` makes a transaction. Throws what it throws, also where history is compacted meanwhile. */
export async function listAt(
  places: Places,
  ask: (request: ProtoMessage) => Promise<Fields>,
  prefixes: readonly string[],
): Promise<Snapshot> {
  const wanted = new PrefixSet(prefixes);
  // What another prefix covers would be read twice.
  const outer = wanted.all.filter((prefix) => !coveredByOther(wanted, prefix));
  let left: readonly KeyRange[] = outer.flatMap((prefix) => places.under(prefix));
  let revision = 0;
  const found = new Map<string, Entry>();
  do {
    const ranges = left.slice(0, maxRanges);
    const success = ranges.map((range) => rangeOperation(range, { revision, limit: maxEntries }));
    const answer: TxnResponse = txnResponse(await ask(txnRequest({ compares: [], success, failure: [] })));
    if (revision === 0) revision = answer.revision;
    const rest: KeyRange[] = [];
    for (const [i, range] of ranges.entries()) {
      const { entries = [], more = false } = answer.ranges[i] ?? {};
      for (const entry of entries) found.set(entry.key, entryOf(places, entry));
      const last = entries.at(-1);
      if (more && last !== undefined) rest.push({ ...range, key: Buffer.from(`${last.key}\0`) });
    }
    left = [...rest, ...left.slice(maxRanges)];
  } while (left.length > 0);
  // etcd orders by bytes, the contract by code unit.
  const entries = [...found.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
  return { revision, entries };
}

export function entryOf(places: Places, { key, value, modRevision, createRevision, lease }: KeyValue): Entry {
  const entry = { key: places.keyIn(key), value, modRevision, createRevision };
  return lease === 0 ? entry : { ...entry, lease: String(lease) };
}

function coveredByOther(prefixes: PrefixSet, prefix: string): boolean {
  const others = new PrefixSet(prefixes.all.filter((other) => other !== prefix));
  return others.covers(prefix) && prefix !== '';
}
