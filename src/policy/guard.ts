/**
 * The guards of both directions: which addresses a sender may claim, and which packets a receiver may hear. They know
 * no security groups. Callers do not ask them about ports whose port security is off.
 */

import { bug } from '../base/errors.ts';
import { type Cidr, contains, lastOf, parseCidr } from '../net/cidr.ts';
import { isMulticastMac, type Mac } from '../net/mac.ts';
import { type Arp, arpOps } from '../net/packet/arp.ts';
import { etherTypes } from '../net/packet/ethernet.ts';
import type { Frame, Ip } from '../net/packet/frame.ts';
import { icmpv6Types } from '../net/packet/icmpv6.ts';
import { protocols } from '../net/packet/transport.ts';
import type { DropReason } from './drop-reasons.ts';
import {
  coversAddress,
  type Identity,
  identityOf,
  ownsAddress,
  sameIp,
  unspecified4,
  unspecified6,
} from './identity.ts';
import { guardNeighbour } from './neighbour-guard.ts';
import {
  icmpv6TypeOf,
  isDhcpFromClient,
  isForDhcpClient,
  isIcmpRedirect,
  isIcmpRouterAdvertisement,
  isListenerReport,
  isNeighbourDiscovery,
  type Subject,
} from './packet.ts';
import type { StepReason } from './verdict.ts';
import type { GuardMode, Port, World } from './world.ts';
import { subnetsOf } from './world-index.ts';

/** `bypass`: the packet needs neither a connection nor a rule of the sender. */
export type GuardAnswer =
  | { readonly answer: 'drop'; readonly reason: DropReason }
  | { readonly answer: 'pass' }
  | { readonly answer: 'bypass'; readonly reason: StepReason };

const drop = (reason: DropReason): GuardAnswer => ({ answer: 'drop', reason });
const pass: GuardAnswer = { answer: 'pass' };
const bypass = (reason: StepReason): GuardAnswer => ({ answer: 'bypass', reason });

function prefix(text: string): Cidr {
  return parseCidr(text) ?? bug(`not a prefix: ${text}`);
}
const multicast4 = prefix('224.0.0.0/4');
const multicast6 = prefix('ff00::/8');
const broadcast4 = prefix('255.255.255.255');

function guardArp(own: Identity, mode: GuardMode, mac: Mac, arp: Arp): boolean {
  if (arp.sha !== mac) return false;
  if (mode === 'mac-only' || ownsAddress(own, arp.spa, mac)) return true;
  // RFC 5227: a probe asks whether anybody has the address that the port is about to use.
  return arp.op === arpOps.request && sameIp(arp.spa, unspecified4) && ownsAddress(own, arp.tpa, mac);
}

/** A hypervisor sends this for a guest that has just moved. It names the MAC and no address. */
function guardRarp(mac: Mac, arp: Arp): boolean {
  const silent = sameIp(arp.spa, unspecified4) && sameIp(arp.tpa, unspecified4);
  return arp.op === arpOps.reverseRequest && arp.sha === mac && arp.tha === mac && silent;
}

/** Routers ignore such reports (RFC 2710 4, RFC 3810 5), so no guest needs to send them. */
const isMalformedReport = (ip: Ip): boolean => ip.hopLimit !== 1 || !contains(multicast6, ip.dst);

function isOwnReport(own: Identity, mode: GuardMode, mac: Mac, ip: Ip): boolean {
  return mode === 'mac-only' || sameIp(ip.src, unspecified6) || ownsAddress(own, ip.src, mac);
}

function isOwnDhcp(own: Identity, mode: GuardMode, mac: Mac, ip: Ip): boolean {
  if (!isDhcpFromClient(ip)) return false;
  if (mode === 'mac-only') return true;
  const booting = ip.family === 4 && sameIp(ip.src, unspecified4);
  return booting || ownsAddress(own, ip.src, mac);
}

const allHosts4 = prefix('224.0.0.1');
const allSnoopers4 = prefix('224.0.0.106');

/** ICMPv6 types that no guest may send, whatever they contain. */
const neverSent: ReadonlyMap<number, DropReason> = new Map([
  [icmpv6Types.listenerQuery, 'mld-query'],
  [icmpv6Types.routerRenumbering, 'router-message'],
  // On Ethernet nobody asks which address a MAC has. An answer can only mislead.
  [icmpv6Types.inverseSolicitation, 'nd-spoof'],
  [icmpv6Types.inverseAdvertisement, 'nd-spoof'],
  [icmpv6Types.multicastRouterAdvertisement, 'router-message'],
  [icmpv6Types.multicastRouterTermination, 'router-message'],
  [icmpv6Types.rplControl, 'router-message'],
]);

