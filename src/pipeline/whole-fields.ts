/**
 * Un-wildcards whole fields, so that what one tenant writes and sends does not multiply everybody's masks.
 *
 * # Idea
 * The switch caches a decision with the bits that led to it. Of a port or address that matches no flow it takes the
 * shortest prefix that says so: 16 masks for the ports that a guest can send, 32 for addresses, times each other. The
 * datapath tries its masks one after the other for each packet. An action that moves a field to itself changes nothing
 * and un-wildcards all of it: one mask, and a megaflow for each value. It stands where values are few, where a packet
 * is dropped, and where a connection begins.
 *
 * # Rejected
 * No prefix lookups (`Flow_Table:prefixes` in the switch's database), which leaves those of ports.
 */
import { dhcpPorts } from '../net/packet/dhcp.ts';
import { udp4, udp6 } from './matches.ts';

/** Width of each field that may be un-wildcarded whole. */
export const bitsOf = {
  eth_src: 48,
  eth_dst: 48,
  arp_op: 16,
  arp_sha: 48,
  nw_ttl: 8,
  arp_spa: 32,
  arp_tpa: 32,
  ip_src: 32,
  ip_dst: 32,
  ipv6_src: 128,
  ipv6_dst: 128,
  tcp_dst: 16,
  udp_src: 16,
  udp_dst: 16,
  sctp_dst: 16,
  icmp_type: 8,
  icmp_code: 8,
  icmpv6_type: 8,
  icmpv6_code: 8,
} as const;
export type WholeField = keyof typeof bitsOf;

/** Ports with the same highest bits are a block. DHCP is in the first; ports above are matched by their block only. */
export const blockSize = 1024;
/** The lowest of these highest bits. */
export const highPortBits = Math.log2(blockSize);
export const blockMask = 0x10000 - blockSize;

/** UDP by destination port: 1024 megaflows for the low ports, 64 for the others. */
export const udpLowPorts = [udp4, udp6].map((match) => ({
  ...match,
  udp_dst: { value: 0, mask: blockMask },
}));
export const udpOther = [udp4, udp6];

/** UDP for a DHCP port. Matches on DHCP ask for the register, so they see no other packet's ports. */
export const isDhcp = [
  { ...udp4, udp_dst: dhcpPorts.server },
  { ...udp4, udp_dst: dhcpPorts.client },
  { ...udp6, udp_dst: dhcpPorts.server6 },
  { ...udp6, udp_dst: dhcpPorts.client6 },
];
