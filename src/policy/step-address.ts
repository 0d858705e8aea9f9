/**
 * What a step says about addresses: which address of a frame a reason is about, and what entitles a port to one.
 */
import { type Cidr, contains } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import type { Frame } from '../net/packet/frame.ts';
import { icmpv6Types, parseNeighbour } from '../net/packet/icmpv6.ts';
import type { DropReason } from './drop-reasons.ts';
import { coversAddress, identityOf, sameIp } from './identity.ts';
import { icmpv6TypeOf } from './packet.ts';
import type { StepReason } from './verdict.ts';
import type { Port, World } from './world.ts';

const neighbourTypes: ReadonlySet<number | null> = new Set([
  icmpv6Types.neighbourSolicitation,
  icmpv6Types.neighbourAdvertisement,
]);

/** The address that a frame names as its sender's. */
export function speaksFrom({ ethernet, arp, ip }: Frame): Cidr | Mac {
  return ip?.src ?? arp?.spa ?? ethernet.src;
}

/** The address of a frame that a guard refused it for; null where the reason is about no address. */
export function claimedBy(frame: Frame, reason: DropReason): Cidr | Mac | null {
  const { ethernet, arp, ip } = frame;
  switch (reason) {
    case 'mac-spoof':
    case 'multicast-source':
      return ethernet.src;
    case 'vlan-tagged':
    case 'ethertype':
      return null;
    case 'arp-spoof':
      return arp !== null && arp.sha !== ethernet.src ? arp.sha : (arp?.spa ?? null);
    case 'nd-spoof':
    case 'dad-pending':
      return targetOf(frame) ?? ip?.src ?? null;
    case 'foreign-destination':
      return ip?.dst ?? null;
    default:
      return ip?.src ?? null;
  }
}

/** What a neighbour solicitation or advertisement is about. */
function targetOf({ ip }: Frame): Cidr | null {
  if (ip?.upper?.kind !== 'icmp' || !neighbourTypes.has(icmpv6TypeOf(ip))) return null;
  return parseNeighbour(ip.upper)?.target ?? null;
}

/** What entitles a port to the source of a packet that its guard let pass. */
export function groundOf({ mode, mac, fixedIps, pairs }: Port, { ethernet, ip }: Frame): StepReason {
  if (mode === 'mac-only' || ip === null) return 'own-mac';
  if (ethernet.src === mac && fixedIps.some((fixed) => sameIp(fixed, ip.src))) return 'fixed-ip';
  const paired = pairs.some((pair) => pair.mac === ethernet.src && contains(pair.ip, ip.src));
  return paired ? 'address-pair' : 'link-local';
}

/** Why a port's ingress guard let a packet pass. */
export function heardAs(world: World, port: Port, { ip }: Frame): StepReason {
  if (port.mode === 'mac-only' || ip === null) return 'own-mac';
  return coversAddress(identityOf(world, port), ip.dst) ? 'own-address' : 'multicast';
}
