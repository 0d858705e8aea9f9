/** Security groups: attribute table and the record of a new group. */
import type { AttributeTable, DraftOf } from './attribute.ts';
import { toBoolean } from './checks.ts';
import type { Verbs } from './policy.ts';
import type { SecurityGroupRecord } from './records.ts';
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
    convert: toBoolean,
    filter: 'boolean',
    sort: true,
    about:
      'Whether answers to what its rules allow pass by themselves; as the default statefulness says, else true, unless sent.',
  },
  shared: {
    post: 'refused',
    put: false,
    filter: 'boolean',
    about: "Whether the reader's project may use it though another owns it.",
  },
  security_group_rules: {
    post: 'refused',
    put: false,
    type: { type: 'array', items: { $ref: '#/components/schemas/security_group_rule' } },
    about: 'Its rules.',
  },
} as const satisfies AttributeTable;

export type GroupDraft = DraftOf<typeof securityGroupAttributes>;

export const isDefaultName = (name: string): boolean => name.toLowerCase() === defaultGroupName;

export function newGroup(
  birth: Birth,
  draft: GroupDraft & { readonly stateful: boolean },
  isDefault: boolean,
): SecurityGroupRecord {
  return {
    ...born(birth, draft.description),
    name: draft.name,
    stateful: draft.stateful,
    is_default: isDefault,
  };
}
