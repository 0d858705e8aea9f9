/**
 * Security groups, the same on both sides. A local port is known by its *set* of groups, a peer's address by its
 * *classes* (the locally named groups that it belongs to), small integers found once; a rule is a conjunction of
 * set, peer and service with an id of its own. So a port that joins a group, or a member that joins a remote
 * group, is one flow whatever the number of rules. The verdicts themselves are in rule-verdicts.ts.
 */

import type { Read } from '../../base/dataflow.ts';
import type { NetworkKey } from '../../model/numbers.ts';
import { protocols } from '../../net/packet/transport.ts';
import type { Direction, Rule } from '../../policy/world.ts';
import { type Conjunction, clause, type Draft, flow, type Provenance } from '../draft.ts';
import type { IdSpace } from '../ids.ts';
import { l4Matches } from '../l4-matches.ts';
import { type LocalPort, sentBy, sentTo } from '../local-port.ts';
import { address, icmp4, icmp6, ipOf, ipv4, ipv6 } from '../matches.ts';
import type { PeerClass } from '../peers.ts';
import { type Ids, idOrZero, type Relations } from '../relations.ts';
import { need, register } from '../tables.ts';

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

/** Verdicts stand above conjunctions; what nothing admits ends below. */
const priority = { conjunction: 90, dropOf: 2, drop: 1 } as const;

/**
 * Rules are spread over levels by their ids. All clauses in one match are one flow, in one message of 64 KB at most:
 * on a single level, a set of 4,000 rules would be more than the switch can be told.
 */
const levels = 8;
const levelOf = (rule: Rule, ids: Ids): number => priority.conjunction + (ids.rules.of(rule.id) % levels);

type Part = 'set' | 'peer' | 'service';

function partsOf(rule: Rule): readonly Part[] {
  const parts: Part[] = ['set'];
  if (rule.remote.kind !== 'any') parts.push('peer');
  if (rule.service.kind !== 'any') parts.push('service');
  return parts;
}

function share(rule: Rule, part: Part, ids: Ids): Conjunction {
  const parts = partsOf(rule);
  return { id: ids.rules.of(rule.id), clause: parts.indexOf(part) + 1, of: parts.length };
}

const isDirect = (rule: Rule): boolean => partsOf(rule).length === 1;

/** The clause of a set of groups in use in each of its groups' rules. */
export function setClauses(name: string, relations: Relations, ids: Ids, read: Read): Draft[] {
  const set = ids.sets.of(name);
  return (read(relations.rulesOfSet, name) ?? [])
    .filter((rule) => !isDirect(rule))
    .map((rule) => {
      const side = sides[rule.direction];
      const match = { [side.set]: set, ...ipOf(rule.family) };
      return clause(side.rules, levelOf(rule, ids), match, share(rule, 'set', ids));
    });
}

/** The two kinds of classes, by the relations that they come from. */
export const classKinds = ['members', 'addresses'] as const;
export type ClassKind = (typeof classKinds)[number];
export const classIds = (kind: ClassKind, ids: Ids): IdSpace =>
  kind === 'members' ? ids.classes : ids.addressClasses;

/** The clause of a class in use in each rule that names one of its groups. */
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
        clause(sides[direction].rules, levelOf(rule, ids), match, share(rule, 'peer', ids)),
      ),
    );
}

const asking = (bit: number) => ({ [register.needs]: { value: bit, mask: bit } });

