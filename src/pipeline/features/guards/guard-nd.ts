/**
 * Neighbour and listener discovery of a guarded port: targets and link-layer options are its own, the code is 0 and
 * the hop limit 255 (RFC 4861 §7.1; 1 for listener reports). `guard_ip` judges source addresses next. Only ports that
 * may serve DHCP send router advertisements. No guest sends redirects, listener queries and router messages.
 *
 * The option fields read 0 where the option is absent, so "absent or own" is two flows. They and the target read
 * 0 also in a message that the switch cannot read, such as one that repeats an option. So target 0 is dropped.
 */
import { isHost, linkLocalPrefix } from '../../../net/cidr.ts';
import { macToBits } from '../../../net/mac.ts';
import { icmpv6Types as types } from '../../../net/packet/icmpv6.ts';
import { punt } from '../../actions.ts';
import { type Draft, type DropWhy, drop, flow } from '../../draft.ts';
import { forbiddenTypes, reportTypes } from '../../icmpv6-types.ts';
import { type LocalPort, sentBy } from '../../local-port.ts';
import { address, discovery, icmp6, multicast6 } from '../../matches.ts';
import { after } from '../../positions.ts';
import { register } from '../../registers.ts';
import type { PassReason } from '../../tables.ts';

export function guardNd(
  local: LocalPort,
  probePunt: { readonly userdata: Uint8Array; readonly meter: number } | null,
): Draft[] {
  const { port, macs, named, prefixes } = local;
  const from = { ...icmp6, ...sentBy(local) };
  const discovers = { ...discovery, ...sentBy(local) };
  const because = (reason: PassReason) => ({ reason, port: port.id });
  const spoof = { reason: 'nd-spoof', drop: 'egress', port: port.id } as const;
  const forbidden = (type: number, reason: DropWhy['reason']): Draft =>
    drop('guard_nd', 'forbidden', { ...from, icmpv6_type: type }, { ...spoof, reason });
  const drafts: Draft[] = [
    ...forbiddenTypes.map(([type, reason]) => forbidden(type, reason)),
    ...(port.dhcpServer ? [] : [forbidden(types.routerAdvertisement, 'ra')]),
    ...[types.neighbourSolicitation, types.neighbourAdvertisement].map((type) =>
      drop('guard_nd', 'noTarget', { ...discovers, icmpv6_type: type, nd_target: 0n }, spoof),
    ),
    drop('guard_nd', 'spoofed', sentBy(local), spoof),
  ];
  const strict = port.mode === 'strict';
  const toResponder = { goto: after('egressRules') } as const;
  const verified = { goto: strict ? 'guard_ip' : after('egressRules') } as const;

  for (const mac of macs) {
    const bits = macToBits(mac);
    const neighbour = { ...discovers, eth_src: bits, nw_ttl: 255 };
    const solicitation = { ...neighbour, icmpv6_type: types.neighbourSolicitation };
    for (const option of [0n, bits]) {
      drafts.push(flow('guard_nd', 'own', { ...solicitation, nd_sll: option }, verified, because('ns')));
      if (strict) continue;
      const advertisement = { ...neighbour, icmpv6_type: types.neighbourAdvertisement, nd_tll: option };
      drafts.push(flow('guard_nd', 'own', advertisement, verified, because('na')));
    }
    const routers = { ...neighbour, icmpv6_type: types.routerSolicitation };
    drafts.push(flow('guard_nd', 'own', routers, verified, because('rs')));
    const router = { ...neighbour, icmpv6_type: types.routerAdvertisement };
    if (port.dhcpServer) drafts.push(flow('guard_nd', 'own', router, verified, because('ra')));
    for (const type of reportTypes) {
      const report = { ...from, eth_src: bits, nw_ttl: 1, icmpv6_type: type, ipv6_dst: multicast6 };
      drafts.push(
        flow('guard_nd', 'own', report, verified, because('mld-report')),
        flow('guard_nd', 'unspecified', { ...report, ipv6_src: 0n }, toResponder, because('mld-report')),
      );
    }
    if (!strict) continue;

    const unspecified = { ...neighbour, ipv6_src: 0n };
    const probe = { ...unspecified, icmpv6_type: types.neighbourSolicitation };
    drafts.push(
      flow(
        'guard_nd',
        'unspecified',
        { ...unspecified, icmpv6_type: types.routerSolicitation },
        toResponder,
        because('rs'),
      ),
      drop('guard_nd', 'foreignProbe', probe, spoof),
    );
    // Without a meter a guest could flood the agent with packets, so then nothing is punted.
    if (probePunt === null) continue;
    drafts.push(
      flow(
        'guard_nd',
        'newLinkLocal',
        { ...probe, nd_sll: 0n, nd_target: address(linkLocalPrefix) },
        { actions: [punt(probePunt.userdata, probePunt.meter)] },
        because('link-local-probe'),
      ),
    );
  }
  if (!strict) return drafts;

  for (const { mac, ip } of [...named, ...prefixes]) {
    if (ip.family !== 6) continue;
    const bits = macToBits(mac);
    const free = isHost(ip) ? {} : { [register.targetReserved]: 0 };
    const own = { ...discovers, ...free, eth_src: bits, nw_ttl: 255, nd_target: address(ip) };
    const probe = { ...own, icmpv6_type: types.neighbourSolicitation, ipv6_src: 0n, nd_sll: 0n };
    // A prefix does not give a link-local address: the agent judges the probe first, as any other.
    const band = isHost(ip) ? 'unspecified' : 'prefixProbe';
    drafts.push(flow('guard_nd', band, probe, toResponder, because('dad')));
    for (const option of [0n, bits]) {
      const advertisement = { ...own, icmpv6_type: types.neighbourAdvertisement, nd_tll: option };
      drafts.push(flow('guard_nd', 'own', advertisement, verified, because('na')));
    }
  }
  return drafts;
}
