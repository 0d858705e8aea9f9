/**
 * Router advertisements (RFC 4861 6.2) in the name of a network's routers: an answer to each solicitation of a port here. The flow
 * names the port, so the answer follows from the port's network and from no byte of the solicitation but its sender.
 */
import { type Cidr, cidr, linkLocalOf } from '../../net/cidr.ts';
import { broadcastMac, type Mac } from '../../net/mac.ts';
import { domainBytes } from '../../net/packet/dhcp-values.ts';
import { buildEthernet, etherTypes } from '../../net/packet/ethernet.ts';
import { parseFrame } from '../../net/packet/frame.ts';
import { groupMacOf } from '../../net/packet/group-mac.ts';
import { buildIcmp } from '../../net/packet/icmp.ts';
import { icmpv6Types, routerAdvertisement, sourceOption } from '../../net/packet/icmpv6.ts';
import { buildIpv6 } from '../../net/packet/ipv6.ts';
import {
  dnsServersOption,
  domainsOption,
  advertisementFlags as flags,
  mtuOption,
  prefixOption,
} from '../../net/packet/router-advertisement.ts';
import { protocols } from '../../net/packet/transport.ts';
import type { Advertisement } from '../../pipeline/features/dhcp/advertisements.ts';
import { serverMac } from './dhcp4.ts';
import type { DhcpSettings } from './dhcp4-configuration.ts';
import { ignored, type PuntHandler } from './handler.ts';

const maxWaitingPerPort = 10;

/** Seconds. As Neutron's routers have it: three times the longest interval (RFC 4861 6.2.1). */
const routerLifetime = 300;
/** Seconds; the defaults of RFC 4861 6.2.1 would outlive a subnet by weeks. */
const prefixLifetimes = { valid: 86_400, preferred: 14_400 } as const;
/** IPv6 needs it (RFC 8200 5); hosts ignore smaller ones. */
const minMtu = 1280;

/** What an advertisement is sent to: a port, or all nodes there. */
export interface Listener {
  readonly mac: Mac;
  readonly address: Cidr;
}

const allNodes = ((): Listener => {
  const address = cidr(6, (0xff02n << 112n) | 1n);
  return { address, mac: groupMacOf(address) ?? broadcastMac };
})();

/** `isLast`: the router leaves, so nothing but its end is said (RFC 4861 6.2.5). */
export function advertisementFrame(
  advertisement: Advertisement,
  { domain }: DhcpSettings,
  { mac, address }: Listener = allNodes,
  isLast = false,
): Uint8Array {
  const { router, managed, otherConfig, mtu, prefixes, dnsServers } = advertisement;
  const sender = router ?? serverMac;
  const src = linkLocalOf(sender);
  const domains = domain === '' ? null : domainBytes(domain);
  const options = [
    ...(mtu === null || mtu < minMtu ? [] : [mtuOption(mtu)]),
    ...prefixes.map(({ prefix, autonomous }) => prefixOption(prefix, autonomous, prefixLifetimes)),
    ...(dnsServers.length === 0 ? [] : [dnsServersOption(dnsServers, routerLifetime)]),
    ...(domains === null ? [] : [domainsOption(domains, routerLifetime)]),
  ];
  const message = routerAdvertisement(
    router === null || isLast ? 0 : routerLifetime,
    [sourceOption(sender), ...(isLast ? [] : options)],
    (managed ? flags.managed : 0) | (otherConfig ? flags.otherConfig : 0),
  );
  const header = {
    src,
    dst: address,
    hopLimit: 255,
    trafficClass: 0,
    flowLabel: 0,
    extensions: [],
    protocol: protocols.icmpv6,
  };
  const link = { dst: mac, src: sender, tags: [], type: etherTypes.ipv6 };
  return buildEthernet(link, buildIpv6(header, buildIcmp(src, address, message)));
}

/** A host without an address yet is reached by multicast only. */
function listenerIn(data: Uint8Array, mac: Mac): Listener | null {
  const ip = parseFrame(Buffer.from(data))?.ip;
  if (ip?.upper?.kind !== 'icmp' || ip.upper.type !== icmpv6Types.routerSolicitation) return null;
  // Another hop limit says that the sender is not on this link (RFC 4861 6.1.1).
  if (ip.family !== 6 || ip.hopLimit !== 255) return null;
  return ip.src.bits === 0n ? allNodes : { mac, address: ip.src };
}

export const routerSolicitations = (settings: DhcpSettings): PuntHandler => ({
  maxWaitingPerPort,
  handle: ({ data, local: { port } }, { relations }) => {
    const listener = listenerIn(data, port.mac);
    const advertisements = relations.advertisements.get(port.network) ?? [];
    if (listener === null || advertisements.length === 0) return ignored;
    const packets = advertisements.map((one) => advertisementFrame(one, settings, listener));
    return { kind: 'answered', packets };
  },
});
