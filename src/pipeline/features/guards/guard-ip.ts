/**
 * IP sources of a guarded port: eth_src and source address are one pair of the port. A DHCP client may speak before it
 * has an address. No guest sends redirects and router advertisements of ICMP.
 * Fragments show no types here. What a guest must not send in fragments either, `egress_state` drops behind the lookup.
 */
import { macToBits } from '../../../net/mac.ts';
import { icmpTypes } from '../../../net/packet/icmp.ts';
import type { Pair } from '../../../policy/world.ts';
import { unwildcard } from '../../actions.ts';
import { type Draft, drop, flow } from '../../draft.ts';
import { type LocalPort, sentBy } from '../../local-port.ts';
import { address, dhcp, icmp4, ipv4, ipv6 } from '../../matches.ts';
import { after } from '../../positions.ts';
import { register } from '../../registers.ts';
import type { PassReason } from '../../tables.ts';

/** Sources are un-wildcarded whole (see whole-fields.ts), also where the packet is dropped. */
const sources = [
  { family: ipv4, field: 'ip_src' },
  { family: ipv6, field: 'ipv6_src' },
] as const;

export function guardIp(local: LocalPort): Draft[] {
  const { port, macs, named, prefixes } = local;
  const from = sentBy(local);
  const verified = { goto: after('egressGuard') } as const;
  const because = (reason: PassReason) => ({ reason, port: port.id });
  const ends = { drop: 'egress', port: port.id } as const;

  const drafts: Draft[] = [
    drop(
      'guard_ip',
      'forbidden',
      { ...icmp4, icmp_type: icmpTypes.redirect, ...from },
      { reason: 'redirect', ...ends },
    ),
    drop(
      'guard_ip',
      'forbidden',
      { ...icmp4, icmp_type: icmpTypes.routerAdvertisement, ...from },
      { reason: 'ra', ...ends },
    ),
    ...sources.map(({ family, field }) =>
      drop('guard_ip', 'spoofed', { ...family, ...from }, { reason: 'ip-spoof', ...ends }, [
        unwildcard(field),
      ]),
    ),
  ];

  if (port.mode === 'mac-only') {
    for (const family of [ipv4, ipv6])
      drafts.push(flow('guard_ip', 'own', { ...family, ...from }, verified, because('own-mac')));
    return drafts;
  }
  for (const mac of macs) {
    const client = { ...dhcp.client4, ...from, [register.dhcp]: 1, eth_src: macToBits(mac), ip_src: 0 };
    const toServer = { goto: after('egressRules') } as const;
    drafts.push(flow('guard_ip', 'dhcpClient', client, toServer, because('dhcp-client')));
  }
  const speaks = ({ mac, ip }: Pair, free: { readonly [register.sourceReserved]?: 0 }): Draft => {
    const own = { ...from, ...free, eth_src: macToBits(mac) };
    return ip.family === 4
      ? flow(
          'guard_ip',
          'own',
          { ...ipv4, ...own, ip_src: address(ip) },
          { ...verified, actions: [unwildcard('ip_src')] },
          because('pair'),
        )
      : flow(
          'guard_ip',
          'own',
          { ...ipv6, ...own, ipv6_src: address(ip) },
          { ...verified, actions: [unwildcard('ipv6_src')] },
          because('pair'),
        );
  };
  return [
    ...drafts,
    ...named.map((pair) => speaks(pair, {})),
    ...prefixes.map((pair) => speaks(pair, { [register.sourceReserved]: 0 })),
  ];
}
