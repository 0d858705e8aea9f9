/**
 * Local proxy ARP and ND (RFC 4562, RFC 6957). Questions of isolated ports and communities never reach their neighbours. The switch
 * answers with the gateway's MAC, and with the MAC itself of who may be reached. By the sender's port, so without port security too.
 *
 * An address that nobody has is answered by the prefix, and only to a port whose source addresses are guarded. The announcement of
 * another would look like a question for a neighbour, and the answer like a duplicate.
 */
import type { NetworkKey } from '../../../model/numbers.ts';
import { type Cidr, linkLocalOf } from '../../../net/cidr.ts';
import { broadcastMac, type Mac, macToBits } from '../../../net/mac.ts';
import { arpOps } from '../../../net/packet/arp.ts';
import { icmpv6Types, naFlags, solicitedNodePrefix } from '../../../net/packet/icmpv6.ts';
import type { Masked } from '../../../openflow/index.ts';
import type { NetworkId } from '../../../policy/world.ts';
import { type ActionOf, copyField, rewrite, sendBack } from '../../actions.ts';
import { type Draft, flow } from '../../draft.ts';
import { type LocalPort, sentBy } from '../../local-port.ts';
import { address, arp, discovery, groupAddress } from '../../matches.ts';
import { after } from '../../positions.ts';
import { flag, register } from '../../registers.ts';
import { limitedArp, limitedNd } from '../responder/responder.ts';
import { anyConfined, inOrigin, isConfinedRole, roleNumbers } from './roles.ts';

/** An isolated network here. */
export interface IsolatedNetwork {
  readonly network: NetworkId;
  readonly key: NetworkKey;
  readonly answersNd: boolean;
}

const request = { ...arp, arp_op: arpOps.request, eth_dst: macToBits(broadcastMac) } as const;
const solicitation = { ...discovery, nw_ttl: 255, icmpv6_type: icmpv6Types.neighbourSolicitation } as const;
const toEverybody = { ipv6_dst: address(solicitedNodePrefix), eth_dst: groupAddress } as const;
/** What may be answered: with the option that becomes that of the answer, or a probe for duplicates. */
const questions6 = [{ nd_options_type: 1 }, { ipv6_src: 0n }] as const;
const unanswered = { goto: after('responder') } as const;
const allNodes = { ip: (0xff02n << 112n) | 1n, mac: 0x3333_0000_0001n } as const;

/** The answer to an ARP request for any address: the target goes through `arp_tha`, which the answer fills last. */
const answerArp = (mac: bigint): readonly ActionOf<'responder'>[] => [
  ...limitedArp,
  copyField<'responder'>('eth_src', 'eth_dst', 48),
  copyField<'responder'>('arp_tpa', 'arp_tha', 32),
  copyField<'responder'>('arp_spa', 'arp_tpa', 32),
  copyField<'responder'>('arp_tha', 'arp_spa', 32),
  copyField<'responder'>('arp_sha', 'arp_tha', 48),
  rewrite<'responder'>('arp_op', arpOps.reply),
  rewrite<'responder'>('eth_src', mac),
  rewrite<'responder'>('arp_sha', mac),
  sendBack<'responder'>(),
];

const becomesAnswer = (mac: bigint, naFlag: number): readonly ActionOf<'answer_nd'>[] => [
  copyField<'answer_nd'>('nd_target', 'ipv6_src', 128),
  rewrite<'answer_nd'>('eth_src', mac),
  rewrite<'answer_nd'>('icmpv6_type', icmpv6Types.neighbourAdvertisement),
  rewrite<'answer_nd'>('nd_reserved', naFlag),
];

const toAsker = (mac: bigint): readonly ActionOf<'answer_nd'>[] => [
  copyField<'answer_nd'>('eth_src', 'eth_dst', 48),
  copyField<'answer_nd'>('ipv6_src', 'ipv6_dst', 128),
  ...becomesAnswer(mac, naFlags.solicited | naFlags.override),
  rewrite<'answer_nd'>('nd_options_type', 2),
];

/** A probe has no source to answer to (RFC 4861 7.2.4). */
const toAll = (mac: bigint): readonly ActionOf<'answer_nd'>[] => [
  rewrite<'answer_nd'>('eth_dst', allNodes.mac),
  rewrite<'answer_nd'>('ipv6_dst', allNodes.ip),
  ...becomesAnswer(mac, naFlags.override),
];

type Band = 'together' | 'proxied' | 'linkLocal' | 'prefix';
const bandsNd = {
  together: { probe: 'probeTogether', question: 'together' },
  proxied: { probe: 'probeProxied', question: 'proxied' },
  linkLocal: { probe: 'probeLinkLocal', question: 'linkLocal' },
  prefix: { probe: 'probeLinkLocal', question: 'prefix' },
} as const;

