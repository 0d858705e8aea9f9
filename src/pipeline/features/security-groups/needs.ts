/**
 * Which fields the rules of a set of groups need to match, as bits of a register; these fields are un-wildcarded
 * whole (see whole-fields.ts). The rules' clauses match the same bits, so one tenant's rules un-wildcard nothing in
 * another's packets. Established connections skip these tables.
 */
import type { Read } from '../../../base/dataflow.ts';
import { protocols } from '../../../net/packet/transport.ts';
import type { Direction, Rule } from '../../../policy/world.ts';
import { unwildcard } from '../../actions.ts';
import { type Draft, flow } from '../../draft.ts';
import { icmp4, icmp6, ipOf } from '../../matches.ts';
import { need, register } from '../../registers.ts';
import type { Ids, Relations } from '../../relations.ts';
import { isDirect } from './rule-verdicts.ts';

/** A rule that allows everything of a family needs no field. */
function needsOf(rules: readonly Rule[]): number {
  if (rules.some(isDirect)) return 0;
  const l4 = rules.some(({ service }) => service.kind === 'ports' || service.kind === 'icmp');
  const peer = rules.some(({ remote }) => remote.kind !== 'any');
  return (l4 ? need.l4 : 0) | (peer ? need.peer : 0);
}

export function setNeeds(name: string, relations: Relations, ids: Ids, read: Read): Draft[] {
  const set = ids.sets.of(name);
  const all = read(relations.rulesOfSet, name) ?? [];
  const why = { reason: 'needs' } as const;
  return ([4, 6] as const).flatMap((family) => {
    const of = (direction: Direction) => ({
      [register.needs]: needsOf(all.filter((rule) => rule.direction === direction && rule.family === family)),
    });
    const sent = { ...ipOf(family), [register.sourceSet]: set };
    const heard = { ...ipOf(family), [register.destinationSet]: set };
    return [
      flow('egress_needs', 'set', sent, { load: of('egress'), goto: 'egress_whole' }, why),
      flow('ingress_needs', 'set', heard, { load: of('ingress'), goto: 'ingress_whole' }, why),
    ];
  });
}

/** By protocol: the fields that L4 matches use. */
const l4Fields = ([4, 6] as const).flatMap((family) => [
  ...(['tcp', 'udp', 'sctp'] as const).map((protocol) => ({
    family,
    match: { ...ipOf(family), ip_proto: protocols[protocol] },
    fields: [`${protocol}_dst`] as const,
  })),
  family === 4
    ? ({ family, match: icmp4, fields: ['icmp_type', 'icmp_code'] } as const)
    : ({ family, match: icmp6, fields: ['icmpv6_type', 'icmpv6_code'] } as const),
]);

/** Packets whose rules need just these fields. */
const needing = (bits: number) => ({ [register.needs]: { value: bits, mask: bits } });
const both = needing(need.l4 | need.peer);

const sourceField = { 4: 'ip_src', 6: 'ipv6_src' } as const;

const why = { reason: 'whole-fields' } as const;
const toDestination = unwildcard<'egress_whole'>('eth_dst');
/**
 * The peer, and the sender's own address: what the rules let out is cached by both (see ingress_guard), so what they
 * drop then has the same mask.
 */
const addresses = {
  4: [unwildcard<'egress_whole'>('ip_dst'), unwildcard<'egress_whole'>('ip_src')],
  6: [unwildcard<'egress_whole'>('ipv6_dst'), unwildcard<'egress_whole'>('ipv6_src')],
} as const;

const egressWhole: readonly Draft[] = [
  ...l4Fields.flatMap(({ family, match, fields }) => {
    const l4 = fields.map((field) => unwildcard<'egress_whole'>(field));
    return [
      flow(
        'egress_whole',
        'l4AndPeer',
        { ...match, ...both },
        { actions: [...l4, ...addresses[family], toDestination], goto: 'egress_peer' },
        why,
      ),
      flow(
        'egress_whole',
        'l4',
        { ...match, ...needing(need.l4) },
        { actions: [...l4, toDestination], goto: 'egress_rules' },
        why,
      ),
    ];
  }),
  ...([4, 6] as const).map((family) =>
    flow(
      'egress_whole',
      'peer',
      { ...ipOf(family), ...needing(need.peer) },
      { actions: [...addresses[family], toDestination], goto: 'egress_peer' },
      why,
    ),
  ),
  flow('egress_whole', 'neither', {}, { actions: [toDestination], goto: 'egress_rules' }, why),
];

const ingressWhole: readonly Draft[] = [
  ...l4Fields.flatMap(({ family, match, fields }) => {
    const l4 = fields.map((field) => unwildcard<'ingress_whole'>(field));
    const peer = unwildcard<'ingress_whole'>(sourceField[family]);
    return [
      flow(
        'ingress_whole',
        'l4AndPeer',
        { ...match, ...both },
        { actions: [...l4, peer], goto: 'ingress_peer' },
        why,
      ),
      flow(
        'ingress_whole',
        'l4',
        { ...match, ...needing(need.l4) },
        { actions: l4, goto: 'ingress_rules' },
        why,
      ),
    ];
  }),
  ...([4, 6] as const).map((family) =>
    flow(
      'ingress_whole',
      'peer',
      { ...ipOf(family), ...needing(need.peer) },
      { actions: [unwildcard(sourceField[family])], goto: 'ingress_peer' },
      why,
    ),
  ),
  flow('ingress_whole', 'neither', {}, { goto: 'ingress_rules' }, why),
];

const noNeeds = { load: { [register.needs]: 0 } } as const;

export const needsDefaults: readonly Draft[] = [
  flow('egress_needs', 'none', {}, { ...noNeeds, goto: 'egress_whole' }, { reason: 'no-needs' }),
  flow('ingress_needs', 'none', {}, { ...noNeeds, goto: 'ingress_whole' }, { reason: 'no-needs' }),
  ...egressWhole,
  ...ingressWhole,
];
