/**
 * Every request gets its caller before its body is read. A route needs a token unless it is listed as open. A route beside
 * Neutron's is for operators unless it is listed for tenants.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { bug } from '../../base/errors.ts';
import { refuseRequest } from '../http/request-faults.ts';
import type { Authenticator } from './authenticator.ts';
import type { Caller } from './caller.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Null on open routes. */
    caller: Caller | null;
  }
}

/** Where clients find their way, and what monitors look at: nothing there is anybody's. */
const openRoutes: ReadonlySet<string> = new Set(['/', '/healthz', '/metrics', '/openapi.json']);
export const isOpen = (route: string): boolean => openRoutes.has(route);
const operatorRoutes = '/v1/';
/** Beside Neutron's, but about something that has an owner: the route asks for the caller's rights itself. */
const tenantRoutes: ReadonlySet<string> = new Set(['/v1/ports/:id/counters', '/v1/explain']);

/** The caller of a request to a route that is not open. */
export const callerOf = (request: FastifyRequest): Caller =>
  request.caller ?? bug('a request came here without a caller');

export function registerIdentity(app: FastifyInstance, authenticator: Authenticator): void {
  app.decorateRequest('caller', null);
  app.addHook('onRequest', async (request) => {
    const route = request.routeOptions.url ?? '';
    if (isOpen(route)) return;
    const caller = await authenticator.callerOf(request.headers);
    const forOperators = route.startsWith(operatorRoutes) && !tenantRoutes.has(route);
    if (forOperators && !caller.admin && !caller.service) {
      refuseRequest({ code: 'PolicyNotAuthorized', rules: 'rule:admin_or_service' });
    }
    request.caller = caller;
  });
}
