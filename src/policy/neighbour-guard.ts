/**
 * The sender's guard for neighbour discovery (RFC 4861): addresses, target and link-layer options must belong to the
 * port. No guarded port may send redirects. Only ports that may serve DHCP may send router advertisements.
 */
import { contains, linkLocalPrefix } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import type { Ip } from '../net/packet/frame.ts';
import { icmpv6Types, type Neighbour, parseNeighbour } from '../net/packet/icmpv6.ts';
import type { DropReason } from './drop-reasons.ts';
import { type Identity, isNamed, ownsAddress, sameIp, unspecified6 } from './identity.ts';
import type { GuardMode, Port } from './world.ts';

/** The switch cannot tell a zero address in an option from an absent option. It misleads about nobody else. */
const zeroMac = '00:00:00:00:00:00';
const ownOption = (option: Mac | null, mac: Mac): boolean =>
  option === null || option === zeroMac || option === mac;

function duplicateDetection(own: Identity, mac: Mac, message: Neighbour): DropReason | null {
  if (message.source !== null && message.source !== zeroMac) return 'nd-spoof';
  const covered = ownsAddress(own, message.target, mac);
  // The probe claims an address that a prefix pair covers, so that no other port can have it afterwards.
  if (contains(linkLocalPrefix, message.target))
    return covered && isNamed(own, message.target) ? null : 'dad-pending';
  return covered ? null : 'nd-spoof';
}

function solicitation(
  own: Identity,
  mode: GuardMode,
  mac: Mac,
  ip: Ip,
  message: Neighbour,
): DropReason | null {
  if (mode === 'mac-only') return ownOption(message.source, mac) ? null : 'nd-spoof';
  if (sameIp(ip.src, unspecified6)) return duplicateDetection(own, mac, message);
  return ownsAddress(own, ip.src, mac) && ownOption(message.source, mac) ? null : 'nd-spoof';
}

function advertisement(
  own: Identity,
  mode: GuardMode,
  mac: Mac,
  ip: Ip,
  message: Neighbour,
): DropReason | null {
  if (!ownOption(message.targetMac, mac)) return 'nd-spoof';
  if (mode === 'mac-only') return null;
  return ownsAddress(own, ip.src, mac) && ownsAddress(own, message.target, mac) ? null : 'nd-spoof';
}

/** A DHCP server also says, by router advertisement, whether hosts make their own addresses or ask DHCPv6. */
const mayAdvertise = (port: Port): boolean => port.dhcpServer;

/** Null: the packet passes. `type` is its ICMPv6 type; `mac` its Ethernet source, already known to be the port's. */
export function guardNeighbour(
  port: Port,
  own: Identity,
  mac: Mac,
  ip: Ip,
  type: 133 | 134 | 135 | 136 | 137,
): DropReason | null {
  const { mode } = port;
  if (type === icmpv6Types.routerAdvertisement && !mayAdvertise(port)) return 'ra';
  if (type === icmpv6Types.redirect) return 'redirect';
  // RFC 4861 6.1 and 7.1: receivers ignore other hop limits, which a router may have forwarded, and other codes.
  if (ip.hopLimit !== 255 || ip.upper?.kind !== 'icmp' || ip.upper.code !== 0) return 'nd-spoof';
  if (type === icmpv6Types.routerSolicitation || type === icmpv6Types.routerAdvertisement) {
    const asks = type === icmpv6Types.routerSolicitation && sameIp(ip.src, unspecified6);
    return mode === 'mac-only' || asks || ownsAddress(own, ip.src, mac) ? null : 'nd-spoof';
  }
  const message = parseNeighbour(ip.upper);
  if (message === null || sameIp(message.target, unspecified6)) return 'nd-spoof';
  return type === icmpv6Types.neighbourSolicitation
    ? solicitation(own, mode, mac, ip, message)
    : advertisement(own, mode, mac, ip, message);
}
