/** `/v1`, `/healthz` and `/metrics`: what an operator needs and Neutron's API has no word for. */
import type { FastifyInstance } from 'fastify';
import { Fault } from '../../base/errors.ts';
import { isObject } from '../../model/checks.ts';
import { answerFor, internalError } from '../http/errors.ts';
import { type RequestFault, refuseRequest } from '../http/request-faults.ts';
import { timeoutOf } from '../http/timeout.ts';
import { callerOf } from '../identity/request-caller.ts';
import { describes } from '../openapi/operation.ts';
import { hostsShown } from './hosts.ts';
import {
  countersOperation,
  healthOperation,
  hostCountersOperation,
  hostsOperation,
  metricsOperation,
  syncOperation,
  vipsOperation,
} from './operations.ts';
import { askHost, hostOf, type PortQuestionParts } from './port-question.ts';
import type { SwitchSync } from './switch-sync.ts';
import { vipsShown } from './vips.ts';

export interface OperatorParts extends PortQuestionParts {
  readonly sync: SwitchSync;
  readonly metrics: (() => Promise<string>) | undefined;
}

/** Seconds that a host has to answer. */
const countersTimeout = 10;

const hasDrops = (answer: unknown): answer is { readonly drops: readonly unknown[] } =>
  isObject(answer) && Array.isArray(answer['drops']);

export function registerOperatorRoutes(app: FastifyInstance, parts: OperatorParts): void {
  const { view, ports, asker, sync, metrics } = parts;
  app.get('/healthz', describes(healthOperation), async () => ({ status: 'ok', revision: view.revision }));

  app.get('/v1/hosts', describes(hostsOperation), async () => {
    return { hosts: hostsShown(view.state) };
  });

  app.get<{ Querystring: { network?: unknown } }>('/v1/vips', describes(vipsOperation), async (request) => {
    const { network } = request.query;
    return { vips: vipsShown(view.state, typeof network === 'string' ? network : null) };
  });

  app.get('/v1/sync', describes(syncOperation), async (request, reply) => {
    const timeout = timeoutOf(request.query, 30);
    const { revision, hosts, late, cut, cutTotal } = await sync.reach(timeout);
    if (late.length > 0) {
      const { status, body } =
        answerFor(new Fault<RequestFault>({ code: 'HostsLate', hosts: late }, 'hosts are late')) ??
        internalError;
      return reply.code(status).send({ ...body, late, hosts, revision });
    }
    return { hosts, revision, cut, cut_total: cutTotal };
  });

  app.get<{ Params: { id: string } }>(
    '/v1/ports/:id/counters',
    describes(countersOperation),
    async (request) => {
      const { id } = request.params;
      const caller = callerOf(request);
      const port = ports.found(caller, id).record;
      const host = hostOf(view, port);
      const question = { kind: 'counters', port: id, network: port.network_id } as const;
      const timeout = timeoutOf(request.query, countersTimeout);
      const { drops } = await askHost(parts, caller, host, question, timeout, hasDrops);
      return { port: id, drops };
    },
  );

  app.get<{ Params: { host: string } }>(
    '/v1/hosts/:host/counters',
    describes(hostCountersOperation),
    async (request) => {
      const { host } = request.params;
      if (!view.state.hosts.has(host)) return refuseRequest({ code: 'HostNotFound', host });
      const timeout = timeoutOf(request.query, countersTimeout);
      const { answers } = await asker.ask({ kind: 'host-counters', host }, [host], timeout);
      const answer = answers.get(host);
      if (!hasDrops(answer)) return refuseRequest({ code: 'HostSilent', host });
      return { host, drops: answer.drops };
    },
  );

  if (metrics !== undefined) {
    app.get('/metrics', describes(metricsOperation), async (_request, reply) =>
      reply.header('content-type', 'text/plain; version=0.0.4; charset=utf-8').send(await metrics()),
    );
  }
}
