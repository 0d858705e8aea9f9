/**
 * Answers to "who has this address?" where the answer is known, so that the question need not be flooded.
 * Only for a fixed IP that nobody else may claim, of a port that some host holds. Never for a probe or a
 * gratuitous packet, never to the address's own holder (it would see a duplicate), and never to an unguarded
 * sender, whose packets may claim anything.
 */
import type { NetworkKey } from '../../model/numbers.ts';
import { broadcastMac, macToBits } from '../../net/mac.ts';
import { arpOps } from '../../net/packet/arp.ts';
import { etherTypes } from '../../net/packet/ethernet.ts';
import { icmpv6Types, naFlags, solicitedNodePrefix } from '../../net/packet/icmpv6.ts';
import { type Action, type FieldBits, type FieldName, ports } from '../../openflow/index.ts';
import { type Draft, flow } from '../draft.ts';
import type { Holder } from '../holders.ts';
import { type LocalPort, sentBy } from '../local-port.ts';
import { address, arp, discovery, icmp6 } from '../matches.ts';
import { flag, register, tables } from '../tables.ts';

const set = (field: FieldName, value: FieldBits): Action => ({ type: 'set_field', field, value });
const copy = (from: FieldName, to: FieldName, bits: number): Action => ({
  type: 'move',
  from: { field: from, offset: 0, bits },
  to: { field: to, offset: 0, bits },
});
const back: Action = { type: 'output', port: ports.inPort };

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

// Shared by all answers: there is one for each address of a network, so each saves its own.
const turned = copy('eth_src', 'eth_dst', 48);
const arpReply = set('arp_op', arpOps.reply);
const arpAsker = [copy('arp_sha', 'arp_tha', 48), copy('arp_spa', 'arp_tpa', 32)] as const;
const ndAsker = copy('ipv6_src', 'ipv6_dst', 128);
const ndReply = [
  set('icmpv6_type', icmpv6Types.neighbourAdvertisement),
  set('nd_reserved', naFlags.solicited | naFlags.override),
  set('nd_options_type', 2),
] as const;

/**
 * Rewriting ARP and neighbour discovery is done by ovs-vswitchd itself, so a guest's questions would be bounded by
 * nothing but its processor. The limit works before they come there: to stop questions in the datapath it must be in
 * a decision of its own, and a packet that was MPLS, if only for a moment, is looked at again before its next layers
 * are touched. A group that hashes does that too, but is one more thing to keep; a meter beside the rewriting is
 * asked by ovs-vswitchd, behind the burden.
 */
const within = (ethertype: number): readonly Action[] => [
  { type: 'resubmit', table: tables.answer_limit.id },
  { type: 'push_mpls', ethertype: etherTypes.mpls },
  { type: 'pop_mpls', ethertype },
];
const withinArp = within(etherTypes.arp);
const withinNd = within(etherTypes.ipv6);

/** How many questions of a port are answered; `meter` is null where the switch has none. */
export function answerLimit(local: LocalPort, meter: number | null): Draft[] {
  if (meter === null) return [];
  const actions: Action[] = [{ type: 'meter', meter }];
  const why = { reason: 'answer-limit', port: local.port.id };
  return [flow('answer_limit', 100, sentBy(local), { actions }, why)];
}

/** `answersNd`: whether the datapath can rewrite neighbour-discovery options. */
export function answer(key: NetworkKey, { address: ip, mac, port }: Holder, answersNd: boolean): Draft[] {
  const why = { reason: 'answer', network: port.network };
  const bits = macToBits(mac);
  if (ip.family === 4) {
    const match = { ...request, [register.network]: key, arp_tpa: address(ip) };
    const named = [set('eth_src', bits), set('arp_sha', bits), set('arp_spa', Number(ip.bits))];
    const actions = [...withinArp, turned, arpReply, ...arpAsker, ...named, back];
    return [flow('responder', 200, match, { actions }, why)];
  }
  if (!answersNd) return [];
  const of = { [register.network]: key, nd_target: ip.bits };
  const named = [set('eth_src', bits), set('ipv6_src', ip.bits)];
  const actions = [turned, ndAsker, ...named, ...ndReply];
  const known = { ...discovery, icmpv6_type: icmpv6Types.neighbourSolicitation, ...of };
  return [
    flow('responder', 200, { ...solicitation, ...of }, { actions: withinNd, goto: 'answer_nd' }, why),
    flow('answer_nd', 100, known, { actions, goto: 'answer_tll' }, why),
  ];
}

/** Questions about addresses that the asker itself may hold go to the others. */
export function ownQuestions(local: LocalPort): Draft[] {
  const { port, up, pairs4, pairs6 } = local;
  if (port.mode !== 'strict' || !up) return [];
  const from = sentBy(local);
  const pass = { goto: 'egress_qos' } as const;
  const why = { reason: 'own-address', port: port.id };
  const targets = new Map<string, Draft>();
  for (const { ip } of pairs4) {
    const match = { ...arp, ...from, arp_tpa: address(ip) };
    targets.set(`${ip.bits}/${ip.length}`, flow('responder', 250, match, pass, why));
  }
  for (const { ip } of pairs6) {
    const match = {
      ...discovery,
      icmpv6_type: icmpv6Types.neighbourSolicitation,
      ...from,
      nw_ttl: 255,
      nd_target: address(ip),
    };
    targets.set(`${ip.bits}/${ip.length}/6`, flow('responder', 250, match, pass, why));
  }
  return [...targets.values()];
}

export const responderDefaults: readonly Draft[] = [
  flow(
    'responder',
    310,
    { [register.flags]: { value: flag.unguarded, mask: flag.unguarded } },
    { goto: 'egress_qos' },
    { reason: 'unguarded' },
  ),
  flow('responder', 300, { ...arp, arp_spa: 0 }, { goto: 'egress_qos' }, { reason: 'probe' }),
  flow(
    'responder',
    300,
    { ...icmp6, icmpv6_type: icmpv6Types.neighbourSolicitation, nw_ttl: 255, ipv6_src: 0n },
    { goto: 'egress_qos' },
    { reason: 'probe' },
  ),
  flow('responder', 0, {}, { goto: 'egress_qos' }, { reason: 'no-service' }),
  flow(
    'answer_tll',
    100,
    { ...icmp6, icmpv6_type: icmpv6Types.neighbourAdvertisement },
    { actions: [copy('eth_src', 'nd_tll', 48), back] },
    { reason: 'answer' },
  ),
];
