/**
 * Inbound side of port security: a guarded port gets untagged frames, and of IP what is addressed to it, to
 * broadcast or to multicast.
 */
import type { NetworkKey } from '../../model/numbers.ts';
import { broadcastOf } from '../../policy/address-owners.ts';
import type { Subnet } from '../../policy/world.ts';
import { type Draft, drop, flow } from '../draft.ts';
import { type LocalPort, sentBy, sentTo } from '../local-port.ts';
import { address, arp, ipOf, ipv4, ipv6, multicast4, multicast6, rarp, tagged } from '../matches.ts';
import { register } from '../tables.ts';
import { wholeField } from '../whole.ts';

export function ingressGuard(local: LocalPort): Draft[] {
  const { port, up, pairs4, pairs6 } = local;
  if (port.mode === 'off' || !up) return [];
  const to = sentTo(local);
  const check = { goto: 'ingress_ct' } as const;
  const because = (reason: string) => ({ reason, port: port.id });
  const drafts: Draft[] = [
    flow('ingress_guard', 400, { ...to, ...sentBy(local) }, {}, because('own-echo')),
    drop('ingress_guard', 350, { ...to, ...tagged }, 'vlan-tagged', 'ingress', port.id),
    drop('ingress_guard', 1, to, 'ethertype', 'ingress', port.id),
  ];
  if (port.mode === 'mac-only') {
    // Above the addresses that others hear: a port that hears all asks for none.
    for (const family of [ipv4, ipv6])
      drafts.push(flow('ingress_guard', 210, { ...family, ...to }, check, because('own-mac')));
    return drafts;
  }
  const foreign = { reason: 'foreign-destination', drop: 'ingress', port: port.id } as const;
  // Destinations are un-wildcarded whole (see whole.ts).
  const whole = { 4: [wholeField('ip_dst')], 6: [wholeField('ipv6_dst')] } as const;
  // A refusal's source too: it shares the mask of what rules ask for.
  const refused = {
    4: [...whole[4], wholeField('ip_src')],
    6: [...whole[6], wholeField('ipv6_src')],
  } as const;
  for (const family of [4, 6] as const)
    drafts.push(
      flow('ingress_guard', 100, { ...ipOf(family), ...to }, { actions: refused[family] }, foreign),
    );
  // One address may be in several pairs, with several MACs.
  const own = new Map<string, Draft>();
  for (const { ip } of pairs4) {
    const match = { ...ipv4, ...to, ip_dst: address(ip) };
    const then = { ...check, actions: whole[4] };
    own.set(`4/${ip.bits}/${ip.length}`, flow('ingress_guard', 200, match, then, because('own-address')));
  }
  for (const { ip } of pairs6) {
    const match = { ...ipv6, ...to, ipv6_dst: address(ip) };
    const then = { ...check, actions: whole[6] };
    own.set(`6/${ip.bits}/${ip.length}`, flow('ingress_guard', 200, match, then, because('own-address')));
  }
  return [...drafts, ...own.values()];
}

export function subnetBroadcast(key: NetworkKey, subnet: Subnet): Draft[] {
  const broadcast = broadcastOf(subnet);
  if (broadcast === null) return [];
  const { network } = subnet;
  const match = { ...ipv4, [register.network]: key, ip_dst: address(broadcast) };
  return [flow('ingress_guard', 200, match, { goto: 'ingress_ct' }, { reason: 'subnet-broadcast', network })];
}

export const ingressGuardDefaults: readonly Draft[] = [
  flow('ingress_guard', 300, arp, { goto: 'commit' }, { reason: 'arp' }),
  flow('ingress_guard', 300, rarp, { goto: 'commit' }, { reason: 'rarp' }),
  flow(
    'ingress_guard',
    200,
    { ...ipv4, ip_dst: multicast4 },
    { actions: [wholeField('ip_dst')], goto: 'ingress_ct' },
    { reason: 'multicast' },
  ),
  flow(
    'ingress_guard',
    200,
    { ...ipv4, ip_dst: 0xffffffff },
    { goto: 'ingress_ct' },
    { reason: 'broadcast' },
  ),
  flow(
    'ingress_guard',
    200,
    { ...ipv6, ipv6_dst: multicast6 },
    { actions: [wholeField('ipv6_dst')], goto: 'ingress_ct' },
    { reason: 'multicast' },
  ),
];
