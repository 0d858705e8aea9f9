/** What holds of security groups, their rules, address groups and the templates of rules. */

import { parseCidr } from '../../net/cidr.ts';
import { toCanonicalCidr } from '../checks.ts';
import { defaultStatefulnessMark, keys } from '../keys.ts';
import { addressGroupIdOf, ruleIdentity } from '../security-group-rule.ts';
import { type Invariant, invariantOf, twins } from './invariant.ts';

const groupInvariant = invariantOf(keys.group, {
  *problems({ record }) {
    if (record.is_default !== (record.name.toLowerCase() === 'default'))
      yield `${record.is_default ? 'a' : 'no'} default group is called '${record.name}'`;
  },
  *marks(group) {
    if (group.is_default) yield [keys.defaultGroup(group.project_id), group.id];
    if (!group.stateful) yield [keys.statelessGroup(group.id), ''];
  },
});

const ruleInvariant = invariantOf(keys.rule, {
  *problems({ record, parts }, snapshot) {
    const { security_group_id: own, remote_group_id: remote, remote_ip_prefix: prefix } = record;
    const addresses = addressGroupIdOf(record);
    if (parts.group !== own) yield `it lies under group ${parts.group}`;
    if (snapshot.byId(keys.group, own) === undefined) yield `its group ${own} does not exist`;
    if (remote !== null && snapshot.byId(keys.group, remote) === undefined)
      yield `remote group ${remote} does not exist`;
    if (addresses !== null && snapshot.byId(keys.addressGroup, addresses) === undefined)
      yield `address group ${addresses} does not exist`;
    if ([remote, addresses, prefix].filter((one) => one !== null).length > 1)
      yield 'it has more than one remote';
    const family = record.ethertype === 'IPv4' ? 4 : 6;
    if (prefix !== null && parseCidr(prefix)?.family !== family)
      yield `${prefix} is no prefix of ${record.ethertype}`;
  },
  *marks(rule) {
    const { id, security_group_id: own, remote_group_id: remote } = rule;
    const addresses = addressGroupIdOf(rule);
    if (remote !== null && remote !== own) yield [keys.groupUse(remote, id), ''];
    if (addresses !== null) yield [keys.addressGroupUse(addresses, id), ''];
  },
  together: (all) =>
    twins(
      all,
      (rule) => [ruleIdentity(rule)],
      (_, other) => `it says the same as ${other}`,
    ),
});

const addressGroupInvariant = invariantOf(keys.addressGroup, {
  *problems({ record: { addresses } }) {
    if (new Set(addresses).size !== addresses.length) yield 'it has an address twice';
    for (const address of addresses)
      if (parseCidr(address) === null || toCanonicalCidr(address) !== address)
        yield `${address} is not how a prefix is written`;
  },
});

const defaultStatefulnessInvariant = invariantOf(keys.defaultStatefulness, {
  *marks({ id, project_id: project }) {
    yield [defaultStatefulnessMark(project), id];
  },
});

/** What a template names may have gone. */
const defaultGroupRuleInvariant = invariantOf(keys.defaultGroupRule, {
  *problems(_found, snapshot) {
    if (snapshot.all(keys.defaultGroupRulesPlanted).length === 0)
      yield 'there are templates, and nothing says that the first were made';
  },
});

export const groupInvariants: readonly Invariant[] = [
  groupInvariant,
  ruleInvariant,
  addressGroupInvariant,
  defaultStatefulnessInvariant,
  defaultGroupRuleInvariant,
];
