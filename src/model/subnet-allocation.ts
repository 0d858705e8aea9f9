/**
 * Allocation of subnets from a pool: the free prefixes, the prefix of a subnet, and how much a project may have.
 * Knows no networks.
 */
import { covers, prefixesOf, rangesOf, without } from '../net/address-ranges.ts';
import { type Cidr, cidr, type Family, widthOf } from '../net/cidr.ts';
import { refuse } from './faults.ts';
import type { SubnetPoolRecord } from './records.ts';
import { unusableIn } from './subnet.ts';
import { poolRanges } from './subnet-pool.ts';

/** Quotas count prefixes of this length. */
const unitLength = { 4: 32, 6: 64 } as const;

const sizeOf = (family: Family, length: number): bigint => 1n << BigInt(widthOf(family) - length);

/** Throws when the pool cuts no subnets of this length. */
function checkLength(pool: SubnetPoolRecord, length: number): void {
  const { min_prefixlen: min, max_prefixlen: max } = pool;
  if (length > max) refuse({ code: 'MaxPrefixSubnetAllocationError', length, max });
  if (length < min) refuse({ code: 'MinPrefixSubnetAllocationError', length, min });
}

/** Throws when a project that has `held` of the pool may not have this much more. */
function checkShare(pool: SubnetPoolRecord, held: readonly Cidr[], length: number): void {
  const quota = pool.default_quota ?? 0;
  if (quota === 0) return;
  const family = pool.ip_version;
  const used = held.reduce((sum, prefix) => sum + sizeOf(family, prefix.length), sizeOf(family, length));
  if (used > BigInt(quota) * sizeOf(family, unitLength[family])) refuse({ code: 'SubnetPoolQuotaExceeded' });
}

export interface PoolUse {
  /** All that was cut from the pool. */
  readonly taken: readonly Cidr[];
  /** What of that is the project's. */
  readonly held: readonly Cidr[];
}

/** The first prefix of the length, from the smallest piece that it fits into, so that large ones last. */
export function cutAny(pool: SubnetPoolRecord, { taken, held }: PoolUse, length: number): Cidr {
  checkLength(pool, length);
  checkShare(pool, held, length);
  const family = pool.ip_version;
  const free = without(poolRanges(pool), rangesOf([...taken, ...unusableIn(family)]));
  const pieces = [...prefixesOf(family, free)].sort((a, b) => b.length - a.length);
  const piece = pieces.find((one) => one.length <= length);
  return piece === undefined
    ? refuse({
        code: 'SubnetAllocationError',
        reason: `Insufficient prefix space to allocate subnet size /${length}`,
      })
    : cidr(family, piece.bits, length);
}

/** Throws when the prefix is not to be had from the pool. */
export function cutThis(pool: SubnetPoolRecord, { taken, held }: PoolUse, prefix: Cidr): Cidr {
  checkLength(pool, prefix.length);
  checkShare(pool, held, prefix.length);
  const free = without(poolRanges(pool), rangesOf(taken));
  return prefix.family === pool.ip_version && covers(free, rangesOf([prefix]))
    ? prefix
    : refuse({
        code: 'SubnetAllocationError',
        reason: 'Cannot allocate requested subnet from the available set of prefixes',
      });
}
