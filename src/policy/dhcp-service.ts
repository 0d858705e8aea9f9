/** Which DHCP requests and router solicitations a port's host answers by itself. They reach nobody else. */

import { broadcast4, contains, dhcpServers6 } from '../net/cidr.ts';
import { icmpv6Types } from '../net/packet/icmpv6.ts';
import { metadata4 } from './address-owners.ts';
import { sameIp } from './identity.ts';
import { icmpv6TypeOf, isDhcpFromClient, type Subject } from './packet.ts';
import type { Port, World } from './world.ts';
import { portsOf, subnetsOf } from './world-index.ts';

/**
 * A port that may serve answers for its whole network. A request counts from the port's own MAC. It goes to everybody or to
 * the server: the gateway of a subnet of the port, or the metadata address where the subnet has none. DHCPv6 has a group.
 */
export function isAnsweredDhcp(world: World, sender: Port, { frame, fragmented }: Subject): boolean {
  const { ethernet, ip } = frame;
  if (fragmented || ip === null || !isDhcpFromClient(ip)) return false;
  if (sender.cloudOwned || ethernet.src !== sender.mac || ethernet.tags.length > 0) return false;
  if (portsOf(world, sender.network).some(({ dhcpServer }) => dhcpServer)) return false;
  const served = subnetsOf(world, sender.network).filter(
    ({ cidr, dhcp }) =>
      dhcp && cidr.family === ip.family && sender.fixedIps.some((own) => contains(cidr, own)),
  );
  if (served.length === 0) return false;
  if (ip.family === 6) return sameIp(ip.dst, dhcpServers6);
  return [broadcast4, ...served.map(({ gateway }) => gateway ?? metadata4)].some((to) => sameIp(ip.dst, to));
}

/**
 * Others that may advertise answer for the whole network: a port that may serve, or a gateway of an advertised subnet that is
 * plugged somewhere without guards. A solicitation counts from the port's own MAC.
 */
export function isAnsweredSolicitation(
  world: World,
  sender: Port,
  { frame: { ethernet, ip }, fragmented }: Subject,
): boolean {
  if (fragmented || ip === null || icmpv6TypeOf(ip) !== icmpv6Types.routerSolicitation) return false;
  if (ip.upper?.kind !== 'icmp' || ip.upper.code !== 0) return false;
  if (sender.cloudOwned || ethernet.src !== sender.mac || ethernet.tags.length > 0) return false;
  const gateways = subnetsOf(world, sender.network)
    .filter(({ advertised }) => advertised)
    .map(({ gateway }) => gateway);
  const mayAdvertise = ({ dhcpServer, mode, host, fixedIps }: Port): boolean =>
    dhcpServer ||
    (mode === 'off' &&
      host !== null &&
      gateways.some((gateway) => gateway !== null && fixedIps.some((own) => sameIp(own, gateway))));
  return gateways.length > 0 && !portsOf(world, sender.network).some(mayAdvertise);
}
