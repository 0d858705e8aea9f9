/**
 * Which fields the rules of a set of groups need to match, as bits of a register; these fields are un-wildcarded
 * whole (see whole.ts). The rules' clauses match the same bits, so one tenant's rules un-wildcard nothing in
 * another's packets. Established connections skip these tables.
 */
import type { Read } from '../../base/dataflow.ts';
import { protocols } from '../../net/packet/transport.ts';
import type { Direction, Rule } from '../../policy/world.ts';
import { type Draft, flow } from '../draft.ts';
import { icmp4, icmp6, ipOf } from '../matches.ts';
import type { Ids, Relations } from '../relations.ts';
import { need, register } from '../tables.ts';
import { udpByPort, udpToDhcp, wholeField } from '../whole.ts';
import { isDirect } from './rule-verdicts.ts';

/** A rule that allows everything of a family needs no field. */
function needsOf(rules: readonly Rule[]): number {
  if (rules.some(isDirect)) return 0;
  const service = rules.some(({ service }) => service.kind === 'ports' || service.kind === 'icmp');
  const peer = rules.some(({ remote }) => remote.kind !== 'any');
  return (service ? need.l4 : 0) | (peer ? need.peer : 0);
}

export function setNeeds(name: string, relations: Relations, ids: Ids, read: Read): Draft[] {
  const set = ids.sets.of(name);
  const all = read(relations.rulesOfSet, name) ?? [];
  const because = { reason: 'asks' };
  return ([4, 6] as const).flatMap((family) => {
    const of = (direction: Direction) => ({
      [register.needs]: needsOf(all.filter((rule) => rule.direction === direction && rule.family === family)),
    });
    const sent = { ...ipOf(family), [register.sourceSet]: set };
    const heard = { ...ipOf(family), [register.destinationSet]: set };
    return [
      flow('egress_needs', 100, sent, { load: of('egress'), goto: 'egress_whole' }, because),
      flow('ingress_needs', 100, heard, { load: of('ingress'), goto: 'ingress_whole' }, because),
    ];
  });
}

const peerField = {
  egress: { 4: 'ip_dst', 6: 'ipv6_dst' },
  ingress: { 4: 'ip_src', 6: 'ipv6_src' },
} as const;

/** By protocol: the fields that L4 matches use. */
const services = ([4, 6] as const).flatMap((family) => [
  ...(['tcp', 'udp', 'sctp'] as const).map((protocol) => ({
    family,
    match: { ...ipOf(family), ip_proto: protocols[protocol] },
    fields: [`${protocol}_dst`] as const,
  })),
  family === 4
    ? ({ family, match: icmp4, fields: ['icmp_type', 'icmp_code'] } as const)
    : ({ family, match: icmp6, fields: ['icmpv6_type', 'icmpv6_code'] } as const),
]);

const asked = (bits: number, of: number = bits) => ({ [register.needs]: { value: bits, mask: of } });

function looks(direction: Direction) {
  const peer = peerField[direction];
  const both = need.l4 | need.peer;
  return [
    ...services.flatMap(({ family, match, fields }) => [
      { priority: 220, match: { ...match, ...asked(both) }, fields: [...fields, peer[family]], peers: true },
      { priority: 210, match: { ...match, ...asked(need.l4) }, fields, peers: false },
    ]),
    ...([4, 6] as const).map((family) => ({
      priority: 200,
      match: { ...ipOf(family), ...asked(need.peer) },
      fields: [peer[family]],
      peers: true,
    })),
  ];
}

const because = { reason: 'whole-fields' } as const;

export const needsDefaults: readonly Draft[] = [
  flow('egress_needs', 0, {}, { load: { [register.needs]: 0 }, goto: 'egress_whole' }, because),
  flow('ingress_needs', 0, {}, { load: { [register.needs]: 0 }, goto: 'ingress_whole' }, because),
  ...looks('egress').map(({ priority, match, fields, peers }) => {
    const actions = [...fields.map(wholeField), wholeField('eth_dst')];
    const then = { actions, goto: peers ? 'egress_peer' : 'egress_rules' } as const;
    return flow('egress_whole', priority, match, then, because);
  }),
  ...looks('ingress').map(({ priority, match, fields, peers }) => {
    const then = { actions: fields.map(wholeField), goto: peers ? 'ingress_peer' : 'ingress_rules' } as const;
    return flow('ingress_whole', priority, match, then, because);
  }),
  flow('egress_whole', 0, {}, { actions: [wholeField('eth_dst')], goto: 'egress_rules' }, because),
  flow('ingress_whole', 0, {}, { goto: 'ingress_rules' }, because),
  flow('ingress_type', 105, icmp6, { actions: [wholeField('icmpv6_type')], goto: 'ingress_guard' }, because),
  ...udpToDhcp.map(({ priority, match, load, actions }) =>
    flow('ingress_type', priority, match, { load, actions, goto: 'ingress_guard' }, because),
  ),
  ...udpByPort.map(({ priority, match, actions }) =>
    flow('ingress_type', priority, match, { actions, goto: 'ingress_guard' }, because),
  ),
  flow('ingress_type', 0, {}, { goto: 'ingress_guard' }, because),
];
