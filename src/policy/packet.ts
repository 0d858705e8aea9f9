/**
 * Recognises the kinds of packets that policy treats apart: neighbour discovery, listener reports, DHCP, redirects.
 */

import { dhcpPorts } from '../net/packet/dhcp.ts';
import type { Frame, Ip } from '../net/packet/frame.ts';
import { icmpTypes } from '../net/packet/icmp.ts';
import { icmpv6Types } from '../net/packet/icmpv6.ts';
import { protocols } from '../net/packet/transport.ts';

/** A frame, or a datagram reassembled from several frames; `fragmented` says which. */
export interface Subject {
  readonly frame: Frame;
  readonly fragmented: boolean;
}

/** The ICMPv6 type; null when the packet is not ICMPv6 or cannot be read. */
export function icmpv6TypeOf(ip: Ip): number | null {
  if (ip.family !== 6 || ip.protocol !== protocols.icmpv6 || ip.upper?.kind !== 'icmp') return null;
  return ip.upper.type;
}

export const isNeighbourDiscovery = (type: number | null): type is 133 | 134 | 135 | 136 | 137 =>
  type !== null && type >= icmpv6Types.routerSolicitation && type <= icmpv6Types.redirect;

const reports: ReadonlySet<number> = new Set([
  icmpv6Types.listenerReport,
  icmpv6Types.listenerDone,
  icmpv6Types.listenerReport2,
]);

export const isListenerReport = (type: number | null): boolean => type !== null && reports.has(type);

function isUdp(ip: Ip, src: number, dst: number): boolean {
  const { upper } = ip;
  return (
    ip.protocol === protocols.udp &&
    upper?.kind === 'segment' &&
    upper.srcPort === src &&
    upper.dstPort === dst
  );
}

export const isDhcpFromClient = (ip: Ip): boolean =>
  ip.family === 4
    ? isUdp(ip, dhcpPorts.client, dhcpPorts.server)
    : isUdp(ip, dhcpPorts.client6, dhcpPorts.server6);

export const isDhcpFromServer = (ip: Ip): boolean =>
  ip.family === 4
    ? isUdp(ip, dhcpPorts.server, dhcpPorts.client)
    : isUdp(ip, dhcpPorts.server6, dhcpPorts.client6);

/**
 * Whether a DHCP client would take the packet for an answer. Clients check the destination port, and few of them the
 * source port.
 */
export function isForDhcpClient({ family, protocol, upper }: Ip): boolean {
  const port = family === 4 ? dhcpPorts.client : dhcpPorts.client6;
  return protocol === protocols.udp && upper?.kind === 'segment' && upper.dstPort === port;
}

function icmpTypeOf({ family, protocol, upper }: Ip): number | null {
  return family === 4 && protocol === protocols.icmp && upper?.kind === 'icmp' ? upper.type : null;
}

export const isIcmpRedirect = (ip: Ip): boolean => icmpTypeOf(ip) === icmpTypes.redirect;

export const isIcmpRouterAdvertisement = (ip: Ip): boolean =>
  icmpTypeOf(ip) === icmpTypes.routerAdvertisement;
