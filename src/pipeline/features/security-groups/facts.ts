/** Facts of security groups, their rules, and address groups. */
import type { Dataflow, Input } from '../../../base/dataflow.ts';
import type { AddressGroup, AddressGroupId, Group, GroupId, Rule, RuleId } from '../../../policy/world.ts';

export interface GroupFacts {
  readonly groups: Input<GroupId, Group>;
  readonly rules: Input<RuleId, Rule>;
  readonly addressGroups: Input<AddressGroupId, AddressGroup>;
}

export const declareGroupFacts = (graph: Dataflow): GroupFacts => ({
  groups: graph.input('groups'),
  rules: graph.input('rules'),
  addressGroups: graph.input('address-groups'),
});
