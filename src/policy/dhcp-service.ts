/** Which DHCP requests a port's host answers by itself. They reach nobody else. */
import { broadcast4, contains } from '../net/cidr.ts';
import { metadata4 } from './address-owners.ts';
import { sameIp } from './identity.ts';
import { isDhcpFromClient, type Subject } from './packet.ts';
import type { Port, World } from './world.ts';
import { portsOf, subnetsOf } from './world-index.ts';

/**
 * A port that may serve answers for its whole network. A request counts from the port's own MAC, by broadcast or to the
 * server: the gateway of a subnet of the port, or the metadata address where the subnet has none.
 */
export function isAnsweredDhcp(world: World, sender: Port, { frame, fragmented }: Subject): boolean {
  const { ethernet, ip } = frame;
  if (fragmented || ip?.family !== 4 || !isDhcpFromClient(ip)) return false;
  if (sender.cloudOwned || ethernet.src !== sender.mac || ethernet.tags.length > 0) return false;
  if (portsOf(world, sender.network).some(({ dhcpServer }) => dhcpServer)) return false;
  const servers = subnetsOf(world, sender.network)
    .filter(
      ({ cidr, dhcp }) => dhcp && sender.fixedIps.some((own) => own.family === 4 && contains(cidr, own)),
    )
    .map(({ gateway }) => gateway ?? metadata4);
  return servers.length > 0 && [broadcast4, ...servers].some((server) => sameIp(ip.dst, server));
}
