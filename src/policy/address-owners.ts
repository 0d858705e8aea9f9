/**
 * Whose an address of a network is: the network's own (gateways, its services' addresses, metadata), or a port's that
 * names it. An address is a port's by name as fixed IP, as a pair of one address, and as the EUI-64 link-local form of
 * one of its MACs. Facts of single records; whoever asks often keeps an index.
 */
import { type Cidr, contains, isHost, linkLocalOf, parseIp } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import type { Port, Subnet } from './world.ts';

/** Where guests of every cloud ask for their metadata. */
export const metadataAddresses: readonly Cidr[] = ['169.254.169.254', 'fe80::a9fe:a9fe']
  .map(parseIp)
  .filter((ip): ip is Cidr => ip !== null);

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

/** Those of `reserved` that the port's pairs would cover, each once. */
export function withheldFrom(port: Port, reserved: readonly Cidr[]): Cidr[] {
  if (port.pairs.length === 0) return [];
  const given = (address: Cidr): boolean => port.fixedIps.some((ip) => contains(ip, address));
  const covered = (address: Cidr): boolean => port.pairs.some(({ ip }) => contains(ip, address));
  const withheld = reserved.filter((address) => covered(address) && !given(address));
  return [...new Map(withheld.map((address) => [`${address.family}/${address.bits}`, address])).values()];
}
