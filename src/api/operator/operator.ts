/** `/v1`, `/healthz` and `/metrics`: what an operator needs and Neutron's API has no word for. */
import type { FastifyInstance } from 'fastify';
import { Fault } from '../../base/errors.ts';
import { isObject } from '../../model/checks.ts';
import type { PortRecord } from '../../model/records.ts';
import { answerFor, internalError } from '../http/errors.ts';
import { type RequestFault, refuseRequest } from '../http/request-faults.ts';
import { timeoutOf } from '../http/timeout.ts';
import type { Access } from '../identity/access.ts';
import { callerOf } from '../identity/request-caller.ts';
import { describes } from '../openapi/operation.ts';
import type { View } from '../state/view.ts';
import type { Asker } from './ask.ts';
import {
  countersOperation,
  healthOperation,
  hostCountersOperation,
  hostsOperation,
  metricsOperation,
  syncOperation,
} from './operations.ts';

export interface OperatorParts {
  readonly view: View;
  /** Who sees a port may ask what became of its packets. */
  readonly ports: Access<PortRecord>;
  readonly asker: Asker;
  readonly metrics: (() => Promise<string>) | undefined;
}

/** Seconds that a host has to answer. */
const countersTimeout = 10;

export function registerOperatorRoutes(
  app: FastifyInstance,
  { view, ports, asker, metrics }: OperatorParts,
): void {
  app.get('/healthz', describes(healthOperation), async () => ({ status: 'ok', revision: view.revision }));

  app.get('/v1/hosts', describes(hostsOperation), async () => {
    const bindings = [...view.state.bindings.values()];
    const hosts = [...view.state.hosts.values()].map((host) => ({
      name: host.name,
      live: view.state.liveness.isLive(host),
      heartbeat: new Date(host.heartbeat).toISOString(),
      ttl: host.ttl,
      ports: bindings.filter((binding) => binding.host === host.name).length,
    }));
    return { hosts };
  });

  app.get('/v1/sync', describes(syncOperation), async (request, reply) => {
    const timeout = timeoutOf(request.query, 30);
    // A host that has just come up and written its record counts, even if this server has not heard of it yet.
    await view.catchUp();
    const hosts = asker.liveHosts();
    const { revision, answers, late } = await asker.ask({ kind: 'sync' }, hosts, timeout);
    if (late.length > 0) {
      const { status, body } =
        answerFor(new Fault<RequestFault>({ code: 'HostsLate', hosts: late }, 'hosts are late')) ??
        internalError;
      return reply.code(status).send({ ...body, late, hosts: [...answers.keys()], revision });
    }
    const sum = (field: 'cut' | 'cut_total'): number =>
      [...answers.values()].reduce<number>((total, answer) => {
        const value = isObject(answer) ? answer[field] : undefined;
        return total + (typeof value === 'number' ? value : 0);
      }, 0);
    return { hosts: [...answers.keys()], revision, cut: sum('cut'), cut_total: sum('cut_total') };
  });

  app.get<{ Params: { id: string } }>(
    '/v1/ports/:id/counters',
    describes(countersOperation),
    async (request) => {
      const { id } = request.params;
      const caller = callerOf(request);
      const port = ports.found(caller, id).record;
      const binding = view.state.bindings.get(id);
      // A port that is set down still has a binding, and its host counts its drops.
      if (binding === undefined || (binding.status === 'DOWN' && port.admin_state_up))
        return refuseRequest({ code: 'PortNotBound', port: id });
      const question = { kind: 'counters', port: id, network: port.network_id } as const;
      const timeout = timeoutOf(request.query, countersTimeout);
      const { answers } = await asker.ask(question, [binding.host], timeout);
      const answer = answers.get(binding.host);
      if (!isObject(answer) || !Array.isArray(answer['drops'])) {
        // Where a port is held is the cloud's own business.
        const host = ports.visibilityOf(caller).hidden.has('binding:host_id') ? null : binding.host;
        return refuseRequest({ code: 'HostSilent', host });
      }
      return { port: id, drops: answer['drops'] };
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
      if (!isObject(answer) || !Array.isArray(answer['drops']))
        return refuseRequest({ code: 'HostSilent', host });
      return { host, drops: answer['drops'] };
    },
  );

  if (metrics !== undefined) {
    app.get('/metrics', describes(metricsOperation), async (_request, reply) =>
      reply.header('content-type', 'text/plain; version=0.0.4; charset=utf-8').send(await metrics()),
    );
  }
}
