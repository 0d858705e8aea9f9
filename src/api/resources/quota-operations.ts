/** The descriptions of the quotas' routes. */
import { shownSchema } from '../../model/attribute-schema.ts';
import { quotaAttributes } from '../../model/quota.ts';
import {
  arrayOf,
  booleanSchema,
  integerSchema,
  objectOf,
  type Schema,
  stringSchema,
} from '../../model/schema.ts';
import { type ApiOperation, refTo, wrapped } from '../openapi/operation.ts';

const limits: Readonly<Record<string, Schema>> = Object.fromEntries(
  Object.entries(quotaAttributes).map(([name, row]) => [
    name,
    { ...shownSchema(row), ...(row.about === undefined ? {} : { description: row.about }) },
  ]),
);
const names = Object.keys(limits);

const project = stringSchema;
const use = objectOf({ limit: integerSchema, used: integerSchema, reserved: integerSchema });

const common = {
  group: 'quotas',
  path: { project: "The project's id." },
  components: {
    quota: objectOf(limits),
    quota_of_project: objectOf({ ...limits, project_id: project, tenant_id: project }),
    quota_details: objectOf(Object.fromEntries(names.map((name) => [name, use]))),
    quota_update: objectOf(
      {
        ...limits,
        force: { ...booleanSchema, description: 'Limits below what is in use are fine.' },
        check_limit: {
          ...booleanSchema,
          description: 'Limits below what is in use are refused, as without it.',
        },
      },
      [...names, 'force', 'check_limit'],
    ),
  },
} as const;

const forReaders = 'For: admin, callers of the project.';
const forAdmins = 'For: admin.';
const quota = wrapped('quota', refTo('quota'));

export const quotaOperations = {
  list: {
    ...common,
    summary: 'Lists the quotas of projects that were given some',
    details: forAdmins,
    answers: { 200: wrapped('quotas', arrayOf(refTo('quota_of_project'))) },
  },
  /** `word` is `tenant` or `project`. */
  own: (word: string) => ({
    ...common,
    summary: "Tells the caller's project",
    answers: { 200: wrapped(word, objectOf({ [`${word}_id`]: project })) },
  }),
  show: {
    ...common,
    summary: 'Shows how much a project may have',
    details: forReaders,
    answers: { 200: quota },
  },
  usual: {
    ...common,
    summary: 'Shows how much projects may have that were given no quota',
    details: forReaders,
    answers: { 200: quota },
  },
  details: {
    ...common,
    summary: 'Shows how much a project may have, and has',
    details: forReaders,
    answers: { 200: wrapped('quota', refTo('quota_details')) },
  },
  update: {
    ...common,
    summary: 'Sets how much a project may have',
    details: forAdmins,
    body: wrapped('quota', refTo('quota_update')),
    answers: { 200: quota },
  },
  remove: {
    ...common,
    summary: 'Gives a project the usual quota again',
    details: forAdmins,
    answers: { 204: null },
  },
} as const satisfies Readonly<Record<string, ApiOperation | ((word: string) => ApiOperation)>>;
