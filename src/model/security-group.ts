/** Security groups: attribute table, records of a new group, and the rules that every new group begins with. */
import type { AttributeTable } from './attribute.ts';
import { toBoolean } from './checks.ts';
import type { Verbs } from './policy.ts';
import type { SecurityGroupRecord, SecurityGroupRuleRecord } from './records.ts';
import { type Birth, born, nameAttribute, standardAttributes } from './standard-attributes.ts';
import { tagsAttribute } from './tags.ts';

export const defaultGroupName = 'default';

export const securityGroupVerbs: Verbs = {
  create: ['admin', 'member'],
  read: ['admin', 'service', 'reader', 'shared'],
  update: ['admin', 'member'],
  delete: ['admin', 'member'],
};

export const securityGroupAttributes = {
  ...standardAttributes,
  name: nameAttribute,
  tags: tagsAttribute,
  stateful: {
    post: 'allowed',
    put: true,
    fallback: true,
    convert: toBoolean,
    filter: 'boolean',
    sort: true,
  },
  shared: { post: 'refused', put: false, filter: 'boolean' },
  security_group_rules: { post: 'refused', put: false },
} as const satisfies AttributeTable;

export interface GroupDraft {
  readonly name: string;
  readonly description: string;
  readonly stateful: boolean;
}

export const isDefaultName = (name: string): boolean => name.toLowerCase() === defaultGroupName;

export function newGroup(birth: Birth, draft: GroupDraft, isDefault: boolean): SecurityGroupRecord {
  return {
    ...born(birth, draft.description),
    name: draft.name,
    stateful: draft.stateful,
    is_default: isDefault,
  };
}

/** All may leave; members of the default group may also be reached by each other. */
export function initialRules(
  group: SecurityGroupRecord,
  newId: () => string,
  now: Date,
): readonly SecurityGroupRuleRecord[] {
  const rule = (direction: 'ingress' | 'egress', ethertype: 'IPv4' | 'IPv6'): SecurityGroupRuleRecord => ({
    ...born({ id: newId(), project: group.project_id, now }, ''),
    security_group_id: group.id,
    direction,
    ethertype,
    protocol: null,
    port_range_min: null,
    port_range_max: null,
    remote_ip_prefix: null,
    remote_group_id: direction === 'ingress' ? group.id : null,
    remote_address_group_id: null,
  });
  const rules = [rule('egress', 'IPv4'), rule('egress', 'IPv6')];
  return group.is_default ? [...rules, rule('ingress', 'IPv4'), rule('ingress', 'IPv6')] : rules;
}
