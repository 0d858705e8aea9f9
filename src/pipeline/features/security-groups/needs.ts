/**
 * Which fields the rules of a set of groups need to match, as bits of a register; these fields are un-wildcarded
 * whole (see whole-fields.ts). The rules' clauses match the same bits, so one tenant's rules un-wildcard nothing in
 * another's packets. Established connections skip these tables.
 */
import type { Read } from '../../../base/dataflow.ts';
import { protocols } from '../../../net/packet/transport.ts';
import type { Direction, Rule } from '../../../policy/world.ts';
import { unwildcard } from '../../actions.ts';
import { type Draft, flow, type MatchIn } from '../../draft.ts';
import { icmp4, icmp6, ipOf } from '../../matches.ts';
import { need, register } from '../../registers.ts';
import type { Ids, Relations } from '../../relations.ts';
import { blockMask, highPortBits } from '../../whole-fields.ts';
import { portProtocols, splitBlocks } from './port-blocks.ts';
import { isDirect } from './rule-verdicts.ts';

/** A rule that allows everything of a family needs no field. All bits of ports are a matter of blocks (port-blocks.ts). */
function needsOf(rules: readonly Rule[]): number {
  if (rules.some(isDirect)) return 0;
  const l4 = rules.some(({ l4 }) => l4.kind === 'ports' || l4.kind === 'icmp');
  const peer = rules.some(({ remote }) => remote.kind !== 'any');
  return (l4 ? need.l4 : 0) | (peer ? need.peer : 0);
}

export function setNeeds(name: string, relations: Relations, ids: Ids, read: Read): Draft[] {
  const set = ids.sets.of(name);
  const all = read(relations.rulesOfSet, name) ?? [];
  const why = { reason: 'needs' } as const;
  return ([4, 6] as const).flatMap((family) => {
    const of = (direction: Direction) =>
      all.filter((rule) => rule.direction === direction && rule.family === family);
    const sent = { ...ipOf(family), [register.sourceSet]: set };
    const heard = { ...ipOf(family), [register.destinationSet]: set };
    return [
      ...needsByBlock(of('egress')).map(({ block, bits }) =>
        flow(
          'egress_needs',
          block === null ? 'set' : 'block',
          { ...sent, ...block },
          { load: { [register.needs]: bits }, goto: 'egress_whole' },
          why,
        ),
      ),
      ...needsByBlock(of('ingress')).map(({ block, bits }) =>
        flow(
          'ingress_needs',
          block === null ? 'set' : 'block',
          { ...heard, ...block },
          { load: { [register.needs]: bits }, goto: 'ingress_whole' },
          why,
        ),
      ),
    ];
  });
}

interface Needs {
  /** Packets to a block of ports; null is all others. */
  readonly block: Pick<MatchIn<'egress_needs'>, 'ip_proto' | 'tcp_dst' | 'udp_dst' | 'sctp_dst'> | null;
  readonly bits: number;
}

function needsByBlock(rules: readonly Rule[]): readonly Needs[] {
  const bits = needsOf(rules);
  const blocks = portProtocols.flatMap((protocol) =>
    splitBlocks(rules, protocol).map((value) => ({
      block: { ip_proto: protocols[protocol], [`${protocol}_dst`]: { value, mask: blockMask } },
      bits: bits | need.port,
    })),
  );
  return bits === 0 ? [{ block: null, bits }] : [...blocks, { block: null, bits }];
}

/** By protocol: the fields that L4 matches use. */
const portMatches = ([4, 6] as const).flatMap((family) =>
  portProtocols.map((protocol) => ({
    family,
    match: { ...ipOf(family), ip_proto: protocols[protocol] },
    fields: [`${protocol}_dst`] as const,
  })),
);
const icmpMatches = [
  { family: 4, match: icmp4, fields: ['icmp_type', 'icmp_code'] },
  { family: 6, match: icmp6, fields: ['icmpv6_type', 'icmpv6_code'] },
] as const;

/** Packets whose rules need just these fields. */
const needing = (bits: number) => ({ [register.needs]: { value: bits, mask: bits } });

const why = { reason: 'whole-fields' } as const;

const portBands = { alone: 'port', withPeer: 'portAndPeer' } as const;
const l4Bands = { alone: 'l4', withPeer: 'l4AndPeer' } as const;

/** What is un-wildcarded by L4, from which bit on, for each protocol and combination of needs. */
const l4Cases = [
  ...portMatches.flatMap(({ family, match, fields }) => [
    { family, match, bands: portBands, bits: need.l4 | need.port, fields, offset: 0 },
    { family, match, bands: l4Bands, bits: need.l4, fields, offset: highPortBits },
  ]),
  ...icmpMatches.map((icmp) => ({ ...icmp, bands: l4Bands, bits: need.l4, offset: 0 })),
];

const toDestination = unwildcard<'egress_whole'>('eth_dst');
/**
 * The peer, and the sender's own address: what the rules let out is cached by both (see ingress_guard), so what they
 * drop then has the same mask.
 */
const bothAddresses = {
  4: [unwildcard<'egress_whole'>('ip_dst'), unwildcard<'egress_whole'>('ip_src')],
  6: [unwildcard<'egress_whole'>('ipv6_dst'), unwildcard<'egress_whole'>('ipv6_src')],
} as const;
const sources = {
  4: [unwildcard<'ingress_whole'>('ip_src')],
  6: [unwildcard<'ingress_whole'>('ipv6_src')],
} as const;

const egressWhole: readonly Draft[] = [
  ...l4Cases.flatMap(({ family, match, bands, bits, fields, offset }) => {
    const l4 = fields.map((field) => unwildcard<'egress_whole'>(field, offset));
    return [
      flow(
        'egress_whole',
        bands.withPeer,
        { ...match, ...needing(bits | need.peer) },
        { actions: [...l4, ...bothAddresses[family], toDestination], goto: 'egress_peer' },
        why,
      ),
      flow(
        'egress_whole',
        bands.alone,
        { ...match, ...needing(bits) },
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
      { actions: [...bothAddresses[family], toDestination], goto: 'egress_peer' },
      why,
    ),
  ),
  flow('egress_whole', 'neither', {}, { actions: [toDestination], goto: 'egress_rules' }, why),
];

const ingressWhole: readonly Draft[] = [
  ...l4Cases.flatMap(({ family, match, bands, bits, fields, offset }) => {
    const l4 = fields.map((field) => unwildcard<'ingress_whole'>(field, offset));
    return [
      flow(
        'ingress_whole',
        bands.withPeer,
        { ...match, ...needing(bits | need.peer) },
        { actions: [...l4, ...sources[family]], goto: 'ingress_peer' },
        why,
      ),
      flow(
        'ingress_whole',
        bands.alone,
        { ...match, ...needing(bits) },
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
      { actions: sources[family], goto: 'ingress_peer' },
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
