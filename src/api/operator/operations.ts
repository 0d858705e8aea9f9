/** What the API document says about the operator's routes. */
import {
  arrayOf,
  booleanSchema,
  enumSchema,
  integerSchema,
  objectOf,
  type Schema,
  stringSchema,
  timeSchema,
  uuidSchema,
} from '../../model/schema.ts';
import type { ApiOperation, QueryParameter } from '../openapi/operation.ts';

const group = 'operator';

export const timeoutParameter: QueryParameter = {
  name: 'timeout',
  about: 'Seconds to wait for hosts, up to 3600.',
  schema: { type: 'number', maximum: 3600 },
};

const names = arrayOf(stringSchema);
const textOrNull = { type: ['string', 'null'] } as const satisfies Schema;

export const healthOperation: ApiOperation = {
  group,
  summary: 'Whether the server serves',
  answers: { 200: objectOf({ status: stringSchema, revision: integerSchema }) },
};

export const hostsOperation: ApiOperation = {
  group,
  summary: 'Lists the hosts and whether they live',
  answers: {
    200: objectOf({
      hosts: arrayOf(
        objectOf({
          name: stringSchema,
          live: { ...booleanSchema, description: 'Whether its lease in the store lives.' },
          last_seen: {
            ...timeSchema,
            description: 'When this server last knew it alive: now for a host that lives.',
          },
          version: { ...textOrNull, description: 'Of its agent.' },
          schema_version: { type: ['integer', 'null'], description: 'Of the records that it writes.' },
          availability_zone: stringSchema,
          bridge: textOrNull,
          datapath_type: textOrNull,
          tunnel_ip: { ...textOrNull, description: 'Null on a host without tunnels.' },
          tunnel_types: names,
          bridge_mappings: {
            type: 'object',
            additionalProperties: stringSchema,
            description: 'Physical network to bridge.',
          },
          ports: { type: 'integer', description: 'How many it holds.' },
          applied: {
            type: ['integer', 'null'],
            description: 'The last revision that a sync waited for and its switch has; null without one.',
          },
          lag: {
            type: ['integer', 'null'],
            description: 'How far that is behind the last sync, in revisions; null for a dead host.',
          },
        }),
      ),
    }),
  },
};

export const vipsOperation: ApiOperation = {
  group,
  summary: 'Lists the addresses that several ports may have, and who holds each',
  query: [{ name: 'network', about: 'Only those of this network.', schema: uuidSchema }],
  answers: {
    200: objectOf({
      vips: arrayOf(
        objectOf({
          network_id: uuidSchema,
          address: stringSchema,
          owner: {
            ...textOrNull,
            description: 'The port that claimed it last; null before the first claim.',
          },
          owner_name: textOrNull,
          host: { ...textOrNull, description: 'Where the claim was seen.' },
          mac_address: { ...textOrNull, description: 'The MAC that the owner uses it with.' },
          since: { ...textOrNull, description: "By that host's clock." },
          how: { type: ['string', 'null'], description: '`announcement` or `answer`.' },
          changes: { ...integerSchema, description: 'How often the owner has changed.' },
          candidates: arrayOf(objectOf({ id: uuidSchema, name: stringSchema, host: textOrNull })),
        }),
      ),
    }),
  },
};

export const syncOperation: ApiOperation = {
  group,
  summary: 'Waits until every live switch has what the store holds now',
  query: [timeoutParameter],
  answers: {
    200: objectOf({
      hosts: names,
      revision: integerSchema,
      cut: { type: 'integer', description: 'Connections that this wait found forbidden and cut.' },
      cut_total: { type: 'integer', description: 'Connections cut since the hosts started.' },
    }),
    504: objectOf({
      NeutronError: objectOf({ type: stringSchema, message: stringSchema, detail: stringSchema }),
      late: { ...names, description: 'The hosts that have not answered.' },
      hosts: names,
      revision: integerSchema,
    }),
  },
};

const drops = arrayOf(
  objectOf(
    {
      reason: stringSchema,
      direction: enumSchema(['ingress', 'egress']),
      protocol: { ...stringSchema, description: 'On drops that no rule admits.' },
      packets: integerSchema,
      bytes: integerSchema,
    },
    ['protocol'],
  ),
);

export const countersOperation: ApiOperation = {
  group,
  summary: "Lists a port's drops by reason",
  details: 'For: whoever sees the port.',
  path: { id: "The port's `id`." },
  refusals: [409],
  query: [timeoutParameter],
  answers: { 200: objectOf({ port: uuidSchema, drops }) },
};

export const hostCountersOperation: ApiOperation = {
  group,
  summary: 'Drops on a host that belong to no port',
  path: { host: 'The name of the host.' },
  query: [timeoutParameter],
  answers: { 200: objectOf({ host: stringSchema, drops }) },
};

export const metricsOperation: ApiOperation = {
  group,
  summary: "Figures in Prometheus' format",
  media: 'text/plain',
  answers: { 200: stringSchema },
};
