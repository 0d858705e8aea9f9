/**
 * Addresses of one class as few blocks. Exact: a block covers its members and nothing else, so what is asked of
 * the table that they stand in never depends on what was merged. Pure and without history: the same addresses
 * give the same blocks in whatever order they came.
 */
import { type Cidr, isHost, widthOf } from '../../../net/cidr.ts';

/** Addresses are merged within aligned buckets of 2^8, so that one that leaves splits a handful of blocks. */
const bucketBits = 8;
/** A bucket is never one block: a prefix of its size may stand there by itself. */
const maxBlockSize = 2 ** (bucketBits - 1);

interface Classed {
  readonly address: Cidr;
  readonly name: string;
}

/** Where an address is merged with its neighbours; a prefix as wide as a bucket or wider is its own. */
export function bucketOf(address: Cidr): string {
  const { family, bits, length } = address;
  if (length <= widthOf(address.family) - bucketBits) return `${family}|${bits}/${length}`;
  return `${family}|${bits >> BigInt(bucketBits)}`;
}

/**
 * The blocks of one bucket. Where a prefix stands among the addresses nothing is merged: a block wider than the
 * prefix would lose its own members to it.
 */
export function blocksOf<C extends Classed>(entries: Iterable<C>): C[] {
  const all = [...entries];
  if (all.length < 2 || !all.every(({ address }) => isHost(address))) return all;
  const byName = new Map<string, Map<number, C>>();
  for (const entry of all) {
    const offset = Number(entry.address.bits & BigInt(2 ** bucketBits - 1));
    const members = byName.get(entry.name);
    if (members === undefined) byName.set(entry.name, new Map([[offset, entry]]));
    else members.set(offset, entry);
  }
  return [...byName.values()].flatMap(merged);
}

function merged<C extends Classed>(members: ReadonlyMap<number, C>): C[] {
  const blocks: C[] = [];
  for (let offset = 0; offset < 2 ** bucketBits; ) {
    const first = members.get(offset);
    if (first === undefined) {
      offset++;
      continue;
    }
    let size = 1;
    while (size < maxBlockSize && offset % (size * 2) === 0 && isFull(members, offset + size, size))
      size *= 2;
    const { address } = first;
    const length = widthOf(address.family) - Math.log2(size);
    blocks.push(size === 1 ? first : { ...first, address: { ...address, length } });
    offset += size;
  }
  return blocks;
}

function isFull(members: ReadonlyMap<number, unknown>, from: number, size: number): boolean {
  for (let offset = from; offset < from + size; offset++) if (!members.has(offset)) return false;
  return true;
}
