/**
 * Clauses of security-group rules, the same on both sides. A small integer stands for a local port's *set* of groups.
 * Others stand for a peer address's *classes*: its groups, as far as rules here name them. A rule is a
 * conjunction of set, peer and L4 match with an id of its own. So a port that joins a group, or a member that joins a
 * remote group, is one flow whatever the number of rules. The verdicts are in rule-verdicts.ts.
 */
import type { Read } from '../../../base/dataflow.ts';
import type { NetworkKey } from '../../../model/numbers.ts';
import { macToBits } from '../../../net/mac.ts';
import { protocols } from '../../../net/packet/transport.ts';
import type { Direction, Rule } from '../../../policy/world.ts';
import { resubmit } from '../../actions.ts';
import { type Conjunction, clause, type Draft, type DropWhy, drop, flow, type PassWhy } from '../../draft.ts';
import type { IdSpace } from '../../ids.ts';
import { idOrZero } from '../../ids.ts';
import { isGuarded, type LocalPort, sentBy, sentTo } from '../../local-port.ts';
import { address, icmp4, icmp6, ipOf, ipv4, ipv6 } from '../../matches.ts';
import { need, register } from '../../registers.ts';
import type { Ids, Relations } from '../../relations.ts';
import type { Band } from '../../rows.ts';
import { bandOf } from '../../tables.ts';
import type { RouterPort } from '../routing/relations.ts';
import { type L4FlowMatch, l4Matches } from './l4-matches.ts';
import type { PeerClass } from './peers.ts';
import { isWholeBlocks } from './port-blocks.ts';
import { isDirect } from './rule-verdicts.ts';

const sides = {
  egress: {
    rules: 'egress_rules',
    set: register.sourceSet,
    port: register.source,
    address: { 4: 'ip_dst', 6: 'ipv6_dst' },
  },
  ingress: {
    rules: 'ingress_rules',
    set: register.destinationSet,
    port: register.destination,
    address: { 4: 'ip_src', 6: 'ipv6_src' },
  },
} as const;

/**
 * Rules are spread over the levels of a band by their ids. All clauses in one match are one flow, in one message of 64 KB
 * at most: on a single level, a set of 4,000 rules would be larger than that.
 */
const levels = levelsOf(bandOf('egress_rules', 'clause'));
function levelsOf(band: Band | undefined): number {
  return typeof band === 'object' ? band[1] - band[0] + 1 : 1;
}
const bandFor = (rule: Rule, ids: Ids) =>
  ({ band: 'clause', level: ids.rules.of(rule.id) % levels }) as const;

type Part = 'set' | 'peer' | 'l4';

function partsOf(rule: Rule): readonly Part[] {
  const parts: Part[] = ['set'];
  if (rule.remote.kind !== 'any') parts.push('peer');
  if (rule.l4.kind !== 'any') parts.push('l4');
  return parts;
}

function share(rule: Rule, part: Part, ids: Ids): Conjunction {
  const parts = partsOf(rule);
  return { id: ids.rules.of(rule.id), clause: parts.indexOf(part) + 1, of: parts.length };
}

/** The clauses of a set of groups in its groups' rules. */
export function setClauses(name: string, relations: Relations, ids: Ids, read: Read): Draft[] {
  const set = ids.sets.of(name);
  return (read(relations.rulesOfSet, name) ?? [])
    .filter((rule) => !isDirect(rule))
    .map((rule) => {
      const side = sides[rule.direction];
      const match = { [side.set]: set, ...ipOf(rule.family) };
      return clause(side.rules, bandFor(rule, ids), match, share(rule, 'set', ids));
    });
}

/** The two kinds of classes, named as the relations that they come from. */
export const classKinds = ['members', 'addresses'] as const;
export type ClassKind = (typeof classKinds)[number];
export const classIds = (kind: ClassKind, ids: Ids): IdSpace =>
  kind === 'members' ? ids.classes : ids.addressClasses;

/** The clauses of a class in the rules that name one of its groups. */
export function classClauses(
  kind: ClassKind,
  direction: Direction,
  name: string,
  relations: Relations,
  ids: Ids,
  read: Read,
): Draft[] {
  const id = classIds(kind, ids).of(name);
  const match = kind === 'members' ? { [register.peer]: id } : { [register.addresses]: id };
  return name
    .split(',')
    .flatMap((group) =>
      [...(read(relations[kind].rulesNaming, `${direction}|${group}`)?.values() ?? [])].map((rule) =>
        clause(sides[direction].rules, bandFor(rule, ids), match, share(rule, 'peer', ids)),
      ),
    );
}

const needing = (bit: number) => ({ [register.needs]: { value: bit, mask: bit } });

/** Matches a bit of needs.ts, so that other packets keep their ports wildcarded. A protocol alone needs none. */
function neededFor({ l4 }: Rule, { tcp_dst, udp_dst, sctp_dst }: L4FlowMatch) {
  if (l4.kind === 'protocol') return {};
  const port = tcp_dst ?? udp_dst ?? sctp_dst;
  return needing(port === undefined || isWholeBlocks(port) ? need.l4 : need.port);
}

/** The clauses of an active rule: its L4 match and its prefix. */
export function ruleClauses(rule: Rule, stateful: boolean, ids: Ids): Draft[] {
  if (isDirect(rule)) return [];
  const side = sides[rule.direction];
  const band = bandFor(rule, ids);
  const drafts = (l4Matches(rule.family, rule.l4, stateful) ?? []).map((match) =>
    clause(side.rules, band, { ...match, ...neededFor(rule, match) }, share(rule, 'l4', ids)),
  );
  if (rule.remote.kind === 'prefix') {
    const { prefix } = rule.remote;
    const match = {
      ...ipOf(rule.family),
      ...needing(need.peer),
      [side.address[rule.family]]: address(prefix),
    };
    drafts.push(clause(side.rules, band, match, share(rule, 'peer', ids)));
  }
  return drafts;
}

