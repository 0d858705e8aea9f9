/**
 * The rows that every resource's attribute table begins with, and the stamps of creation and change.
 */
import type { AttributeTable } from './attribute.ts';
import { projectId, text } from './checks.ts';
import type { StandardAttributes } from './records.ts';
import { schemaOf, stringSchema, timeSchema, uuidSchema } from './schema.ts';

export const nameAttribute = {
  post: 'allowed',
  put: true,
  fallback: '',
  validate: text(255),
  filter: 'text',
  sort: true,
  about: 'A name for people; it need not be unique.',
} as const;

const stamp = { post: 'refused', put: false, type: timeSchema, filter: 'text', sort: true } as const;

export const standardAttributes = {
  id: { post: 'refused', put: false, type: uuidSchema, filter: 'text', sort: true, about: 'Its identity.' },
  project_id: {
    post: 'allowed',
    put: false,
    validate: projectId,
    // Records that the cloud itself creates have no project.
    type: stringSchema,
    sent: schemaOf(projectId) ?? stringSchema,
    filter: 'text',
    sort: true,
    about: "The project that owns it: the caller's own unless an administrator names another.",
  },
  description: {
    post: 'allowed',
    put: true,
    fallback: '',
    validate: text(255),
    filter: 'text',
    sort: true,
    about: 'A text for people.',
  },
  created_at: { ...stamp, about: 'When it was made, UTC.' },
  updated_at: { ...stamp, about: 'When it changed last, UTC.' },
  revision_number: {
    post: 'refused',
    put: false,
    type: { type: 'integer', minimum: 0 },
    filter: 'integer',
    sort: true,
    about:
      'Grows with every change of it or of its parts; `If-Match: revision_number=N` makes a request conditional.',
  },
} as const satisfies AttributeTable;

/** UTC to the second, as Neutron prints it. */
export const timestamp = (now: Date): string => `${now.toISOString().slice(0, 19)}Z`;

export interface Birth {
  readonly id: string;
  readonly project: string;
  readonly now: Date;
}

export function born(birth: Birth, description: string): StandardAttributes {
  const at = timestamp(birth.now);
  return {
    id: birth.id,
    project_id: birth.project,
    description,
    created_at: at,
    updated_at: at,
    revision_number: 1,
  };
}

/** The record after a change of its own or of a child: one revision on. */
export function touched<R extends StandardAttributes>(record: R, now: Date): R {
  return { ...record, updated_at: timestamp(now), revision_number: record.revision_number + 1 };
}

/** What every record has, those without standard attributes too. */
export type Owned = Pick<StandardAttributes, 'id' | 'project_id'>;

export const isStamped = <R extends Owned>(record: R): record is R & StandardAttributes =>
  'revision_number' in record;

/** As `touched`; a record without stamps stays as it is. */
export const restamped = <R extends Owned>(record: R, now: Date): R =>
  isStamped(record) ? touched(record, now) : record;

/** Whether two records differ in anything but their stamps. */
export function differs<R extends Owned>(before: R, after: R): boolean {
  return JSON.stringify(before) !== JSON.stringify(after);
}
