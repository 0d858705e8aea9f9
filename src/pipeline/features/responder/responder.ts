/**
 * Answers ARP requests and neighbour solicitations for known addresses, so that they need no flood.
 * Only for a fixed IP that no other port may claim, of a port that a host holds. Never answers a probe or a gratuitous
 * packet, nor the address's own holder, which would see a duplicate. Never answers an unguarded sender, whose packets may
 * claim anything.
 */
import type { NetworkKey } from '../../../model/numbers.ts';
import { broadcastMac, macToBits } from '../../../net/mac.ts';
import { arpOps } from '../../../net/packet/arp.ts';
import { etherTypes } from '../../../net/packet/ethernet.ts';
import { icmpv6Types, naFlags, solicitedNodePrefix } from '../../../net/packet/icmpv6.ts';
import { type ActionOf, copyField, meter, resubmit, rewrite, sendBack, throughMpls } from '../../actions.ts';
import { type Draft, flow } from '../../draft.ts';
import { type LocalPort, sentBy } from '../../local-port.ts';
import { address, arp, discovery, icmp6 } from '../../matches.ts';
import { after } from '../../positions.ts';
import { flag, register } from '../../registers.ts';
import type { Holder } from './holders.ts';

const request = { ...arp, arp_op: arpOps.request, eth_dst: macToBits(broadcastMac) } as const;
const solicitation = {
  ...discovery,
  nw_ttl: 255,
  icmpv6_type: icmpv6Types.neighbourSolicitation,
  ipv6_dst: address(solicitedNodePrefix),
  nd_options_type: 1,
} as const;

/** The port that holds an address alone and for good; undefined when the answer may change or differ. */
export function soleHolder(held: ReadonlyMap<unknown, Holder>): Holder | undefined {
  const [only, ...others] = held.values();
  const known = only?.how === 'fixed' && only.port.adminUp && only.port.host !== null;
  return others.length === 0 && known ? only : undefined;
}

// Shared by all answers: there is one for each address of a network.
const turnArp = copyField<'responder'>('eth_src', 'eth_dst', 48);
const arpReply = [
  rewrite<'responder'>('arp_op', arpOps.reply),
  copyField<'responder'>('arp_sha', 'arp_tha', 48),
  copyField<'responder'>('arp_spa', 'arp_tpa', 32),
];
const turnNd = [
  copyField<'answer_nd'>('eth_src', 'eth_dst', 48),
  copyField<'answer_nd'>('ipv6_src', 'ipv6_dst', 128),
];
const ndReply = [
  rewrite<'answer_nd'>('icmpv6_type', icmpv6Types.neighbourAdvertisement),
  rewrite<'answer_nd'>('nd_reserved', naFlags.solicited | naFlags.override),
  rewrite<'answer_nd'>('nd_options_type', 2),
];

/**
 * `ovs-vswitchd` itself rewrites ARP and neighbour discovery, so without a limit a guest's requests cost it as much CPU
 * as they can. The limit works in the datapath, before a request reaches ovs-vswitchd. For that it needs a megaflow
 * of its own: a packet that was MPLS, if only for a moment, is looked up again before its next layers are touched.
 * Rejected: a group that hashes does the same, but is one more thing to keep. A meter beside the rewriting is
 * applied by ovs-vswitchd, after the cost.
 */
const limited = (ethertype: number): readonly ActionOf<'responder'>[] => [
  resubmit('answer_limit'),
  ...throughMpls<'responder'>(etherTypes.mpls, ethertype),
];
export const limitedArp = limited(etherTypes.arp);
export const limitedNd = limited(etherTypes.ipv6);

/** Limits the answers for a port; `id` is null where the switch has no meters. */
export function answerLimit(local: LocalPort, id: number | null): Draft[] {
  if (id === null) return [];
  const why = { reason: 'answer-meter', port: local.port.id } as const;
  return [flow('answer_limit', 'port', sentBy(local), { actions: [meter(id)] }, why)];
}