type From = {
  readonly [register.origin]: Masked;
  readonly [register.flags]?: typeof guarded;
};
const guarded = { value: 0, mask: flag.unguarded } as const;

/** `mac` null: the question goes on unanswered. Only strict ports ask by prefix, and their guards let no probe pass. */
function answerTo(of: IsolatedNetwork, band: Band, from: From, target: Cidr, mac: Mac | null): Draft[] {
  const { network, key, answersNd } = of;
  const why = { reason: mac === null ? 'not-answered' : 'answer', network } as const;
  const where = { [register.network]: key, ...from };
  if (target.family === 4) {
    const match = { ...request, ...where, arp_tpa: address(target) };
    const then = mac === null ? unanswered : { actions: answerArp(macToBits(mac)) };
    return [flow('responder', band, match, then, why)];
  }
  if (!answersNd) return [];
  const asked = { ...where, nd_target: address(target) };
  const questions = (band === 'prefix' ? questions6.slice(0, 1) : questions6).map((question) =>
    flow(
      'responder',
      band,
      { ...solicitation, ...toEverybody, ...asked, ...question },
      mac === null ? unanswered : { actions: limitedNd, goto: 'answer_nd' },
      why,
    ),
  );
  if (mac === null) return questions;
  const bits = macToBits(mac);
  const known = { ...discovery, icmpv6_type: icmpv6Types.neighbourSolicitation, ...asked };
  const { probe, question } = bandsNd[band];
  return [
    ...questions,
    flow('answer_nd', question, known, { actions: toAsker(bits), goto: 'answer_tll' }, why),
    ...(band === 'prefix'
      ? []
      : [
          flow(
            'answer_nd',
            probe,
            { ...known, ipv6_src: 0n },
            { actions: toAll(bits), goto: 'answer_tll' },
            why,
          ),
        ]),
  ];
}

/** Who holds an address: the roles of those ports, and the one MAC that it is at. */
export interface Held {
  readonly address: Cidr;
  readonly roles: readonly number[];
  readonly mac: Mac | null;
}

export function heldAnswers(
  of: IsolatedNetwork,
  { address: ip, roles, mac }: Held,
  gateway: Mac | null,
): Draft[] {
  const confined = { [register.origin]: anyConfined } as const;
  const everybody = roles.includes(roleNumbers.promiscuous);
  const communities = everybody ? [] : [...new Set(roles)].filter((role) => role !== roleNumbers.isolated);
  const { network, key } = of;
  const announced =
    ip.family === 4
      ? [
          flow(
            'responder',
            'announced',
            { ...request, [register.network]: key, ...confined, arp_spa: address(ip), arp_tpa: address(ip) },
            unanswered,
            { reason: 'not-answered', network },
          ),
        ]
      : [];
  return [
    ...announced,
    ...communities.flatMap((role) =>
      answerTo(of, 'together', { [register.origin]: inOrigin(role) }, ip, mac),
    ),
    ...answerTo(of, 'proxied', confined, ip, everybody ? mac : gateway),
  ];
}

/** A gateway, and the addresses that it stands for. */
export interface Gateway {
  readonly cidr: Cidr;
  readonly mac: Mac;
}

export function gatewayAnswers(of: IsolatedNetwork, { cidr, mac }: Gateway): Draft[] {
  const isolated = { [register.origin]: inOrigin(roleNumbers.isolated), [register.flags]: guarded } as const;
  return answerTo(of, 'prefix', isolated, cidr, mac);
}

/** Its link-local address; where gateways share a MAC, it is one. */
export const linkLocalAnswers = (of: IsolatedNetwork, mac: Mac): Draft[] =>
  answerTo(of, 'linkLocal', { [register.origin]: anyConfined }, linkLocalOf(mac), mac);

/** Questions for what the sender itself may have. */
export function ownQuestions(local: LocalPort): Draft[] {
  const { port, up, role, pairs4, pairs6 } = local;
  if (!up || !isConfinedRole(role)) return [];
  const from = sentBy(local);
  const why = { reason: 'own-address', port: port.id } as const;
  const targets = new Map<string, Draft>();
  for (const { ip } of pairs4)
    targets.set(
      `${ip.bits}/${ip.length}`,
      flow('responder', 'confinedOwn', { ...arp, ...from, arp_tpa: address(ip) }, unanswered, why),
    );
  for (const { ip } of pairs6)
    targets.set(
      `${ip.bits}/${ip.length}/6`,
      flow('responder', 'confinedOwn', { ...solicitation, ...from, nd_target: address(ip) }, unanswered, why),
    );
  return [...targets.values()];
}