/** Packets to a router: the peer is in one of the router's networks. Packets from one have its number already. */
export const toRouter = ({ number, networkKey, port }: RouterPort): Draft =>
  flow(
    'egress_peer',
    'toRouter',
    { [register.network]: networkKey, [register.router]: 0, eth_dst: macToBits(port.mac) },
    { load: { [register.router]: number }, actions: [resubmit<'egress_peer'>('egress_peer')] },
    { reason: 'to-router', port: port.id },
  );

/** Behind a router, what the port's own network says of an address counts for nothing. */
export const routedStrangers = (number: number): Draft[] => {
  const match = { [register.router]: number };
  return [
    flow('egress_peer', 'routedNone', match, { load: noPeer, goto: 'egress_addresses' }, why),
    flow('ingress_peer', 'routedNone', match, { load: noPeer, goto: 'ingress_addresses' }, why),
  ];
};

/** The class of a block of members behind a router. */
export function routedMemberFlow(direction: Direction, peer: PeerClass, ids: Ids): Draft | null {
  if (peer.router === null) return null;
  const { family, length } = peer.address;
  const at = { band: 'routed', level: length } as const;
  const match = {
    [register.router]: peer.router.number,
    ...ipOf(family),
    [sides[direction].address[family]]: address(peer.address),
  };
  const load = { [register.peer]: idOrZero(ids.classes, peer.name) };
  const why = { reason: 'peer' } as const;
  return direction === 'egress'
    ? flow('egress_peer', at, match, { load, goto: 'egress_addresses' }, why)
    : flow('ingress_peer', at, match, { load, goto: 'ingress_addresses' }, why);
}

/** The class of a block of members, in the network where they are known. Longer prefixes win. */
export function memberFlow(direction: Direction, key: NetworkKey, peer: PeerClass, ids: Ids): Draft {
  const { family, length } = peer.address;
  const side = sides[direction];
  const match = { [register.network]: key, ...ipOf(family), [side.address[family]]: address(peer.address) };
  const load = { [register.peer]: idOrZero(ids.classes, peer.name) };
  const why: PassWhy = peer.network === null ? { reason: 'peer' } : { reason: 'peer', network: peer.network };
  return direction === 'egress'
    ? flow('egress_peer', { band: 'prefix', level: length }, match, { load, goto: 'egress_addresses' }, why)
    : flow(
        'ingress_peer',
        { band: 'prefix', level: length },
        match,
        { load, goto: 'ingress_addresses' },
        why,
      );
}

/** The class of a block of address groups' prefixes, the same in every network. */
export function addressFlow(direction: Direction, peer: PeerClass, ids: Ids): Draft {
  const { family, length } = peer.address;
  const match = { ...ipOf(family), [sides[direction].address[family]]: address(peer.address) };
  const load = { [register.addresses]: idOrZero(ids.addressClasses, peer.name) };
  const why = { reason: 'address' } as const;
  return direction === 'egress'
    ? flow('egress_addresses', { band: 'prefix', level: length }, match, { load, goto: 'egress_rules' }, why)
    : flow(
        'ingress_addresses',
        { band: 'prefix', level: length },
        match,
        { load, goto: 'ingress_rules' },
        why,
      );
}

/** The protocols by which drops are counted. */
const countedProtocols = [
  { protocol: 'icmp', match: icmp4 },
  { protocol: 'icmp', match: icmp6 },
  ...(['tcp', 'udp', 'sctp'] as const).flatMap((protocol) =>
    [ipv4, ipv6].map((family) => ({ protocol, match: { ...family, ip_proto: protocols[protocol] } })),
  ),
];

/** The drops of packets that no rule of a port admits, by port, direction and protocol. */
export function portDenials(local: LocalPort): Draft[] {
  if (!isGuarded(local)) return [];
  const { port } = local;
  const why = (drop: Direction, protocol: string): DropWhy => ({
    reason: `${drop}-rules`,
    drop,
    port: port.id,
    protocol,
  });
  const from = sentBy(local);
  const to = sentTo(local);
  return [
    drop('egress_rules', 'denied', from, why('egress', 'other')),
    drop('ingress_rules', 'denied', to, why('ingress', 'other')),
    ...countedProtocols.flatMap(({ protocol, match }) => [
      drop('egress_rules', 'deniedProtocol', { ...match, ...from }, why('egress', protocol)),
      drop('ingress_rules', 'deniedProtocol', { ...match, ...to }, why('ingress', protocol)),
    ]),
  ];
}

const noPeer = { [register.peer]: 0 };
const noAddresses = { [register.addresses]: 0 };
const why = { reason: 'no-class' } as const;

export const clauseDefaults: readonly Draft[] = [
  flow('egress_peer', 'none', {}, { load: noPeer, goto: 'egress_addresses' }, why),
  flow('ingress_peer', 'none', {}, { load: noPeer, goto: 'ingress_addresses' }, why),
  flow('egress_addresses', 'none', {}, { load: noAddresses, goto: 'egress_rules' }, why),
  flow('ingress_addresses', 'none', {}, { load: noAddresses, goto: 'ingress_rules' }, why),
];
