/**
 * The owner of an address in a network: nobody (no guest can have it), the network (gateways, its cloud-owned ports,
 * metadata), or the port that names it. A port names its fixed IPs, its pairs of one address, and the EUI-64
 * link-local addresses of its MACs. These are facts of single records; frequent callers keep an index.
 */
import { type Cidr, cidr, contains, isHost, lastOf, linkLocalOf } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import type { Pair, Port, Subnet } from './world.ts';

/** 169.254.169.254 and fe80::a9fe:a9fe, at which guests of every cloud ask for their metadata. */
export const metadata4: Cidr = cidr(4, 0xa9fea9fen);
export const metadata6: Cidr = cidr(6, (0xfe80n << 112n) | 0xa9fea9fen);
export const metadataAddresses: readonly Cidr[] = [metadata4, metadata6];

/** The directed broadcast of a subnet. IPv6, /31 and /32 have none. */
export function broadcastOf({ cidr: subnet }: Subnet): Cidr | null {
  return subnet.family === 6 || subnet.length > 30 ? null : cidr(4, lastOf(subnet));
}

export function macsOf(port: Port): Mac[] {
  return [...new Set([port.mac, ...port.pairs.map(({ mac }) => mac)])];
}

/** The addresses that a port names. Prefixes name none. */
export function namedAddresses(port: Port): Cidr[] {
  const single = port.pairs.map(({ ip }) => ip).filter(isHost);
  return [...port.fixedIps, ...single, ...macsOf(port).map(linkLocalOf)];
}

export const gatewaysOf = (subnets: Iterable<Subnet>): Cidr[] =>
  [...subnets].flatMap(({ gateway }) => gateway ?? []);

/**
 * The addresses of a network that no allowed pair may claim, unless the network allows reserved pairs. A port may use
 * such an address as its own fixed IP.
 */
export function reservedAddresses(subnets: Iterable<Subnet>, services: Iterable<Port>): Cidr[] {
  return [...gatewaysOf(subnets), ...[...services].flatMap(namedAddresses), ...metadataAddresses];
}

/** Whether a fixed IP or a pair gives a port the address with the MAC. */
export function mayUse(port: Port, { address, mac }: { readonly address: Cidr; readonly mac: Mac }): boolean {
  const gives = (pair: Pair): boolean => pair.mac === mac && contains(pair.ip, address);
  return port.pairs.some(gives) || port.fixedIps.some((ip) => gives({ mac: port.mac, ip }));
}
