/**
 * IP sources of a guarded port: eth_src and source address are one pair of the port. DHCP clients may speak
 * before they have an address. What their clients take for an answer is UDP for their port, whatever port it is
 * from; only a port that may serve DHCP sends it. Redirects and router advertisements of ICMP are nobody's.
 * Fragments show no ports here, so what must not be said in fragments either is caught again after conntrack
 * has put them together.
 */
import { macToBits } from '../../net/mac.ts';
import { icmpTypes } from '../../net/packet/icmp.ts';
import type { Pair } from '../../policy/world.ts';
import { type Draft, drop, flow, type MatchIn } from '../draft.ts';
import { type LocalPort, sentBy } from '../local-port.ts';
import { address, dhcp, icmp4, ipv4, ipv6 } from '../matches.ts';
import { register } from '../tables.ts';
import { wholeField } from '../whole.ts';

/** Sources are un-wildcarded whole (see whole.ts), also of what is refused. */
const sources = [
  { family: ipv4, field: 'ip_src' },
  { family: ipv6, field: 'ipv6_src' },
] as const;

export function guardIp(local: LocalPort): Draft[] {
  const { port, macs, named, prefixes } = local;
  const from = sentBy(local);
  const verified = { goto: 'egress_ct' } as const;
  const because = (reason: string) => ({ reason, port: port.id });
  const spoof = { reason: 'ip-spoof', drop: 'egress', port: port.id } as const;
  const never = (match: MatchIn<'guard_ip'>, reason: string): Draft =>
    drop('guard_ip', 300, { ...match, ...from }, reason, 'egress', port.id);

  const drafts: Draft[] = [
    never({ ...icmp4, icmp_type: icmpTypes.redirect }, 'redirect'),
    never({ ...icmp4, icmp_type: icmpTypes.routerAdvertisement }, 'ra'),
    ...sources.map(({ family, field }) =>
      flow('guard_ip', 1, { ...family, ...from }, { actions: [wholeField(field)] }, spoof),
    ),
  ];
  if (!port.dhcpServer)
    for (const answer of [dhcp.toClient4, dhcp.toClient6])
      drafts.push(never({ ...answer, [register.dhcp]: 1 }, 'dhcp-server'));

  if (port.mode === 'mac-only') {
    for (const family of [ipv4, ipv6])
      drafts.push(flow('guard_ip', 100, { ...family, ...from }, verified, because('own-mac')));
    return drafts;
  }
  for (const mac of macs) {
    const client = { ...dhcp.client4, ...from, [register.dhcp]: 1, eth_src: macToBits(mac), ip_src: 0 };
    drafts.push(flow('guard_ip', 200, client, { goto: 'responder' }, because('dhcp-client')));
  }
  const speaks = ({ mac, ip }: Pair, free: { readonly [register.sourceReserved]?: 0 }): Draft => {
    const own = { ...from, ...free, eth_src: macToBits(mac) };
    const then = (field: 'ip_src' | 'ipv6_src') => ({ ...verified, actions: [wholeField(field)] });
    return ip.family === 4
      ? flow('guard_ip', 100, { ...ipv4, ...own, ip_src: address(ip) }, then('ip_src'), because('pair'))
      : flow('guard_ip', 100, { ...ipv6, ...own, ipv6_src: address(ip) }, then('ipv6_src'), because('pair'));
  };
  return [
    ...drafts,
    ...named.map((pair) => speaks(pair, {})),
    ...prefixes.map((pair) => speaks(pair, { [register.sourceReserved]: 0 })),
  ];
}
