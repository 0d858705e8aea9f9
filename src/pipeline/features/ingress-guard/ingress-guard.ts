/**
 * The receiving side of port security: a guarded port gets untagged frames, and of IP what is addressed to it, to
 * broadcast or to multicast. Destinations are un-wildcarded whole (see whole-fields.ts).
 */
import type { NetworkKey } from '../../../model/numbers.ts';
import { broadcastOf } from '../../../policy/address-owners.ts';
import type { Subnet } from '../../../policy/world.ts';
import { type ActionOf, unwildcard } from '../../actions.ts';
import { type Draft, drop, end, flow } from '../../draft.ts';
import { isGuarded, type LocalPort, sentBy, sentTo } from '../../local-port.ts';
import { address, arp, icmp6, ipv4, ipv6, multicast4, multicast6, rarp, tagged } from '../../matches.ts';
import { after } from '../../positions.ts';
import { register } from '../../registers.ts';
import type { PassReason } from '../../tables.ts';
import { highPortBits, isDhcp, udpLowPorts, udpOther } from '../../whole-fields.ts';

type Actions = readonly ActionOf<'ingress_guard'>[];
const whole4: Actions = [unwildcard('ip_dst')];
const whole6: Actions = [unwildcard('ipv6_dst')];
/** Of dropped packets the source too: they then share the mask of what rules need. */
const dropped4: Actions = [...whole4, unwildcard('ip_src')];
const dropped6: Actions = [...whole6, unwildcard('ipv6_src')];

export function ingressGuard(local: LocalPort): Draft[] {
  if (!isGuarded(local)) return [];
  const { port, pairs4, pairs6 } = local;
  const to = sentTo(local);
  const check = { goto: after('ingressGuard') } as const;
  const because = (reason: PassReason) => ({ reason, port: port.id });
  const ends = { drop: 'ingress', port: port.id } as const;
  const drafts: Draft[] = [
    end('ingress_guard', 'ownEcho', { ...to, ...sentBy(local) }, because('own-echo')),
    drop('ingress_guard', 'tagged', { ...to, ...tagged }, { reason: 'vlan-tagged', ...ends }),
    drop('ingress_guard', 'other', to, { reason: 'ethertype', ...ends }),
  ];
  if (port.mode === 'mac-only') {
    // Above the addresses that others hear, so that the port's megaflows match no address.
    for (const family of [ipv4, ipv6])
      drafts.push(flow('ingress_guard', 'macOnly', { ...family, ...to }, check, because('own-mac')));
    return drafts;
  }
  const foreign = { reason: 'foreign-destination', ...ends } as const;
  drafts.push(
    drop('ingress_guard', 'foreign', { ...ipv4, ...to }, foreign, dropped4),
    drop('ingress_guard', 'foreign', { ...ipv6, ...to }, foreign, dropped6),
  );
  // One address may be in several pairs, with several MACs.
  const own = new Map<string, Draft>();
  for (const { ip } of pairs4) {
    const match = { ...ipv4, ...to, ip_dst: address(ip) };
    const then = { ...check, actions: whole4 };
    own.set(`4/${ip.bits}/${ip.length}`, flow('ingress_guard', 'own', match, then, because('own-address')));
  }
  for (const { ip } of pairs6) {
    const match = { ...ipv6, ...to, ipv6_dst: address(ip) };
    const then = { ...check, actions: whole6 };
    own.set(`6/${ip.bits}/${ip.length}`, flow('ingress_guard', 'own', match, then, because('own-address')));
  }
  return [...drafts, ...own.values()];
}

export function subnetBroadcast(key: NetworkKey, subnet: Subnet): Draft[] {
  const broadcast = broadcastOf(subnet);
  if (broadcast === null) return [];
  const match = { ...ipv4, [register.network]: key, ip_dst: address(broadcast) };
  const why = { reason: 'subnet-broadcast', network: subnet.network } as const;
  return [flow('ingress_guard', 'own', match, { goto: after('ingressGuard') }, why)];
}

const typed = { reason: 'whole-fields' } as const;

const ingressTypeDefaults: readonly Draft[] = [
  flow(
    'ingress_type',
    'protocol',
    icmp6,
    { actions: [unwildcard('icmpv6_type')], goto: 'ingress_guard' },
    typed,
  ),
  ...isDhcp.map((match) =>
    flow(
      'ingress_type',
      'dhcp',
      match,
      {
        load: { [register.dhcp]: 1 },
        actions: [unwildcard('udp_src'), unwildcard('udp_dst')],
        goto: 'ingress_guard',
      },
      typed,
    ),
  ),
  ...udpLowPorts.map((match) =>
    flow(
      'ingress_type',
      'lowPorts',
      match,
      { actions: [unwildcard('udp_dst')], goto: 'ingress_guard' },
      typed,
    ),
  ),
  ...udpOther.map((match) =>
    flow(
      'ingress_type',
      'udp',
      match,
      { actions: [unwildcard('udp_dst', highPortBits)], goto: 'ingress_guard' },
      typed,
    ),
  ),
  flow('ingress_type', 'rest', {}, { goto: 'ingress_guard' }, typed),
];

const heardByAll = { goto: after('ingressGuard') } as const;

export const ingressGuardDefaults: readonly Draft[] = [
  ...ingressTypeDefaults,
  flow('ingress_guard', 'addressResolution', arp, { goto: after('ingressRules') }, { reason: 'arp' }),
  flow('ingress_guard', 'addressResolution', rarp, { goto: after('ingressRules') }, { reason: 'rarp' }),
  flow(
    'ingress_guard',
    'own',
    { ...ipv4, ip_dst: multicast4 },
    { ...heardByAll, actions: whole4 },
    { reason: 'multicast' },
  ),
  flow('ingress_guard', 'own', { ...ipv4, ip_dst: 0xffffffff }, heardByAll, { reason: 'broadcast' }),
  flow(
    'ingress_guard',
    'own',
    { ...ipv6, ipv6_dst: multicast6 },
    { ...heardByAll, actions: whole6 },
    { reason: 'multicast' },
  ),
];