/**
 * The switch does not see IGMP's types, so the destination decides. No report goes to all hosts or to one host
 * (RFC 3376 4.2.14). Only multicast routers send to all snoopers (RFC 4286). A query about one group goes to that
 * group, like a report about it: rules decide.
 */
function guardIgmp({ family, protocol, dst }: Ip): DropReason | null {
  if (family !== 4 || protocol !== protocols.igmp) return null;
  if (sameIp(dst, allSnoopers4)) return 'router-message';
  return sameIp(dst, allHosts4) || !contains(multicast4, dst) ? 'igmp-query' : null;
}

/** `mac` is the packet's Ethernet source, already known to be the port's own. */
export function guardIpSource(port: Port, own: Identity, mac: Mac, ip: Ip, fragmented: boolean): GuardAnswer {
  const { mode } = port;
  if (!fragmented) {
    const type = icmpv6TypeOf(ip);
    if (isNeighbourDiscovery(type)) {
      const reason = guardNeighbour(port, own, mac, ip, type);
      return reason === null ? bypass('neighbour-discovery') : drop(reason);
    }
    const never = neverSent.get(type ?? -1);
    if (never !== undefined) return drop(never);
    if (isListenerReport(type)) {
      if (isMalformedReport(ip)) return drop('nd-spoof');
      if (isOwnReport(own, mode, mac, ip)) return bypass('listener-report');
    }
    if (isOwnDhcp(own, mode, mac, ip)) return bypass('dhcp-client');
  }
  const igmp = guardIgmp(ip);
  if (igmp !== null) return drop(igmp);
  if (mode === 'strict' && !ownsAddress(own, ip.src, mac)) return drop('ip-spoof');
  if (isForDhcpClient(ip) && !port.dhcpServer) return drop('dhcp-server');
  if (isIcmpRedirect(ip)) return drop('redirect');
  if (isIcmpRouterAdvertisement(ip)) return drop('ra');
  return pass;
}

export function guardSender(world: World, port: Port, { frame, fragmented }: Subject): GuardAnswer {
  const { ethernet, arp, ip } = frame;
  const own = identityOf(world, port);
  if (ethernet.tags.length > 0) return drop('vlan-tagged');
  if (isMulticastMac(ethernet.src)) return drop('multicast-source');
  if (!own.macs.has(ethernet.src)) return drop('mac-spoof');
  switch (ethernet.type) {
    case etherTypes.arp:
      return arp !== null && guardArp(own, port.mode, ethernet.src, arp) ? bypass('arp') : drop('arp-spoof');
    case etherTypes.rarp:
      return arp !== null && guardRarp(ethernet.src, arp) ? bypass('rarp') : drop('arp-spoof');
    case etherTypes.ipv4:
    case etherTypes.ipv6:
      // A header that cannot be read names no address. Where any address is allowed, connection tracking refuses it.
      if (ip === null) return port.mode === 'strict' ? drop('ip-spoof') : drop('ct-invalid');
      return guardIpSource(port, own, ethernet.src, ip, fragmented);
    default:
      return drop('ethertype');
  }
}

/** Whether the port may get packets to an address. */
export function isForPort(world: World, port: Port, dst: Cidr): boolean {
  if (coversAddress(identityOf(world, port), dst)) return true;
  if (dst.family === 6) return contains(multicast6, dst);
  if (contains(multicast4, dst) || sameIp(dst, broadcast4)) return true;
  return subnetsOf(world, port.network).some(({ cidr }) => cidr.family === 4 && lastOf(cidr) === dst.bits);
}

/** Null: the guard lets the frame pass. */
export function guardReceiver(world: World, port: Port, { ethernet, ip }: Frame): DropReason | null {
  if (ethernet.tags.length > 0) return 'vlan-tagged';
  switch (ethernet.type) {
    case etherTypes.arp:
    case etherTypes.rarp:
      return null;
    case etherTypes.ipv4:
    case etherTypes.ipv6:
      if (port.mode === 'mac-only') return null;
      return ip !== null && isForPort(world, port, ip.dst) ? null : 'foreign-destination';
    default:
      return 'ethertype';
  }
}
