/**
 * Layer 2 of port security: a guarded port sends untagged frames from its own MACs, of four ethertypes.
 * ICMPv6 that speaks for the link or for routers is told apart here, by types that a fragment never shows.
 */
import { macToBits } from '../../net/mac.ts';
import { type Draft, drop, flow } from '../draft.ts';
import { guardedTypes } from '../icmpv6-types.ts';
import { type LocalPort, sentBy } from '../local-port.ts';
import { arp, groupAddress, icmp4, icmp6, ipv4, ipv6, rarp, tagged } from '../matches.ts';
import { udpByPort, udpToDhcp, wholeField } from '../whole.ts';

export function guardMac(local: LocalPort): Draft[] {
  const { port, macs, prefixes } = local;
  const from = sentBy(local);
  const why = { reason: 'own-mac', port: port.id };
  const next = port.mode === 'strict' && prefixes.length > 0 ? 'reserved_source' : 'guard_type';
  const taggedEnds = { reason: 'vlan-tagged', drop: 'egress', port: port.id } as const;
  return [
    flow('guard_mac', 200, { ...from, ...tagged }, { actions: [wholeField('eth_src')] }, taggedEnds),
    drop('guard_mac', 150, { ...from, eth_src: groupAddress }, 'multicast-source', 'egress', port.id),
    ...macs.map((mac) => flow('guard_mac', 100, { ...from, eth_src: macToBits(mac) }, { goto: next }, why)),
    drop('guard_mac', 1, from, 'mac-spoof', 'egress', port.id),
    drop('guard_type', 1, from, 'ethertype', 'egress', port.id),
  ];
}

const wholeArp = (['eth_dst', 'arp_op', 'arp_sha', 'arp_spa', 'arp_tpa'] as const).map(wholeField);
const wholeNd = (['eth_dst', 'ipv6_src', 'ipv6_dst', 'nw_ttl'] as const).map(wholeField);

/** What the guards behind match is un-wildcarded whole (see whole.ts). */
export const guardTypeDefaults: readonly Draft[] = [
  flow('guard_type', 100, arp, { actions: wholeArp, goto: 'guard_arp' }, { reason: 'arp' }),
  flow('guard_type', 100, rarp, { actions: wholeArp, goto: 'guard_arp' }, { reason: 'rarp' }),
  ...[...guardedTypes].map((type) =>
    flow(
      'guard_type',
      110,
      { ...icmp6, icmpv6_type: type },
      { actions: wholeNd, goto: 'guard_nd' },
      { reason: 'nd' },
    ),
  ),
  flow(
    'guard_type',
    105,
    icmp6,
    { actions: [wholeField('icmpv6_type')], goto: 'guard_ip' },
    { reason: 'icmpv6' },
  ),
  flow(
    'guard_type',
    105,
    icmp4,
    { actions: [wholeField('icmp_type'), wholeField('ip_src')], goto: 'guard_ip' },
    { reason: 'icmp' },
  ),
  ...udpToDhcp.map(({ priority, match, load, actions }) =>
    flow('guard_type', priority, match, { load, actions, goto: 'guard_ip' }, { reason: 'dhcp' }),
  ),
  ...udpByPort.map(({ priority, match, actions }) =>
    flow('guard_type', priority, match, { actions, goto: 'guard_ip' }, { reason: 'udp' }),
  ),
  flow('guard_type', 100, ipv4, { goto: 'guard_ip' }, { reason: 'ipv4' }),
  flow('guard_type', 100, ipv6, { goto: 'guard_ip' }, { reason: 'ipv6' }),
];
