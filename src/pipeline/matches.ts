/** Pieces of matches that several tables share. Values only. */
import { type Cidr, isHost, maskOf } from '../net/cidr.ts';
import { etherTypes } from '../net/packet/ethernet.ts';
import { protocols } from '../net/packet/transport.ts';
import { ctStateBits as bits, type FieldBits, ipFrag, type Masked, vlanPresent } from '../openflow/index.ts';
import { flag, register } from './registers.ts';

export const arp = { eth_type: etherTypes.arp } as const;
export const rarp = { eth_type: etherTypes.rarp } as const;
export const ipv4 = { eth_type: etherTypes.ipv4 } as const;
export const ipv6 = { eth_type: etherTypes.ipv6 } as const;
export const udp4 = { ...ipv4, ip_proto: protocols.udp } as const;
export const udp6 = { ...ipv6, ip_proto: protocols.udp } as const;
export const igmp = { ...ipv4, ip_proto: protocols.igmp } as const;
export const icmp4 = { ...ipv4, ip_proto: protocols.icmp } as const;
export const icmp6 = { ...ipv6, ip_proto: protocols.icmpv6 } as const;
/** Neighbour discovery (RFC 4861): the switch reads its fields only where the code is 0. */
export const discovery = { ...icmp6, icmpv6_code: 0 } as const;
export const ipOf = (family: Cidr['family']) => (family === 4 ? ipv4 : ipv6);

/** DHCP by who speaks, or by who will listen; unfragmented only, since fragments show no ports. */
export const dhcp = {
  toClient4: { ...udp4, udp_dst: 68 },
  toClient6: { ...udp6, udp_dst: 546 },
  client4: { ...udp4, udp_src: 68, udp_dst: 67 },
  server4: { ...udp4, udp_src: 67, udp_dst: 68 },
  client6: { ...udp6, udp_src: 546, udp_dst: 547 },
  server6: { ...udp6, udp_src: 547, udp_dst: 546 },
} as const;

/** A frame with any 802.1Q tag. */
export const tagged = { vlan_vid: { value: vlanPresent, mask: vlanPresent } } as const;
const groupBit = 1n << 40n;
/** The Ethernet group bit: broadcast and multicast. */
export const groupAddress: Masked = { value: groupBit, mask: groupBit };
export const multicast4: Masked = { value: 0xe0000000, mask: 0xf0000000 };
export const multicast6: Masked = { value: 0xffn << 120n, mask: 0xffn << 120n };

/** A prefix as the value of an address field. */
export function address({ family, bits, length }: Cidr): FieldBits | Masked {
  const mask = maskOf(family, length);
  if (family === 6) return isHost({ family, bits, length }) ? bits : { value: bits, mask };
  const value = Number(bits);
  return length === 32 ? value : { value, mask: Number(mask) };
}

const state = {
  new: bits.new,
  established: bits.est,
  related: bits.rel,
  reply: bits.rpl,
  invalid: bits.inv,
  tracked: bits.trk,
} as const;
type StateBit = keyof typeof state;

/** A ct_state match: bits that must be set, then bits that must not be. */
export function ctState(set: readonly StateBit[], clear: readonly StateBit[] = []): Masked {
  const sum = (bits: readonly StateBit[]): number => bits.reduce((total, bit) => total | state[bit], 0);
  return { value: sum(set), mask: sum(set) | sum(clear) };
}

/** Valid packets of either direction, new, established and related alike: an error belongs to its connection. */
export const original = ctState(['tracked'], ['invalid', 'reply']);
export const reply = ctState(['tracked', 'reply'], ['invalid']);
/** Without "tracked": fragments of a datagram that never completed are invalid and not tracked. */
export const invalid = ctState(['invalid']);

/** Any fragment, the first one included (NXM_NX_IP_FRAG, bit "any"). */
export const anyFragment: Masked = { value: ipFrag.any, mask: ipFrag.any };
export const wholePacket: Masked = { value: 0, mask: ipFrag.any };
export const laterFragment: Masked = { value: ipFrag.later, mask: ipFrag.later };
/** Neither broadcast nor multicast. */
export const unicastAddress: Masked = { value: 0n, mask: groupBit };

/**
 * The register of copies: 0 for a packet to one port. Otherwise bit 0 is set. The next bits count the
 * packet's earlier copies, as far as a connection's record has places for their receivers.
 */
const maxCopyTable = 2;
export const copyAt = (before: number): number => 1 | (Math.min(before, maxCopyTable) << 1);
export const anyCopy: Masked = { value: 1, mask: 1 };
export const noCopy = 0;

/** The packet came in fragments, whatever it looks like behind the lookup. */
export const piece = { [register.flags]: { value: flag.piece, mask: flag.piece } } as const;

/** The receiver is on another host: numbers of hosts have this bit (features/tunnels/peers.ts). */
export const onOtherHost = { [register.host]: { value: 0x8000_0000, mask: 0x8000_0000 } } as const;
