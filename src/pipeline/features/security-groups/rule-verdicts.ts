/**
 * Verdicts of security-group rules. A direct rule needs neither a peer nor an L4 match: its verdict is decided for a
 * set of groups or a port at once. Any other rule's verdict stands where its conjunction is complete. A verdict's
 * counters are its rule's; a twin counts packets that begin a connection of a port that is not on record yet.
 *
 * While a group is small, each of its ports has verdicts of its own, so that counters tell rule and port. Beyond
 * `maxCountedByPort` there is one for all: counting must not multiply rules with ports.
 */
import type { Read } from '../../../base/dataflow.ts';
import type { GroupId, Rule } from '../../../policy/world.ts';
import { type Draft, flow, type MatchIn, type PassWhy } from '../../draft.ts';
import { type LocalPort, sentBy, sentTo } from '../../local-port.ts';
import { ctState, ipOf } from '../../matches.ts';
import { after } from '../../positions.ts';
import { flag, register } from '../../registers.ts';
import type { Ids, Relations } from '../../relations.ts';

/** Needs neither a peer nor an L4 match. */
export const isDirect = ({ l4, remote }: Rule): boolean => l4.kind === 'any' && remote.kind === 'any';

/** No untracked packet begins a connection. */
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
/** Whose packets a verdict is for: a port's, a set's, or those that complete the conjunction. */
type Whose = { readonly local: LocalPort } | { readonly set: number } | null;
type Kind = 'direct' | 'conjunctive';

const bands = {
  direct: {
    port: { opening: 'openingDirectOfPort', any: 'directOfPort' },
    all: { opening: 'openingDirect', any: 'direct' },
  },
  conjunctive: {
    port: { opening: 'openingOfPort', any: 'ofPort' },
    all: { opening: 'opening', any: 'complete' },
  },
} as const;

function verdict(rule: Rule, tracking: Tracking, kind: Kind, place: Place, whose: Whose): Draft[] {
  const local = whose !== null && 'local' in whose ? whose.local : null;
  const set = whose !== null && 'set' in whose ? whose.set : null;
  return openings[tracking].map((opens) => {
    const why: PassWhy = {
      reason: 'rule',
      rule: rule.id,
      ...(local === null ? {} : { port: local.port.id }),
      ...(opens ? { opens } : {}),
    };
    const band = bands[kind][local === null ? 'all' : 'port'][opens ? 'opening' : 'any'];
    if (rule.direction === 'egress') {
      const sender = set === null ? {} : { [register.sourceSet]: set };
      const match = { ...place, ...sender, ...(opens ? begins(flag.senderIsNew) : {}) };
      const then = { goto: after('responder') } as const;
      return local === null
        ? flow('egress_rules', band, match, then, why)
        : flow('egress_rules', band, { ...match, ...sentBy(local) }, then, why);
    }
    const receiver = set === null ? {} : { [register.destinationSet]: set };
    const match = { ...place, ...receiver, ...(opens ? begins(flag.receiverIsNew) : {}) };
    const then = { goto: after('ingressRules') } as const;
    return local === null
      ? flow('ingress_rules', band, match, then, why)
      : flow('ingress_rules', band, { ...match, ...sentTo(local) }, then, why);
  });
}

/** Whether the group's connections are remembered. */
const trackingOf = (group: GroupId, relations: Relations, read: Read): Tracking =>
  read(relations.stateless, group) === true ? 'untracked' : 'tracked';

function conjunctive(rule: Rule, whose: Whose, relations: Relations, ids: Ids, read: Read): Draft[] {
  const place = { conj_id: ids.rules.of(rule.id), ...ipOf(rule.family) };
  return verdict(rule, trackingOf(rule.group, relations, read), 'conjunctive', place, whose);
}

/** Of direct rules with one meaning for a set, the first by id: a flow names one rule. */
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
    return verdict(rule, tracking, 'direct', ipOf(rule.family), whose);
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
