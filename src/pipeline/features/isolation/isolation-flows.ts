/** The flows of isolated networks. A copy that no flow permits ends, and is counted at its receiver. */
import type { Mac } from '../../../net/mac.ts';
import { macToBits } from '../../../net/mac.ts';
import { icmpTypes } from '../../../net/packet/icmp.ts';
import { icmpv6Types } from '../../../net/packet/icmpv6.ts';
import { type Draft, drop, end, flow } from '../../draft.ts';
import { type LocalPort, sentBy, sentTo } from '../../local-port.ts';
import { arp, groupAddress, icmp4, icmp6, unicastAddress, wholePacket } from '../../matches.ts';
import { after } from '../../positions.ts';
import { flag, outside, register } from '../../registers.ts';
import { inward } from '../physical/physical-flows.ts';
import type { LocalSegment } from '../physical/relations.ts';
import type { RouterPort } from '../routing/relations.ts';
import type { IsolatedNetwork } from './proxy-flows.ts';
import { inOrigin, roleNumbers } from './roles.ts';

const inOnePiece = {
  ip_frag: wholePacket,
  [register.flags]: { value: 0, mask: flag.piece },
} as const;
const solicitation = { ...icmp6, ...inOnePiece, icmpv6_type: icmpv6Types.neighbourSolicitation };
const advertisement = { ...icmp6, ...inOnePiece, icmpv6_type: icmpv6Types.routerAdvertisement };
const routerSolicitation = { ...icmp6, ...inOnePiece, icmpv6_type: icmpv6Types.routerSolicitation };
const fromPromiscuous = { [register.origin]: inOrigin(roleNumbers.promiscuous) } as const;

export function permitted(local: LocalPort): Draft[] {
  const { port, role } = local;
  if (role === 0 || !local.up) return [];
  const to = sentTo(local);
  const next = { goto: port.mode === 'off' ? after('ingressRules') : after('forwarding') } as const;
  const because = <R extends string>(reason: R) => ({ reason, port: port.id });
  const drafts: Draft[] = [
    end('isolation', 'ownEcho', { ...to, ...sentBy(local) }, because('own-echo')),
    drop('isolation', 'forbidden', to, { reason: 'isolated', drop: 'ingress', port: port.id }),
  ];
  if (role !== roleNumbers.isolated)
    drafts.push(
      flow('isolation', 'together', { ...to, [register.origin]: inOrigin(role) }, next, because('same-role')),
    );
  const isPromiscuous = role === roleNumbers.promiscuous;
  const unicast = { ...to, eth_dst: unicastAddress, ...(isPromiscuous ? {} : fromPromiscuous) };
  const group = { ...to, eth_dst: groupAddress };
  const groups = isPromiscuous
    ? [{ ...group, ...routerSolicitation }]
    : [arp, solicitation, advertisement].map((kind) => ({ ...group, ...fromPromiscuous, ...kind }));
  return [
    ...drafts,
    flow('isolation', 'unicast', unicast, next, because('promiscuous-port')),
    ...groups.map((match) => flow('isolation', 'gateway', match, next, because('gateway-discovery'))),
  ];
}

/** Forwarding takes only frames for the router's own MAC here. A project's own router need not be promiscuous. */
export function enteringRouter({ port, key, networkKey, role }: RouterPort): Draft[] {
  const to = sentTo({ key, networkKey });
  const next = { goto: after('ingressRules') } as const;
  const whys = { reason: 'promiscuous-port', port: port.id } as const;
  const refused = drop('isolation', 'forbidden', to, { reason: 'isolated', drop: 'egress', port: port.id });
  if (role === roleNumbers.promiscuous) return [flow('isolation', 'unicast', to, next, whys)];
  const fromAbove = flow('isolation', 'unicast', { ...to, ...fromPromiscuous }, next, whys);
  if (role === roleNumbers.isolated) return [fromAbove, refused];
  const together = { ...to, [register.origin]: inOrigin(role) };
  return [
    fromAbove,
    flow('isolation', 'together', together, next, { ...whys, reason: 'same-role' }),
    refused,
  ];
}

/** A gateway that sends packets back into the network must not tell senders to go straight (RFC 4562 2.3). */
export const noRedirects = ({ network, key }: IsolatedNetwork): Draft[] =>
  [
    { ...icmp4, icmp_type: icmpTypes.redirect },
    { ...icmp6, icmpv6_type: icmpv6Types.redirect },
  ].map((redirect) =>
    drop(
      'isolation',
      'redirect',
      { [register.network]: key, ...inOnePiece, ...redirect },
      { reason: 'redirect', drop: 'ingress', network },
    ),
  );

const toOutside = ({ key }: LocalSegment) => ({ [register.network]: key, [register.host]: outside }) as const;
const leaves = { goto: after('ingressRules') } as const;

/**
 * What leaves for a physical network, where no tunnel says who sent it. So the sender's host already refuses what it knows
 * to be for ports that the sender may not reach. `trusted`: who is unknown there counts as promiscuous.
 */
export function leaving(segment: LocalSegment, trusted: boolean): Draft[] {
  const { network } = segment;
  const to = toOutside(segment);
  const group = { ...to, eth_dst: groupAddress };
  const because = <R extends string>(reason: R) => ({ reason, network });
  return [
    flow('isolation', 'together', { ...to, ...fromPromiscuous }, leaves, because('promiscuous-port')),
    ...(trusted
      ? [
          flow(
            'isolation',
            'unicast',
            { ...to, eth_dst: unicastAddress },
            leaves,
            because('promiscuous-physical'),
          ),
          flow(
            'isolation',
            'gateway',
            { ...group, ...routerSolicitation },
            leaves,
            because('gateway-discovery'),
          ),
        ]
      : []),
    drop(
      'isolation',
      'fromIsolated',
      { ...group, [register.origin]: inOrigin(roleNumbers.isolated) },
      { reason: 'isolated', drop: 'egress', network },
    ),
    flow('isolation', 'ofCommunity', group, leaves, because('to-other-host')),
    drop('isolation', 'forbidden', to, { reason: 'isolated', drop: 'egress', network }),
  ];
}

/** Several ports of other hosts may have the MAC: then one that may be reached is enough. */
export function toOuterMac(segment: LocalSegment, mac: Mac, roles: readonly number[]): Draft[] {
  const { network } = segment;
  const to = { ...toOutside(segment), eth_dst: macToBits(mac) };
  const why = { reason: 'to-other-host', network } as const;
  if (roles.includes(roleNumbers.promiscuous)) return [flow('isolation', 'outerMac', to, leaves, why)];
  const communities = [...new Set(roles)].filter((role) => role !== roleNumbers.isolated);
  return [
    ...communities.map((role) =>
      flow('isolation', 'outerMac', { ...to, [register.origin]: inOrigin(role) }, leaves, why),
    ),
    drop('isolation', 'outerForbidden', to, { reason: 'isolated', drop: 'egress', network }),
  ];
}

/** The source MAC is all that tells who sent a frame, so the first port that has it stands for all. */
export const fromOuterMac = (segment: LocalSegment, mac: Mac, [role]: readonly number[]): Draft[] =>
  role === undefined ? [] : inward(segment, role, mac);
