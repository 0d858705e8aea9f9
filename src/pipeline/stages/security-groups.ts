/**
 * Security groups, the same on both sides. A local port is known by its *set* of groups, a peer's address by its
 * *class* (the locally named groups that it belongs to), both small integers found once; a rule is a
 * conjunction of set, peer and service with an id of its own. So a port that joins a group, or a member that
 * joins a remote group, is one flow whatever the number of rules.
 */
import type { Read } from '../../base/dataflow.ts';
import type { Direction, GroupId, Rule } from '../../policy/world.ts';
import { type Conjunction, clause, type Draft, drop, flow } from '../draft.ts';
import type { LocalPort } from '../local-port.ts';
import { address, ipOf } from '../matches.ts';
import { type Ids, idOrZero, type PeerClass, type Relations } from '../relations.ts';
import { flag, register } from '../tables.ts';
import { serviceMatches } from './services.ts';

const sides = {
  egress: {
    peer: 'egress_peer',
    rules: 'egress_rules',
    set: register.sourceSet,
    port: register.source,
    address: { 4: 'ip_dst', 6: 'ipv6_dst' },
    next: 'l2',
  },
  ingress: {
    peer: 'ingress_peer',
    rules: 'ingress_rules',
    set: register.destinationSet,
    port: register.destination,
    address: { 4: 'ip_src', 6: 'ipv6_src' },
    next: 'commit',
  },
} as const;

const directions: readonly Direction[] = ['egress', 'ingress'];

/** Whole accepts stand above conjunctions, so that what needs no class or port is decided without looking. */
const priority = { direct: 200, conjunction: 100, drop: 1 } as const;

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

/** The rule's verdict: for its conjunction, or at once for a set of groups when it asks nothing more. */
function accept(rule: Rule, ids: Ids, set?: number): Draft {
  const load = { [register.flags]: flag.commit };
  const why = { reason: 'rule', rule: rule.id };
  const level = set === undefined ? priority.conjunction : priority.direct;
  const conjunction = { conj_id: ids.rules.of(rule.id) };
  if (rule.direction === 'egress') {
    const match = set === undefined ? conjunction : { [register.sourceSet]: set, ...ipOf(rule.family) };
    return flow('egress_rules', level, match, { load, goto: 'l2' }, why);
  }
  const match = set === undefined ? conjunction : { [register.destinationSet]: set, ...ipOf(rule.family) };
  return flow('ingress_rules', level, match, { load, goto: 'commit' }, why);
}

/** What a set of groups in use contributes: its clause in each of its groups' rules. */
export function setRules(name: string, relations: Relations, ids: Ids, read: Read): Draft[] {
  const set = ids.sets.of(name);
  const drafts: Draft[] = [];
  const decided = new Set<string>();
  const groups = name.split(',') as GroupId[];
  const rules = groups.flatMap((group) => [...(read(relations.rulesOfGroup, group)?.values() ?? [])]);
  // Of rules that say the same, the first by id gives the flow its name, whatever order they came in.
  for (const rule of rules.sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const side = sides[rule.direction];
    const match = { [side.set]: set, ...ipOf(rule.family) };
    if (!isDirect(rule)) {
      drafts.push(clause(side.rules, priority.conjunction, match, share(rule, 'set', ids)));
    } else if (!decided.has(`${rule.direction}/${rule.family}`)) {
      decided.add(`${rule.direction}/${rule.family}`);
      drafts.push(accept(rule, ids, set));
    }
  }
  return drafts;
}

/** What a class of peers in use contributes: its clause in each rule that names one of its groups. */
export function classRules(
  direction: Direction,
  name: string,
  relations: Relations,
  ids: Ids,
  read: Read,
): Draft[] {
  const match = { [register.peer]: ids.classes.of(name) };
  return (name.split(',') as GroupId[]).flatMap((group) =>
    [...(read(relations.rulesNaming, `${direction}|${group}`)?.values() ?? [])].map((rule) =>
      clause(sides[direction].rules, priority.conjunction, match, share(rule, 'peer', ids)),
    ),
  );
}

/** What an active rule contributes by itself: its services, its prefix, and the verdict. */
export function ruleFlows(rule: Rule, ids: Ids): Draft[] {
  if (isDirect(rule)) return [];
  const side = sides[rule.direction];
  const drafts = (serviceMatches(rule.family, rule.service) ?? []).map((match) =>
    clause(side.rules, priority.conjunction, match, share(rule, 'service', ids)),
  );
  if (rule.remote.kind === 'prefix') {
    const { prefix } = rule.remote;
    const match = { ...ipOf(rule.family), [side.address[rule.family]]: address(prefix) };
    drafts.push(clause(side.rules, priority.conjunction, match, share(rule, 'peer', ids)));
  }
  drafts.push(accept(rule, ids));
  return drafts;
}

/** The class of one address, in the network where it is known. Longer prefixes win. */
export function peerFlow(direction: Direction, zone: number, peer: PeerClass, ids: Ids): Draft {
  const { family, length } = peer.address;
  const side = sides[direction];
  const match = { [register.network]: zone, ...ipOf(family), [side.address[family]]: address(peer.address) };
  const load = { [register.peer]: idOrZero(ids.classes, peer.name) };
  const why = { reason: 'peer', network: peer.network };
  return direction === 'egress'
    ? flow('egress_peer', 100 + length, match, { load, goto: 'egress_rules' }, why)
    : flow('ingress_peer', 100 + length, match, { load, goto: 'ingress_rules' }, why);
}

export function portRules({ port, key }: LocalPort): Draft[] {
  if (port.mode === 'off' || !port.adminUp) return [];
  return directions.map((direction) =>
    direction === 'egress'
      ? drop('egress_rules', priority.drop, { [register.source]: key }, 'egress-rules', 'egress', port.id)
      : drop(
          'ingress_rules',
          priority.drop,
          { [register.destination]: key },
          'ingress-rules',
          'ingress',
          port.id,
        ),
  );
}

const unclassed = { load: { [register.peer]: 0 } } as const;

export const securityGroupDefaults: readonly Draft[] = [
  flow('egress_peer', 0, {}, { ...unclassed, goto: 'egress_rules' }, { reason: 'no-class' }),
  flow('ingress_peer', 0, {}, { ...unclassed, goto: 'ingress_rules' }, { reason: 'no-class' }),
];
