/**
 * Neighbour and listener discovery of a guarded port: targets and link-layer options must be its own, the code 0
 * and the hop limit 255 (RFC 4861 §7.1; 1 for listener reports). Source addresses are left to guard_ip, which every
 * packet with one passes next. Router advertisements come from ports that may serve DHCP: they tell
 * hosts whether to ask for addresses. Redirects, listener queries and what routers say never come from a guest.
 *
 * The option fields read 0 where the option is absent, so "absent or own" is two flows. They and the target read
 * 0 also in a message that cannot be read, such as one that repeats an option: no target, no passage.
 */

import { isHost, linkLocalPrefix } from '../../net/cidr.ts';
import { macToBits } from '../../net/mac.ts';
import { icmpv6Types as types } from '../../net/packet/icmpv6.ts';
import { type Draft, drop, flow } from '../draft.ts';
import { forbiddenTypes, reportTypes } from '../icmpv6-types.ts';
import { type LocalPort, sentBy } from '../local-port.ts';
import { address, discovery, icmp6, multicast6 } from '../matches.ts';
import { register } from '../tables.ts';

/** Marks the packet-in of a duplicate-address probe for a link-local address that nobody is known to hold. */
export const linkLocalProbe = 'link-local-probe';

export function guardNd(
  local: LocalPort,
  punt: { readonly userdata: Uint8Array; readonly meter: number } | null,
): Draft[] {
  const { port, macs, named, prefixes } = local;
  const from = { ...icmp6, ...sentBy(local) };
  const discovers = { ...discovery, ...sentBy(local) };
  const ends = (type: number, reason: string): Draft =>
    drop('guard_nd', 50, { ...from, icmpv6_type: type }, reason, 'egress', port.id);
  const drafts: Draft[] = [
    ...forbiddenTypes.map(([type, reason]) => ends(type, reason)),
    ...(port.dhcpServer ? [] : [ends(types.routerAdvertisement, 'ra')]),
    ...[types.neighbourSolicitation, types.neighbourAdvertisement].map((type) =>
      drop(
        'guard_nd',
        130,
        { ...discovers, icmpv6_type: type, nd_target: 0n },
        'nd-spoof',
        'egress',
        port.id,
      ),
    ),
    drop('guard_nd', 1, sentBy(local), 'nd-spoof', 'egress', port.id),
  ];
  const strict = port.mode === 'strict';
  const verified = { goto: strict ? 'guard_ip' : 'responder' } as const;
  const because = (reason: string) => ({ reason, port: port.id });

  for (const mac of macs) {
    const bits = macToBits(mac);
    const neighbour = { ...discovers, eth_src: bits, nw_ttl: 255 };
    const solicitation = { ...neighbour, icmpv6_type: types.neighbourSolicitation };
    for (const option of [0n, bits]) {
      drafts.push(flow('guard_nd', 100, { ...solicitation, nd_sll: option }, verified, because('ns')));
      if (strict) continue;
      const advertisement = { ...neighbour, icmpv6_type: types.neighbourAdvertisement, nd_tll: option };
      drafts.push(flow('guard_nd', 100, advertisement, verified, because('na')));
    }
    const routers = { ...neighbour, icmpv6_type: types.routerSolicitation };
    drafts.push(flow('guard_nd', 100, routers, verified, because('rs')));
    const router = { ...neighbour, icmpv6_type: types.routerAdvertisement };
    if (port.dhcpServer) drafts.push(flow('guard_nd', 100, router, verified, because('ra')));
    for (const type of reportTypes) {
      const report = { ...from, eth_src: bits, nw_ttl: 1, icmpv6_type: type, ipv6_dst: multicast6 };
      drafts.push(
        flow('guard_nd', 100, report, verified, because('mld-report')),
        flow('guard_nd', 120, { ...report, ipv6_src: 0n }, { goto: 'responder' }, because('mld-report')),
      );
    }
    if (!strict) continue;

    const unspecified = { ...neighbour, ipv6_src: 0n };
    const probe = { ...unspecified, icmpv6_type: types.neighbourSolicitation };
    drafts.push(
      flow(
        'guard_nd',
        120,
        { ...unspecified, icmpv6_type: types.routerSolicitation },
        { goto: 'responder' },
        because('rs'),
      ),
      drop('guard_nd', 110, probe, 'nd-spoof', 'egress', port.id),
    );
    // Unmetered, a guest could make the agent read as fast as it can send: then rather not at all.
    if (punt === null) continue;
    const { userdata, meter } = punt;
    drafts.push(
      flow(
        'guard_nd',
        115,
        { ...probe, nd_sll: 0n, nd_target: address(linkLocalPrefix) },
        { actions: [{ type: 'controller', userdata, meter }] },
        because(linkLocalProbe),
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
    // A link-local address that only a prefix covers becomes the port's by the agent's record, like any other.
    const priority = isHost(ip) ? 120 : 112;
    drafts.push(flow('guard_nd', priority, probe, { goto: 'responder' }, because('dad')));
    for (const option of [0n, bits]) {
      const advertisement = { ...own, icmpv6_type: types.neighbourAdvertisement, nd_tll: option };
      drafts.push(flow('guard_nd', 100, advertisement, verified, because('na')));
    }
  }
  return drafts;
}