/** What an active rule contributes by itself: its services and its prefix. */
export function ruleClauses(rule: Rule, stateful: boolean, ids: Ids): Draft[] {
  if (isDirect(rule)) return [];
  const side = sides[rule.direction];
  const level = levelOf(rule, ids);
  // Asked for only in packets of sets whose rules ask (see needs.ts); a protocol alone takes no look at ports.
  const asked = rule.service.kind === 'protocol' ? {} : asking(need.l4);
  const drafts = (l4Matches(rule.family, rule.service, stateful) ?? []).map((match) =>
    clause(side.rules, level, { ...match, ...asked }, share(rule, 'service', ids)),
  );
  if (rule.remote.kind === 'prefix') {
    const { prefix } = rule.remote;
    const match = {
      ...ipOf(rule.family),
      ...asking(need.peer),
      [side.address[rule.family]]: address(prefix),
    };
    drafts.push(clause(side.rules, level, match, share(rule, 'peer', ids)));
  }
  return drafts;
}

/** The class of a block of members, in the network where they are known. Longer prefixes win. */
export function memberFlow(direction: Direction, key: NetworkKey, peer: PeerClass, ids: Ids): Draft {
  const { family, length } = peer.address;
  const side = sides[direction];
  const match = { [register.network]: key, ...ipOf(family), [side.address[family]]: address(peer.address) };
  const load = { [register.peer]: idOrZero(ids.classes, peer.name) };
  const why = peer.network === null ? { reason: 'peer' } : { reason: 'peer', network: peer.network };
  return direction === 'egress'
    ? flow('egress_peer', 100 + length, match, { load, goto: 'egress_addresses' }, why)
    : flow('ingress_peer', 100 + length, match, { load, goto: 'ingress_addresses' }, why);
}

/** The class of a block of address groups' prefixes, the same in every network. */
export function addressFlow(direction: Direction, peer: PeerClass, ids: Ids): Draft {
  const { family, length } = peer.address;
  const match = { ...ipOf(family), [sides[direction].address[family]]: address(peer.address) };
  const load = { [register.addresses]: idOrZero(ids.addressClasses, peer.name) };
  const why = { reason: 'address' };
  return direction === 'egress'
    ? flow('egress_addresses', 100 + length, match, { load, goto: 'egress_rules' }, why)
    : flow('ingress_addresses', 100 + length, match, { load, goto: 'ingress_rules' }, why);
}

/** What is told apart of the packets that no rule admits. */
const told = [
  { protocol: 'icmp', match: icmp4 },
  { protocol: 'icmp', match: icmp6 },
  ...(['tcp', 'udp', 'sctp'] as const).flatMap((protocol) =>
    [ipv4, ipv6].map((family) => ({ protocol, match: { ...family, ip_proto: protocols[protocol] } })),
  ),
];

/** The end of what no rule of a port admits, counted by port, direction and protocol. */
export function portDenials(local: LocalPort): Draft[] {
  const { port, up } = local;
  if (port.mode === 'off' || !up) return [];
  const because = (way: Direction, protocol: string): Omit<Provenance, 'stage'> => ({
    reason: `${way}-rules`,
    drop: way,
    port: port.id,
    protocol,
  });
  const from = sentBy(local);
  const to = sentTo(local);
  return [
    flow('egress_rules', priority.drop, from, {}, because('egress', 'other')),
    flow('ingress_rules', priority.drop, to, {}, because('ingress', 'other')),
    ...told.flatMap(({ protocol, match }) => [
      flow('egress_rules', priority.dropOf, { ...match, ...from }, {}, because('egress', protocol)),
      flow('ingress_rules', priority.dropOf, { ...match, ...to }, {}, because('ingress', protocol)),
    ]),
  ];
}

const unclassed = { reason: 'no-class' } as const;

export const securityGroupDefaults: readonly Draft[] = [
  flow('egress_peer', 0, {}, { load: { [register.peer]: 0 }, goto: 'egress_addresses' }, unclassed),
  flow('ingress_peer', 0, {}, { load: { [register.peer]: 0 }, goto: 'ingress_addresses' }, unclassed),
  flow('egress_addresses', 0, {}, { load: { [register.addresses]: 0 }, goto: 'egress_rules' }, unclassed),
  flow('ingress_addresses', 0, {}, { load: { [register.addresses]: 0 }, goto: 'ingress_rules' }, unclassed),
];
