/**
 * Whether new security groups are stateful when the request does not say: a setting of one project, or of all projects
 * without one. Attribute table and record. A setting does not change existing groups.
 */
import type { AttributeTable } from './attribute.ts';
import { projectId, toBoolean } from './checks.ts';
import type { Verbs } from './policy.ts';
import { orNullSchema, schemaOf, stringSchema } from './schema.ts';
import { standardAttributes } from './standard-attributes.ts';

export interface DefaultStatefulnessRecord {
  readonly id: string;
  /** Empty: all projects without a setting of their own. */
  readonly project_id: string;
  readonly stateful: boolean;
}

/** A setting of all projects is for administrators only. */
export const defaultStatefulnessVerbs: Verbs = {
  create: ['admin', 'manager'],
  read: ['admin', 'reader'],
  update: ['admin', 'manager'],
  delete: ['admin', 'manager'],
};

export const defaultStatefulnessAttributes = {
  id: standardAttributes.id,
  project_id: {
    ...standardAttributes.project_id,
    // Null means all projects; an absent attribute means the caller's own.
    convert: (value: unknown) => value ?? '',
    validate: (value: unknown) => (value === '' ? null : projectId(value)),
    type: orNullSchema(stringSchema),
    sent: orNullSchema(schemaOf(projectId) ?? stringSchema),
    about:
      "The project whose groups it is about: the caller's own unless another is named; null: all that have no setting of their own.",
  },
  stateful: {
    post: 'allowed',
    put: true,
    fallback: true,
    convert: toBoolean,
    filter: 'boolean',
    sort: true,
    about: 'What new groups are.',
  },
} as const satisfies AttributeTable;
