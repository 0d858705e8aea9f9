/** Policies that share an object with a project: attribute table, the record of a new one, when two are the same. */
import type { AttributeTable, DraftOf } from './attribute.ts';
import { projectId, text, uuid } from './checks.ts';
import { invalidInput, refuse } from './faults.ts';
import type { Verbs } from './policy.ts';
import { pythonText } from './python-text.ts';
import type { RbacPolicyRecord } from './records.ts';
import { enumSchema } from './schema.ts';
import { standardAttributes } from './standard-attributes.ts';

/** What can be shared here, in Neutron's words. */
export type SharedType = RbacPolicyRecord['object_type'];
const sharedTypes = [
  'network',
  'security_group',
  'address_group',
  'qos_policy',
  'subnetpool',
  'address_scope',
] as const satisfies readonly SharedType[];

function toObjectType(value: unknown): SharedType {
  const word = typeof value === 'string' ? value.trim().toLowerCase() : '';
  return (
    sharedTypes.find((type) => type === word) ??
    invalidInput(`'${pythonText(value)}' is not a valid RBAC object type`)
  );
}

const fixed = { post: 'required', put: false, filter: 'text', sort: true } as const;

/** The target project of a policy does not see it. */
export const rbacPolicyVerbs: Verbs = {
  create: ['admin', 'member'],
  read: ['admin', 'reader'],
  update: ['admin', 'member'],
  delete: ['admin', 'member'],
};

export const rbacPolicyAttributes = {
  id: standardAttributes.id,
  project_id: standardAttributes.project_id,
  object_type: {
    ...fixed,
    convert: toObjectType,
    type: enumSchema(sharedTypes),
    about: 'What kind of object is shared.',
  },
  object_id: { ...fixed, validate: uuid, about: 'The object that is shared.' },
  // A project's id, or * for all of them.
  target_tenant: {
    ...fixed,
    put: true,
    validate: projectId,
    rights: { create: ['admin'], update: ['admin'], values: (value) => value === '*' },
    about: "The project that it is shared with, `*` for all; `*` is an administrator's to give.",
  },
  action: {
    ...fixed,
    validate: text(255),
    about: 'What the project may do with it: `access_as_shared`, with networks `access_as_external` too.',
  },
} as const satisfies AttributeTable;

export type RbacPolicyDraft = DraftOf<typeof rbacPolicyAttributes>;

const actionsOf = (type: SharedType): readonly RbacPolicyRecord['action'][] =>
  type === 'network' ? ['access_as_shared', 'access_as_external'] : ['access_as_shared'];

export function newRbacPolicy(id: string, project: string, draft: RbacPolicyDraft): RbacPolicyRecord {
  const { object_type: type, action } = draft;
  const actions = actionsOf(type);
  const known = actions.find((one) => one === action);
  if (known === undefined) {
    return refuse({ code: 'InvalidActionForType', action, type, valid: actions });
  }
  return {
    id,
    project_id: project,
    object_type: type,
    object_id: draft.object_id,
    action: known,
    target_tenant: draft.target_tenant,
  };
}

/** Whether two policies of one object grant the same to the same project. */
export const grantsSame = (a: RbacPolicyRecord, b: RbacPolicyRecord): boolean =>
  a.action === b.action && a.target_tenant === b.target_tenant;
