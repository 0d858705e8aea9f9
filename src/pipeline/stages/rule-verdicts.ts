/**
 * The verdicts of security-group rules: one that needs no peer and no service is decided for a set of groups or a
 * port at once, any other where its conjunction is complete. Each says which rule it was, so that its counters
 * are the rule's; a twin counts the packets that begin a connection of a port that is not on record yet.
 *
 * While a group is small, verdicts are said for each of its ports apart, so that their counters tell rule and
 * port; beyond that once for all, since counting must not multiply rules with ports.
 */
import type { Read } from '../../base/dataflow.ts';
import type { GroupId, Rule } from '../../policy/world.ts';
import { type Draft, flow, type MatchIn } from '../draft.ts';
import { type LocalPort, sentBy, sentTo } from '../local-port.ts';
import { ctState, ipOf } from '../matches.ts';
import type { Ids, Relations } from '../relations.ts';
import { flag, register } from '../tables.ts';

/** Above conjunctions (see security-groups.ts). What needs no class or service is decided without looking. */
const priority = { conjunction: 100, direct: 200, ofPort: 10, opening: 5 } as const;

/** Decided without a look at peer or service. */
export const isDirect = ({ service, remote }: Rule): boolean =>
  service.kind === 'any' && remote.kind === 'any';

/** Of a rule whose packets are not tracked none begins a connection. */
type Tracking = 'tracked' | 'untracked';

const openings: Readonly<Record<Tracking, readonly boolean[]>> = {
  tracked: [true, false],
  untracked: [false],
};

const begins = (bit: number) => ({
  ct_state: ctState(['tracked', 'new']),
  [register.flags]: { value: bit, mask: bit },
});

type Place = Pick<MatchIn<'egress_rules'> & MatchIn<'ingress_rules'>, 'conj_id' | 'eth_type'>;
/** Whose packets a verdict is for: a port, a set of groups, or whoever completed the conjunction. */
type Whose = { readonly local: LocalPort } | { readonly set: number } | null;

function verdict(rule: Rule, tracking: Tracking, level: number, place: Place, whose: Whose): Draft[] {
  const local = whose !== null && 'local' in whose ? whose.local : null;
  const set = whose !== null && 'set' in whose ? whose.set : null;
  return openings[tracking].map((opens) => {
    const why = {
      reason: 'rule',
      rule: rule.id,
      ...(local === null ? {} : { port: local.port.id }),
      ...(opens ? { opens } : {}),
    };
    const at = level + (local === null ? 0 : priority.ofPort) + (opens ? priority.opening : 0);
    if (rule.direction === 'egress') {
      const sender = set === null ? {} : { [register.sourceSet]: set };
      const match = { ...place, ...sender, ...(opens ? begins(flag.senderIsNew) : {}) };
      const then = { goto: 'egress_qos' } as const;
      return local === null
        ? flow('egress_rules', at, match, then, why)
        : flow('egress_rules', at, { ...match, ...sentBy(local) }, then, why);
    }
    const receiver = set === null ? {} : { [register.destinationSet]: set };
    const match = { ...place, ...receiver, ...(opens ? begins(flag.receiverIsNew) : {}) };
    const then = { goto: 'commit' } as const;
    return local === null
      ? flow('ingress_rules', at, match, then, why)
      : flow('ingress_rules', at, { ...match, ...sentTo(local) }, then, why);
  });
}

/** Whether the group's connections are remembered. */
const trackingOf = (group: GroupId, relations: Relations, read: Read): Tracking =>
  read(relations.stateless, group) === true ? 'untracked' : 'tracked';

function conjunctive(rule: Rule, whose: Whose, relations: Relations, ids: Ids, read: Read): Draft[] {
  const place = { conj_id: ids.rules.of(rule.id), ...ipOf(rule.family) };
  return verdict(rule, trackingOf(rule.group, relations, read), priority.conjunction, place, whose);
}

/** Of direct rules that say the same for a set, the first by id: the flow has room for one name. */
function directOf(rules: readonly Rule[]): Map<string, Rule> {
  const first = new Map<string, Rule>();
  for (const rule of rules) {
    const key = `${rule.direction}/${rule.family}`;
    if (isDirect(rule) && !first.has(key)) first.set(key, rule);
  }
  return first;
}

function directVerdicts(
  name: string,
  whose: Whose,
  chosen: (rule: Rule) => boolean,
  relations: Relations,
  read: Read,
): Draft[] {
  const untracked = read(relations.untracked, name);
  return [...directOf(read(relations.rulesOfSet, name) ?? []).values()].filter(chosen).flatMap((rule) => {
    const tracking =
      untracked?.[rule.family] === true ? 'untracked' : trackingOf(rule.group, relations, read);
    return verdict(rule, tracking, priority.direct, ipOf(rule.family), whose);
  });
}

/** The verdict of a rule that is not counted by port. */
export function ruleVerdicts(rule: Rule, relations: Relations, ids: Ids, read: Read): Draft[] {
  if (isDirect(rule) || read(relations.countedApart, rule.group) === true) return [];
  return conjunctive(rule, null, relations, ids, read);
}

/** What a set of groups is granted at once, by rules that are not counted by port. */
export function setVerdicts(name: string, relations: Relations, ids: Ids, read: Read): Draft[] {
  const together = (rule: Rule): boolean => read(relations.countedApart, rule.group) !== true;
  return directVerdicts(name, { set: ids.sets.of(name) }, together, relations, read);
}

/** The verdicts of all rules of a port that are counted by port. */
export function portVerdicts(local: LocalPort, relations: Relations, ids: Ids, read: Read): Draft[] {
  const groups = new Set(local.port.groups.filter((group) => read(relations.countedApart, group) === true));
  if (!local.up || local.groups === '' || groups.size === 0) return [];
  const apart = (rule: Rule): boolean => groups.has(rule.group);
  return [
    ...directVerdicts(local.groups, { local }, apart, relations, read),
    ...(read(relations.rulesOfSet, local.groups) ?? [])
      .filter((rule) => !isDirect(rule) && apart(rule))
      .flatMap((rule) => conjunctive(rule, { local }, relations, ids, read)),
  ];
}
