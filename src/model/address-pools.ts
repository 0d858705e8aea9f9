/**
 * Arithmetic on a subnet's addresses: which are for hosts, the pools they are handed out from, the default
 * gateway, and what makes pools wrong. Knows no ports.
 */
import { type Cidr, contains, formatIp, lastOf, parseIp, widthOf } from '../net/cidr.ts';
import { refuse } from './faults.ts';

export interface AddressPool {
  readonly start: string;
  readonly end: string;
}

interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

/**
 * Addresses that a host may have. IPv4's network and broadcast address are not (except in /31 and /32, RFC 3021);
 * nor is IPv6's first, which belongs to all routers (RFC 4291 2.6.1).
 */
export function hostRange(prefix: Cidr): Range {
  const last = lastOf(prefix);
  if (prefix.length >= widthOf(prefix.family) - 1) return { first: prefix.bits, last };
  return { first: prefix.bits + 1n, last: prefix.family === 4 ? last - 1n : last };
}

export function isHostAddress(prefix: Cidr, address: Cidr): boolean {
  if (!contains(prefix, address)) return false;
  const { first, last } = hostRange(prefix);
  return address.bits >= first && address.bits <= last;
}

/** The first address for hosts. */
export function defaultGateway(prefix: Cidr): string {
  return formatIp(prefix.family, hostRange(prefix).first);
}

/** All host addresses but the gateway. */
export function defaultPools(prefix: Cidr, gateway: string | null): AddressPool[] {
  const { first, last } = hostRange(prefix);
  const hole = gateway === null ? null : (parseIp(gateway)?.bits ?? null);
  const ranges: Range[] =
    hole === null || hole < first || hole > last
      ? [{ first, last }]
      : [
          { first, last: hole - 1n },
          { first: hole + 1n, last },
        ];
  return ranges
    .filter((range) => range.first <= range.last)
    .map((range) => ({
      start: formatIp(prefix.family, range.first),
      end: formatIp(prefix.family, range.last),
    }));
}

const poolText = (pool: AddressPool): string => `${pool.start}-${pool.end}`;

/** The pool's ends as numbers; null when a text is not an address. */
export function poolRange(pool: AddressPool): Range | null {
  const start = parseIp(pool.start);
  const end = parseIp(pool.end);
  return start === null || end === null ? null : { first: start.bits, last: end.bits };
}

/** Refuses pools that are upside down, of another family, outside the subnet or overlapping. */
export function checkPools(pools: readonly AddressPool[], prefix: Cidr, cidrText: string): void {
  const ranges: (Range & { readonly pool: AddressPool })[] = [];
  const hosts = hostRange(prefix);
  for (const pool of pools) {
    const range = poolRange(pool);
    const sameFamily = [pool.start, pool.end].every((end) => parseIp(end)?.family === prefix.family);
    if (range === null || !sameFamily || range.last < range.first) {
      refuse({ code: 'InvalidAllocationPool', pool: poolText(pool) });
    }
    if (range.first < hosts.first || range.last > hosts.last) {
      refuse({ code: 'OutOfBoundsAllocationPool', pool: poolText(pool), cidr: cidrText });
    }
    const other = ranges.find((seen) => range.first <= seen.last && seen.first <= range.last);
    if (other !== undefined) {
      refuse({
        code: 'OverlappingAllocationPools',
        first: poolText(other.pool),
        second: poolText(pool),
        cidr: cidrText,
      });
    }
    ranges.push({ ...range, pool });
  }
}

export function checkGatewayOutsidePools(gateway: string, pools: readonly AddressPool[]): void {
  const bits = parseIp(gateway)?.bits;
  for (const pool of pools) {
    const range = poolRange(pool);
    if (bits !== undefined && range !== null && bits >= range.first && bits <= range.last) {
      refuse({ code: 'GatewayConflictWithAllocationPools', gateway, pool: poolText(pool) });
    }
  }
}
