/**
 * `POST /v1/explain`: each decision about one packet from a port; the port's host answers, then those of the
 * receivers. Every caller that sees the port may ask. Parts about other ports are limited to what the caller sees.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isObject } from '../../model/checks.ts';
import {
  type ExplainedChange,
  type ExplainedConnection,
  type ExplainedResult,
  type Explanation,
  explainedResults,
} from '../../model/explanation.ts';
import { badRequest } from '../../model/faults.ts';
import type { PortRecord } from '../../model/records.ts';
import {
  arrayOf,
  booleanSchema,
  enumSchema,
  objectOf,
  orNullSchema,
  stringSchema,
  uuidSchema,
} from '../../model/schema.ts';
import { portOf, subnetOf } from '../../policy/records.ts';
import { readBody } from '../http/body.ts';
import { timeoutOf } from '../http/timeout.ts';
import type { Access } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import { callerOf } from '../identity/request-caller.ts';
import { type ApiOperation, describes } from '../openapi/operation.ts';
import { explainArrivals, isExplanation } from './explain-arrivals.ts';
import { timeoutParameter } from './operations.ts';
import { packetSchema, readPacket } from './packet-description.ts';
import { frameOf } from './packet-frame.ts';
import { askHost, hidesHosts, hostOf, type PortQuestionParts } from './port-question.ts';

/** Seconds that a host has to answer. */
const explainTimeout = 10;
/** A jumbo frame. */
const maxFrameBytes = 9216;

const result = enumSchema(['pass', 'drop']);

const explainOperation: ApiOperation = {
  group: 'operator',
  summary: 'Explains what would become of a packet that a port sends',
  details:
    'For: whoever sees the port. Ports that the caller does not see are left out of the steps and changes. `packet` describes the packet, or `frame` has all of its bytes.',
  query: [timeoutParameter],
  body: {
    type: 'object',
    properties: {
      port: { ...uuidSchema, description: 'The port that sends the packet.' },
      packet: packetSchema,
      frame: {
        type: 'string',
        description: `The whole Ethernet frame in hexadecimal, up to ${maxFrameBytes} bytes.`,
      },
    },
    required: ['port'],
    additionalProperties: false,
  },
  refusals: [409],
  answers: {
    200: objectOf({
      port: uuidSchema,
      frame: { ...stringSchema, description: 'The frame that was walked, in hexadecimal.' },
      result: {
        ...enumSchema(explainedResults),
        description: '`sent`: it left the port, and what became of it is not known, or not for the caller.',
      },
      steps: arrayOf(
        objectOf(
          {
            host: orNullSchema(stringSchema),
            port: uuidSchema,
            stage: stringSchema,
            result,
            reason: stringSchema,
            rule: { ...orNullSchema(uuidSchema), description: 'The rule that admitted the packet.' },
            address: {
              ...orNullSchema(stringSchema),
              description: 'The address that the decision was about.',
            },
            roles: { ...stringSchema, description: 'The roles of ports that forbid the packet.' },
          },
          ['roles'],
        ),
      ),
      receivers: arrayOf(objectOf({ port: uuidSchema, result, reason: orNullSchema(stringSchema) })),
      connection: {
        ...orNullSchema(objectOf({ originators: arrayOf(stringSchema), responders: arrayOf(stringSchema) })),
        description: "The ports on the switch's record of the packet's connection; null where it has none.",
      },
      connections_read: {
        ...booleanSchema,
        description: 'False where the switch could not be asked for its connections.',
      },
      hosts_answered: {
        ...booleanSchema,
        description:
          'False where a host that the packet went to did not answer, or was not asked: its steps are missing.',
      },
      changes: {
        ...orNullSchema(
          arrayOf(
            objectOf({
              resource: enumSchema(['security_group_rule', 'port', 'network']),
              id: orNullSchema(uuidSchema),
              port: orNullSchema(uuidSchema),
              attributes: { type: 'object' },
            }),
          ),
        ),
        description: 'The smallest change that lets a dropped packet pass; null where none is known.',
      },
    }),
  },
};

