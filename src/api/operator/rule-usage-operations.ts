/** What the API document says about the routes of rule usage. */
import {
  arrayOf,
  booleanSchema,
  enumSchema,
  integerSchema,
  objectOf,
  orNullSchema,
  stringSchema,
  timeSchema,
  uuidSchema,
} from '../../model/schema.ts';
import type { ApiOperation } from '../openapi/operation.ts';
import { timeoutParameter } from './operations.ts';

const group = 'operator';

const time = orNullSchema(timeSchema);
const usage = {
  packets: integerSchema,
  bytes: integerSchema,
  connections: integerSchema,
  first_used: time,
  last_used: time,
} as const;
const watch = { watched_since: time, reset_at: time } as const;
const unheard = {
  late: { ...arrayOf(stringSchema), description: 'Hosts that did not answer in time.' },
  down: { ...arrayOf(stringSchema), description: 'Hosts that are away; what they recorded last stands.' },
} as const;

export const ruleCountersOperation: ApiOperation = {
  group,
  summary: 'How much a rule is used, and on which ports',
  path: { id: "The rule's `id`." },
  query: [timeoutParameter],
  answers: {
    200: objectOf({
      rule: uuidSchema,
      security_group: uuidSchema,
      ...usage,
      ...watch,
      ports: arrayOf(objectOf({ port: orNullSchema(stringSchema), host: stringSchema, ...usage })),
      ...unheard,
    }),
  },
};

const name = orNullSchema(stringSchema);

export const rulesUsageOperation: ApiOperation = {
  group,
  summary: 'How much rules are used, and which of them could go',
  refusals: [404],
  query: [
    { name: 'since', about: 'What counts as unused: seconds without use.', schema: integerSchema },
    { name: 'unused', about: 'Only rules that are unused.', schema: enumSchema(['true', 'false']) },
    { name: 'security_group_id', about: 'Only rules of this group.', schema: uuidSchema },
    timeoutParameter,
  ],
  answers: {
    200: objectOf({
      rules: arrayOf(
        objectOf({
          rule: uuidSchema,
          security_group: uuidSchema,
          security_group_name: name,
          direction: enumSchema(['ingress', 'egress']),
          ethertype: enumSchema(['IPv4', 'IPv6']),
          protocol: name,
          port_range_min: orNullSchema(integerSchema),
          port_range_max: orNullSchema(integerSchema),
          remote_ip_prefix: name,
          remote_group_id: orNullSchema(uuidSchema),
          remote_group_name: name,
          remote_address_group_id: orNullSchema(uuidSchema),
          remote_address_group_name: name,
          ...usage,
          ...watch,
          unused: booleanSchema,
          watched: { ...booleanSchema, description: 'Whether the counts reach back over all of that time.' },
          shadowed_by: { ...arrayOf(uuidSchema), description: 'Rules that allow all that this one does.' },
        }),
      ),
      now: timeSchema,
      ...watch,
      ...unheard,
    }),
  },
};
