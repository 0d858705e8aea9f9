/**
 * Whose an address of a network is: nobody's (what no guest can have), the network's own (gateways, its services'
 * addresses, metadata), or a port's that names it. An address is a port's by name as fixed IP, as a pair of one address,
 * and as the EUI-64 link-local form of one of its MACs. Facts of single records; whoever asks often keeps an index.
 */
import { type Cidr, cidr, isHost, lastOf, linkLocalOf, parseIp } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import type { Port, Subnet } from './world.ts';

/** Where guests of every cloud ask for their metadata. */
export const metadataAddresses: readonly Cidr[] = ['169.254.169.254', 'fe80::a9fe:a9fe']
  .map(parseIp)
  .filter((ip): ip is Cidr => ip !== null);

/** Directed broadcast of a subnet; IPv6, /31 and /32 have none. */
export function broadcastOf({ cidr: subnet }: Subnet): Cidr | null {
  return subnet.family === 6 || subnet.length > 30 ? null : cidr(4, lastOf(subnet));
}

export function macsOf(port: Port): Mac[] {
  return [...new Set([port.mac, ...port.pairs.map(({ mac }) => mac)])];
}

/** The addresses that are a port's by name. Prefixes name nothing. */
export function namedAddresses(port: Port): Cidr[] {
  const single = port.pairs.map(({ ip }) => ip).filter(isHost);
  return [...port.fixedIps, ...single, ...macsOf(port).map(linkLocalOf)];
}

export const gatewaysOf = (subnets: Iterable<Subnet>): Cidr[] =>
  [...subnets].flatMap(({ gateway }) => gateway ?? []);

/**
 * The addresses of a network that no allowed pair may claim unless the network's owner lends them. A guest that holds
 * one as a fixed IP of its own has been given it and may use it.
 */
export function reservedAddresses(subnets: Iterable<Subnet>, services: Iterable<Port>): Cidr[] {
  return [...gatewaysOf(subnets), ...[...services].flatMap(namedAddresses), ...metadataAddresses];
}
