/** Which rules hold for ports of this host, by rule, group and set of groups. No flows here. */
import type { Dataflow, Relation } from '../../../base/dataflow.ts';
import type { Family } from '../../../net/cidr.ts';
import type { GroupId, Rule, RuleId } from '../../../policy/world.ts';
import type { Untracked } from '../../local-port.ts';
import type { LocalPortRelations } from '../classify/relations.ts';
import type { ResponderRelations } from '../responder/relations.ts';
import type { RoutingRelations } from '../routing/relations.ts';
import type { GroupFacts } from './facts.ts';
import { type Classing, declareAddresses, declareMembers } from './peers.ts';

export interface GroupRelations {
  /** Rules of groups that local ports have. */
  readonly activeRules: Relation<RuleId, Rule>;
  /** Sets of groups in use here, by name. */
  readonly sets: Relation<string, true>;
  readonly rulesOfGroup: Relation<GroupId, ReadonlyMap<RuleId, Rule>>;
  /** By set: all rules of its groups, in an order that does not depend on history. */
  readonly rulesOfSet: Relation<string, readonly Rule[]>;
  readonly stateless: Relation<GroupId, true>;
  /** By set of groups: the families in which its ports are not tracked. */
  readonly untracked: Relation<string, Untracked>;
  /** Whether the hits of a group's rules are counted for each port separately. */
  readonly countedApart: Relation<GroupId, boolean>;
  /** A peer's class among security groups, and among address groups. */
  readonly members: Classing;
  readonly addresses: Classing;
}

/** Default of the max pairs of rule and port on this host for which a group is counted by port: each takes two flows. */
const maxCountedPairs = 2048;

export function declareGroups(
  graph: Dataflow,
  facts: GroupFacts,
  { locals, holders, routersOn }: LocalPortRelations & ResponderRelations & RoutingRelations,
  countedTo: number = maxCountedPairs,
): GroupRelations {
  const localGroups = graph.index('local-groups', locals, (_, { port }) =>
    port.mode === 'off' ? [] : port.groups.map((group) => [group, true as const] as const),
  );
  const groupIsLocal = graph.map('group-is-local', localGroups, () => true as const);
  const activeRules = graph.map('active-rules', facts.rules, (_, rule, read) =>
    read(groupIsLocal, rule.group) ? rule : undefined,
  );
  const rulesOfGroup = graph.index('rules-of-group', activeRules, (_, rule) => [[rule.group, rule] as const]);
  const setPorts = graph.index('set-ports', locals, (_, { groups }) =>
    groups === '' ? [] : [[groups, true as const] as const],
  );
  const sets = graph.map('sets', setPorts, () => true as const);
  const rulesOfSet = graph.map('rules-of-set', sets, (name, _, read) =>
    name
      .split(',')
      .flatMap((group) => [...(read(rulesOfGroup, group as GroupId)?.values() ?? [])])
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
  );
  const stateless = graph.map('stateless', facts.groups, (_, { stateful }) => (stateful ? undefined : true));
  const untracked = graph.map<string, true, Untracked>(
    'untracked-sets',
    sets,
    (name, _, read) => {
      const names = name.split(',') as GroupId[];
      if (names.every((group) => read(stateless, group))) return { 4: true, 6: true };
      const rules = read(rulesOfSet, name) ?? [];
      return { 4: isOpen(rules, 4), 6: isOpen(rules, 6) };
    },
    { equal: (a, b) => a[4] === b[4] && a[6] === b[6] },
  );
  const countedApart = graph.map(
    'counted-apart',
    localGroups,
    (group, members, read) => members.size * (read(rulesOfGroup, group)?.size ?? 0) <= countedTo,
  );
  return {
    activeRules,
    sets,
    rulesOfGroup,
    rulesOfSet,
    stateless,
    untracked,
    countedApart,
    members: declareMembers(graph, activeRules, holders, routersOn),
    addresses: declareAddresses(graph, activeRules, facts.addressGroups),
  };
}

/** Whether rules let everything of a family through, both ways. */
function isOpen(rules: readonly Rule[], family: Family): boolean {
  const through = rules.filter(
    ({ l4, remote, ...rule }) => rule.family === family && l4.kind === 'any' && remote.kind === 'any',
  );
  return (['egress', 'ingress'] as const).every((way) => through.some(({ direction }) => direction === way));
}
