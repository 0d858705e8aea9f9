/**
 * The rules that new security groups begin with, kept as templates: attribute table, the four that every cloud starts
 * from, and the rules that a group gets of them.
 */
import type { AttributeTable, Check, DraftOf } from './attribute.ts';
import { toBoolean, uuid } from './checks.ts';
import type { Verbs } from './policy.ts';
import type { DefaultGroupRuleRecord, SecurityGroupRecord, SecurityGroupRuleRecord } from './records.ts';
import { enumSchema, uuidSchema } from './schema.ts';
import { newRule, ruleIdentity, securityGroupRuleAttributes } from './security-group-rule.ts';
import { born, standardAttributes } from './standard-attributes.ts';

/** Stands for the group that the rule will be in. */
export const parentGroup = 'PARENT';

const usage = { post: 'allowed', put: false, convert: toBoolean, filter: 'boolean' } as const;
const {
  direction,
  ethertype,
  protocol,
  port_range_min,
  port_range_max,
  remote_ip_prefix,
  remote_address_group_id,
} = securityGroupRuleAttributes;

/** They are nobody's: administrators make them, everybody may know what groups begin with. */
export const defaultGroupRuleVerbs: Verbs = {
  create: ['admin'],
  read: ['admin', 'service', 'anybody'],
  update: [],
  delete: ['admin'],
};

const groupOrParent: Check<string | null> = (value) =>
  value === null || value === parentGroup ? null : uuid(value);

export const defaultGroupRuleAttributes = {
  id: standardAttributes.id,
  // Accepted and ignored, as in Neutron.
  project_id: { ...standardAttributes.project_id, hidden: true },
  description: { ...standardAttributes.description, put: false },
  remote_group_id: {
    post: 'allowed',
    put: false,
    fallback: null,
    validate: groupOrParent,
    type: { type: ['string', 'null'] },
    sent: { anyOf: [uuidSchema, enumSchema([parentGroup])] },
    filter: 'text',
    sort: true,
    about: 'The group whose ports are the other side; `PARENT`: the group that the rule will be in.',
  },
  remote_address_group_id,
  direction,
  protocol,
  port_range_min,
  port_range_max,
  ethertype,
  remote_ip_prefix,
  used_in_default_sg: {
    ...usage,
    fallback: false,
    about: "Whether projects' default groups begin with it.",
  },
  used_in_non_default_sg: { ...usage, fallback: true, about: 'Whether other groups begin with it.' },
} as const satisfies AttributeTable;

type Usage = Pick<DefaultGroupRuleRecord, 'used_in_default_sg' | 'used_in_non_default_sg'>;

export type DefaultGroupRuleDraft = DraftOf<typeof defaultGroupRuleAttributes>;

/** Throws what the same rule of a group would be refused with. */
export function newDefaultGroupRule(id: string, draft: DefaultGroupRuleDraft): DefaultGroupRuleRecord {
  const birth = { id, project: '', now: new Date(0) };
  const rule = newRule(birth, { ...draft, security_group_id: parentGroup });
  return {
    id,
    project_id: '',
    shared: true,
    description: draft.description,
    direction: rule.direction,
    ethertype: rule.ethertype,
    protocol: rule.protocol,
    port_range_min: rule.port_range_min,
    port_range_max: rule.port_range_max,
    remote_ip_prefix: rule.remote_ip_prefix,
    remote_group_id: rule.remote_group_id,
    remote_address_group_id: rule.remote_address_group_id,
    used_in_default_sg: draft.used_in_default_sg,
    used_in_non_default_sg: draft.used_in_non_default_sg,
  };
}

/** All may leave; members of the default group may also be reached by each other. */
export function firstDefaultGroupRules(newId: () => string): readonly DefaultGroupRuleRecord[] {
  return (['egress', 'ingress'] as const).flatMap((way) =>
    (['IPv4', 'IPv6'] as const).map((family) => ({
      id: newId(),
      project_id: '',
      shared: true,
      description: `Legacy default SG rule for ${way} traffic`,
      direction: way,
      ethertype: family,
      protocol: null,
      port_range_min: null,
      port_range_max: null,
      remote_ip_prefix: null,
      remote_group_id: way === 'ingress' ? parentGroup : null,
      remote_address_group_id: null,
      used_in_default_sg: true,
      used_in_non_default_sg: way === 'egress',
    })),
  );
}

/** Whether some group would get the same rule twice. */
export function clash(one: DefaultGroupRuleRecord, other: DefaultGroupRuleRecord): boolean {
  const shared =
    (one.used_in_default_sg && other.used_in_default_sg) ||
    (one.used_in_non_default_sg && other.used_in_non_default_sg);
  const says = (rule: DefaultGroupRuleRecord): string =>
    ruleIdentity({ ...rule, security_group_id: parentGroup });
  return shared && says(one) === says(other);
}

export const appliesTo = (template: Usage, group: Pick<SecurityGroupRecord, 'is_default'>): boolean =>
  group.is_default ? template.used_in_default_sg : template.used_in_non_default_sg;

/** The rule that the group gets of the template. */
export function ruleOfTemplate(
  template: DefaultGroupRuleRecord,
  group: SecurityGroupRecord,
  id: string,
  now: Date,
): SecurityGroupRuleRecord {
  const { remote_group_id: remote } = template;
  return {
    ...born({ id, project: group.project_id, now }, ''),
    security_group_id: group.id,
    direction: template.direction,
    ethertype: template.ethertype,
    protocol: template.protocol,
    port_range_min: template.port_range_min,
    port_range_max: template.port_range_max,
    remote_ip_prefix: template.remote_ip_prefix,
    remote_group_id: remote === parentGroup ? group.id : remote,
    remote_address_group_id: template.remote_address_group_id,
  };
}
