/** QoS policies: their attribute table and the record of a new one. Rules are written through their own paths. */
import type { AttributeTable, DraftOf } from './attribute.ts';
import { toBoolean } from './checks.ts';
import type { Verbs } from './policy.ts';
import { anyQosRule } from './qos-rule.ts';
import type { QosPolicyRecord } from './records.ts';
import { arrayOf } from './schema.ts';
import { type Birth, born, nameAttribute, standardAttributes } from './standard-attributes.ts';
import { tagsAttribute } from './tags.ts';

const flag = { post: 'allowed', put: true, fallback: false, convert: toBoolean, filter: 'boolean' } as const;

/** Members cannot change the limits of their own project. */
export const qosPolicyVerbs: Verbs = {
  create: ['admin', 'manager'],
  read: ['admin', 'service', 'reader', 'shared'],
  update: ['admin', 'manager'],
  delete: ['admin', 'manager'],
};

export const qosPolicyAttributes = {
  ...standardAttributes,
  name: nameAttribute,
  tags: tagsAttribute,
  shared: {
    ...flag,
    rights: { create: ['admin'], update: ['admin'] },
    about: "Whether the reader's project may use it though another owns it.",
  },
  is_default: { ...flag, about: 'Whether new networks of the project begin with it.' },
  rules: {
    post: 'refused',
    put: false,
    type: arrayOf(anyQosRule),
    about: 'Its rules, each with its kind as `type`.',
  },
} as const satisfies AttributeTable;

export type QosPolicyDraft = DraftOf<typeof qosPolicyAttributes>;

/** The policy of a port or network; absent in records from before QoS. */
export const qosPolicyIdOf = (
  user: { readonly qos_policy_id?: string | null } | null | undefined,
): string | null => user?.qos_policy_id ?? null;

export function newQosPolicy(birth: Birth, draft: QosPolicyDraft): QosPolicyRecord {
  return {
    ...born(birth, draft.description),
    name: draft.name,
    shared: draft.shared,
    is_default: draft.is_default,
    rules: [],
  };
}