/** Separators between bytes, as tools print them, are left out. */
function readFrame(value: unknown): Buffer {
  const text = typeof value === 'string' ? value.replace(/[\s:]/g, '') : '';
  if (!/^([0-9a-f]{2})+$/i.test(text)) return badRequest("'frame' must be bytes in hexadecimal");
  const frame = Buffer.from(text, 'hex');
  if (frame.length > maxFrameBytes) return badRequest(`'frame' must have at most ${maxFrameBytes} bytes`);
  return frame;
}

export function registerExplain(app: FastifyInstance, parts: PortQuestionParts): void {
  const { view, ports } = parts;
  const frameFrom = (body: Readonly<Record<string, unknown>>, record: PortRecord): Buffer => {
    if (body['frame'] !== undefined) {
      if (body['packet'] !== undefined) badRequest("Give 'packet' or 'frame', not both");
      return readFrame(body['frame']);
    }
    if (body['packet'] === undefined) return badRequest("Give a 'packet' or a 'frame'");
    const packet = readPacket(body['packet']);
    const { state } = view;
    const network = record.network_id;
    const port = portOf(record);
    if (port === null) throw new Error(`port ${record.id} has no MAC`);
    return frameOf(packet, {
      port,
      neighbours: [...state.ports.by('network', network)].flatMap((row) => portOf(row.record) ?? []),
      subnets: [...state.subnets.by('network', network)].flatMap((row) => subnetOf(row.record) ?? []),
    });
  };

  app.post('/v1/explain', describes(explainOperation), async (request: FastifyRequest) => {
    const body = readBody(request);
    if (!isObject(body)) return badRequest('Body contains invalid data');
    const unknown = Object.keys(body).find((name) => !['port', 'packet', 'frame'].includes(name));
    if (unknown !== undefined) return badRequest(`Unrecognized attribute(s) '${unknown}'`);
    const id = body['port'];
    if (typeof id !== 'string') return badRequest("'port' must be the id of a port");
    const timeout = timeoutOf(request.query, explainTimeout);
    const caller = callerOf(request);
    const port = ports.found(caller, id).record;
    const frame = frameFrom(body, port).toString('hex');
    const host = hostOf(view, port);
    const question = { kind: 'explain', port: id, network: port.network_id, frame } as const;
    const deadline = performance.now() + timeout;
    const answer = await askHost(parts, caller, host, question, timeout, isExplanation);
    const whole = await explainArrivals(parts, question, host, answer, deadline);
    return { port: id, frame, ...shownTo(caller, ports, whole) };
  });
}

/** What a caller learns: nothing about ports that it does not see, nor by what is left out. */
function shownTo(
  caller: Caller,
  ports: Access<PortRecord>,
  { result, steps, receivers, connection, changes, ...rest }: Explanation,
): Explanation {
  const seen = new Map<string, boolean>();
  const isSeen = (port: string): boolean => {
    let known = seen.get(port);
    if (known === undefined) seen.set(port, (known = ports.seen(caller, port) !== undefined));
    return known;
  };
  const mayChange = ({ port }: ExplainedChange): boolean => port === null || isSeen(port);
  const shownReceivers = receivers.filter(({ port }) => isSeen(port));
  const isHidden = shownReceivers.length < receivers.length;
  const shownResult: ExplainedResult = !isHidden
    ? result
    : shownReceivers.some((receiver) => receiver.result === 'pass')
      ? 'delivered'
      : 'sent';
  return {
    ...rest,
    result: shownResult,
    steps: steps
      .filter(({ port }) => isSeen(port))
      .map((step) => (hidesHosts(ports, caller) ? { ...step, host: null } : step)),
    receivers: shownReceivers,
    connection: connection && seenConnection(connection, isSeen),
    // A part of the changes would not let the packet pass.
    changes: shownResult !== 'sent' && changes?.every(mayChange) === true ? changes : null,
  };
}

/** Null where the caller sees none of the ports on the record: the connection is of others. */
function seenConnection(
  { originators, responders }: ExplainedConnection,
  isSeen: (port: string) => boolean,
): ExplainedConnection | null {
  const seen = { originators: originators.filter(isSeen), responders: responders.filter(isSeen) };
  return seen.originators.length + seen.responders.length === 0 ? null : seen;
}
