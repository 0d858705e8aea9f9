/**
 * The addresses of a network that no allowed pair may claim unless the network's owner lends them: gateways, the
 * fixed IPs of the cloud's own ports (routers, DHCP), the metadata service. A guest that holds one as a fixed IP
 * of its own has been given it and may use it.
 */
import { type Cidr, contains, parseIp } from '../net/cidr.ts';
import type { Port, Subnet } from './world.ts';

/** Where guests of every cloud ask for their metadata. */
export const metadataAddresses: readonly Cidr[] = ['169.254.169.254', 'fe80::a9fe:a9fe']
  .map(parseIp)
  .filter((ip): ip is Cidr => ip !== null);

export function reservedAddresses(subnets: Iterable<Subnet>, services: Iterable<Port>): Cidr[] {
  const gateways = [...subnets].flatMap(({ gateway }) => gateway ?? []);
  return [...gateways, ...[...services].flatMap(({ fixedIps }) => fixedIps), ...metadataAddresses];
}

/** Those of `reserved` that the port's pairs would cover, each once. */
export function withheldFrom(port: Port, reserved: readonly Cidr[]): Cidr[] {
  if (port.pairs.length === 0) return [];
  const given = (address: Cidr): boolean => port.fixedIps.some((ip) => contains(ip, address));
  const covered = (address: Cidr): boolean => port.pairs.some(({ ip }) => contains(ip, address));
  const withheld = reserved.filter((address) => covered(address) && !given(address));
  return [...new Map(withheld.map((address) => [`${address.family}/${address.bits}`, address])).values()];
}
