/**
 * Un-wildcards whole fields, so that what one tenant writes and sends does not multiply everybody's masks.
 *
 * The switch caches a decision with the bits that led to it. Of a port or address that matches no flow it takes the
 * shortest prefix that says so: 16 masks for the ports that a guest can send, 32 for addresses, times each other. The
 * datapath tries its masks one after the other for each packet. An action that moves a field to itself changes nothing
 * and un-wildcards all of it: one mask, and a cached decision for each value. That is done where values are few, where
 * a packet is refused, and where a connection begins.
 *
 * Rejected: no prefix lookups (`Flow_Table:prefixes` in the switch's database), which leaves those of ports.
 */
import { dhcpPorts } from '../net/packet/dhcp.ts';
import type { Action } from '../openflow/index.ts';
import { udp4, udp6 } from './matches.ts';
import { register } from './tables.ts';

const bitsOf = {
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
type WholeField = keyof typeof bitsOf;

function look(field: WholeField, offset: number): Action {
  const part = { field, offset, bits: bitsOf[field] - offset };
  return { type: 'move', from: part, to: part };
}

/** Its flow must match what the field needs, as for any use of it. */
export const wholeField = (field: WholeField): Action => look(field, 0);

/** DHCP is below. Ports above are told apart by their highest bits only. */
const lowPorts = 1024;
const lowPort = { value: 0, mask: 0x10000 - lowPorts };
const highBits = look('udp_dst', Math.log2(lowPorts));

/** UDP by destination port: 64 values for all ports, and 1024 for the low ones. */
export const udpByPort = [udp4, udp6].flatMap((match) => [
  { priority: 120, match: { ...match, udp_dst: lowPort }, actions: [wholeField('udp_dst')] },
  { priority: 110, match, actions: [highBits] },
]);

/** UDP for a DHCP port: both ports. Matches on DHCP ask for the register, so they see no other packet's ports. */
export const udpToDhcp = [
  { ...udp4, udp_dst: dhcpPorts.server },
  { ...udp4, udp_dst: dhcpPorts.client },
  { ...udp6, udp_dst: dhcpPorts.server6 },
  { ...udp6, udp_dst: dhcpPorts.client6 },
].map((match) => ({
  priority: 130,
  match,
  load: { [register.dhcp]: 1 },
  actions: [wholeField('udp_src'), wholeField('udp_dst')],
}));
