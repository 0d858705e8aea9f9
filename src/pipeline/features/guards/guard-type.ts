/**
 * Which guard judges a packet. A guarded port sends four ethertypes.
 * ICMPv6 that speaks for the link or for routers goes to its own guard, by types that a fragment never shows.
 * Un-wildcards whole the fields that the guards match (see whole-fields.ts).
 */
import { type ActionOf, unwildcard } from '../../actions.ts';
import { type Draft, drop, flow } from '../../draft.ts';
import { guardedTypes } from '../../icmpv6-types.ts';
import { type LocalPort, sentBy } from '../../local-port.ts';
import { arp, icmp4, icmp6, igmp, ipv4, ipv6, rarp } from '../../matches.ts';
import { register } from '../../registers.ts';
import { highPortBits, isDhcp, udpLowPorts, udpOther } from '../../whole-fields.ts';

const table = 'guard_type';
type Actions = readonly ActionOf<typeof table>[];

const wholeArp: Actions = [
  unwildcard('eth_dst'),
  unwildcard('arp_op'),
  unwildcard('arp_sha'),
  unwildcard('arp_spa'),
  unwildcard('arp_tpa'),
];
const wholeNd: Actions = [
  unwildcard('icmpv6_code'),
  unwildcard('eth_dst'),
  unwildcard('ipv6_src'),
  unwildcard('ipv6_dst'),
  unwildcard('nw_ttl'),
];
const wholeIcmp: Actions = [unwildcard('icmp_type'), unwildcard('ip_src')];
const wholeUdpPorts: Actions = [unwildcard('udp_src'), unwildcard('udp_dst')];

export function guardType(local: LocalPort): Draft[] {
  const why = { reason: 'ethertype', drop: 'egress', port: local.port.id } as const;
  return [drop(table, 'other', sentBy(local), why)];
}

export const guardTypeDefaults: readonly Draft[] = [
  flow(table, 'family', arp, { actions: wholeArp, goto: 'guard_arp' }, { reason: 'arp' }),
  flow(table, 'family', rarp, { actions: wholeArp, goto: 'guard_arp' }, { reason: 'rarp' }),
  ...[...guardedTypes].map((type) =>
    flow(
      table,
      'message',
      { ...icmp6, icmpv6_type: type },
      { actions: wholeNd, goto: 'guard_nd' },
      { reason: 'nd' },
    ),
  ),
  flow(
    table,
    'protocol',
    icmp6,
    { actions: [unwildcard('icmpv6_type')], goto: 'guard_ip' },
    { reason: 'icmpv6' },
  ),
  flow(table, 'protocol', icmp4, { actions: wholeIcmp, goto: 'guard_ip' }, { reason: 'icmp' }),
  flow(table, 'protocol', igmp, { actions: [unwildcard('ip_dst')], goto: 'guard_igmp' }, { reason: 'igmp' }),
  ...isDhcp.map((match) =>
    flow(
      table,
      'dhcp',
      match,
      { load: { [register.dhcp]: 1 }, actions: wholeUdpPorts, goto: 'guard_ip' },
      { reason: 'dhcp' },
    ),
  ),
  ...udpLowPorts.map((match) =>
    flow(table, 'lowPorts', match, { actions: [unwildcard('udp_dst')], goto: 'guard_ip' }, { reason: 'udp' }),
  ),
  ...udpOther.map((match) =>
    flow(
      table,
      'message',
      match,
      { actions: [unwildcard('udp_dst', highPortBits)], goto: 'guard_ip' },
      { reason: 'udp' },
    ),
  ),
  flow(table, 'family', ipv4, { goto: 'guard_ip' }, { reason: 'ipv4' }),
  flow(table, 'family', ipv6, { goto: 'guard_ip' }, { reason: 'ipv6' }),
];