/**
 * `answersNd`: whether the datapath can rewrite neighbour-discovery options. `asked`: questions to everybody, or those to
 * the holder itself.
 */
export function answer(
  key: NetworkKey,
  { address: ip, mac, port }: Holder,
  answersNd: boolean,
  asked: 'everybody' | 'holder' = 'everybody',
): Draft[] {
  const why = { reason: 'answer', network: port.network } as const;
  const bits = macToBits(mac);
  if (ip.family === 4) {
    const match = {
      ...request,
      ...(asked === 'holder' ? { eth_dst: bits } : {}),
      [register.network]: key,
      arp_tpa: address(ip),
    };
    const named = [
      rewrite<'responder'>('eth_src', bits),
      rewrite<'responder'>('arp_sha', bits),
      rewrite<'responder'>('arp_spa', Number(ip.bits)),
    ];
    const actions = [...limitedArp, turnArp, ...arpReply, ...named, sendBack<'responder'>()];
    return [flow('responder', 'known', match, { actions }, why)];
  }
  if (!answersNd) return [];
  const of = { [register.network]: key, nd_target: ip.bits };
  const named = [rewrite<'answer_nd'>('eth_src', bits), rewrite<'answer_nd'>('ipv6_src', ip.bits)];
  const actions = [...turnNd, ...named, ...ndReply];
  const known = { ...discovery, icmpv6_type: icmpv6Types.neighbourSolicitation, ...of };
  const question = { ...solicitation, ...of, ...(asked === 'holder' ? { ipv6_dst: ip.bits } : {}) };
  const toAnswer = flow('responder', 'known', question, { actions: limitedNd, goto: 'answer_nd' }, why);
  if (asked === 'holder') return [toAnswer];
  return [toAnswer, flow('answer_nd', 'known', known, { actions, goto: 'answer_tll' }, why)];
}

/** Requests for addresses that the asker itself may hold go to the other ports. */
export function ownRequests(local: LocalPort): Draft[] {
  const { port, up, pairs4, pairs6 } = local;
  if (port.mode !== 'strict' || !up) return [];
  const from = sentBy(local);
  const pass = { goto: after('responder') } as const;
  const why = { reason: 'own-address', port: port.id } as const;
  const targets = new Map<string, Draft>();
  for (const { ip } of pairs4) {
    const match = { ...arp, ...from, arp_tpa: address(ip) };
    targets.set(`${ip.bits}/${ip.length}`, flow('responder', 'ownAddress', match, pass, why));
  }
  for (const { ip } of pairs6) {
    const match = {
      ...discovery,
      icmpv6_type: icmpv6Types.neighbourSolicitation,
      ...from,
      nw_ttl: 255,
      nd_target: address(ip),
    };
    targets.set(`${ip.bits}/${ip.length}/6`, flow('responder', 'ownAddress', match, pass, why));
  }
  return [...targets.values()];
}

const notAnswered = { goto: after('responder') } as const;

/** A probe asks whether somebody has the address already. Only its holder may answer. */
const neverAnswerProbes: readonly Draft[] = [
  flow('responder', 'probe', { ...arp, arp_spa: 0 }, notAnswered, { reason: 'probe' }),
  flow(
    'responder',
    'probe',
    { ...icmp6, icmpv6_type: icmpv6Types.neighbourSolicitation, nw_ttl: 255, ipv6_src: 0n },
    notAnswered,
    { reason: 'probe' },
  ),
];

export const responderDefaults: readonly Draft[] = [
  flow(
    'responder',
    'unguarded',
    { [register.flags]: { value: flag.unguarded, mask: flag.unguarded } },
    notAnswered,
    { reason: 'unguarded' },
  ),
  ...neverAnswerProbes,
  flow('responder', 'none', {}, notAnswered, { reason: 'not-answered' }),
  flow(
    'answer_tll',
    'advertisement',
    { ...icmp6, icmpv6_type: icmpv6Types.neighbourAdvertisement },
    { actions: [copyField('eth_src', 'nd_tll', 48), sendBack()] },
    { reason: 'answer' },
  ),
];
