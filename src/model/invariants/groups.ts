/** What holds of security groups, their rules, address groups and the templates of rules. */

import { parseCidr } from '../../net/cidr.ts';
import { toCanonicalCidr } from '../checks.ts';
import type { DefaultStatefulnessRecord } from '../default-statefulness.ts';
import { keys } from '../keys.ts';
import type {
  AddressGroupRecord,
  DefaultGroupRuleRecord,
  SecurityGroupRecord,
  SecurityGroupRuleRecord,
} from '../records.ts';
import { addressGroupOf, ruleIdentity } from '../security-group-rule.ts';
import { type Invariant, twins } from './invariant.ts';
import { addressGroups, defaultGroupRules, defaultStatefulness, groups, planted, rules } from './kinds.ts';

export const groupInvariant: Invariant<SecurityGroupRecord> = {
  kind: groups,
  *problems({ record }) {
    if (record.is_default !== (record.name.toLowerCase() === 'default'))
      yield `${record.is_default ? 'a' : 'no'} default group is called '${record.name}'`;
  },
  *marks(group) {
    if (group.is_default) yield [keys.defaultGroup(group.project_id), group.id];
    if (!group.stateful) yield [keys.statelessGroup(group.id), ''];
  },
};

export const ruleInvariant: Invariant<SecurityGroupRuleRecord> = {
  kind: rules,
  *problems({ record, parts }, image) {
    const { security_group_id: own, remote_group_id: remote, remote_ip_prefix: prefix } = record;
    const addresses = addressGroupOf(record);
    if (parts['group'] !== own) yield `it lies under group ${parts['group']}`;
    if (image.byId(groups, own) === undefined) yield `its group ${own} does not exist`;
    if (remote !== null && image.byId(groups, remote) === undefined)
      yield `remote group ${remote} does not exist`;
    if (addresses !== null && image.byId(addressGroups, addresses) === undefined)
      yield `address group ${addresses} does not exist`;
    if ([remote, addresses, prefix].filter((one) => one !== null).length > 1)
      yield 'it has more than one remote';
    const family = record.ethertype === 'IPv4' ? 4 : 6;
    if (prefix !== null && parseCidr(prefix)?.family !== family)
      yield `${prefix} is no prefix of ${record.ethertype}`;
  },
  *marks(rule) {
    const { id, security_group_id: own, remote_group_id: remote } = rule;
    const addresses = addressGroupOf(rule);
    if (remote !== null && remote !== own) yield [keys.groupUse(remote, id), ''];
    if (addresses !== null) yield [keys.addressGroupUse(addresses, id), ''];
  },
  together: (all) =>
    twins(
      all,
      (rule) => [ruleIdentity(rule)],
      (_, other) => `it says the same as ${other}`,
    ),
};

export const addressGroupInvariant: Invariant<AddressGroupRecord> = {
  kind: addressGroups,
  *problems({ record: { addresses } }) {
    if (new Set(addresses).size !== addresses.length) yield 'it has an address twice';
    for (const address of addresses)
      if (parseCidr(address) === null || toCanonicalCidr(address) !== address)
        yield `${address} is not how a prefix is written`;
  },
};

export const defaultStatefulnessInvariant: Invariant<DefaultStatefulnessRecord> = {
  kind: defaultStatefulness,
  *marks({ id, project_id: project }) {
    yield [keys.defaultStatefulnessOf(project), id];
  },
};

/** What a template names may have gone. */
export const defaultGroupRuleInvariant: Invariant<DefaultGroupRuleRecord> = {
  kind: defaultGroupRules,
  *problems(_found, image) {
    if (image.all(planted).length === 0)
      yield 'there are templates, and nothing says that the first were made';
  },
};
