/**
 * Builds the HTTP server over a store: routes, the in-memory view, error answers and who may connect. Without
 * authentication it listens on loopback only unless told otherwise, and answers for no foreign host name.
 */
import { randomUUID } from 'node:crypto';
import { type AddressInfo, isIP } from 'node:net';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { bug, Fault, reasonOf } from '../base/errors.ts';
import { usualMtu } from '../model/network.ts';
import { noQuotas, type QuotaLimits } from '../model/quota.ts';
import type { PairForwarding } from '../model/records.ts';
import { type SegmentRules, usualSegmentRules } from '../model/segments.ts';
import type { Store } from '../store/contract.ts';
import { registerExtensions } from './extensions.ts';
import { registerBodyParser } from './http/body.ts';
import { answerFor, internalError } from './http/errors.ts';
import { malformedRequest, rawRefusals, registerRawRefusals, requestIdHeader } from './http/raw-refusals.ts';
import { refuseRequest } from './http/request-faults.ts';
import type { Context } from './http/resource.ts';
import { Access } from './identity/access.ts';
import { type Authenticator, challengeOf } from './identity/authenticator.ts';
import { noAuthentication } from './identity/nobody.ts';
import { registerIdentity } from './identity/request-caller.ts';
import { registerOpenApi } from './openapi/routes.ts';
import { Asker } from './operator/ask.ts';
import { registerExplain } from './operator/explain-routes.ts';
import { registerOperatorRoutes } from './operator/operator.ts';
import { registerRuleUsage } from './operator/rule-usage-routes.ts';
import { registerStoreCheck } from './operator/store-check.ts';
import { SwitchSync } from './operator/switch-sync.ts';
import { registerResources } from './resources/catalogue.ts';
import { plantDefaultGroupRules } from './resources/default-group-rules.ts';
import { registerEmptyLists } from './resources/empty-lists.ts';
import { migrateNumbers } from './resources/number-migration.ts';
import { registerPortBindings } from './resources/port-bindings.ts';
import { migratePortNetworks } from './resources/port-network-migration.ts';
import { Ports } from './resources/ports.ts';
import { registerQosRuleTypes } from './resources/qos-rule-types.ts';
import { registerQosRules } from './resources/qos-rules.ts';
import { registerQuotas } from './resources/quotas.ts';
import { AddressBook } from './state/address-book.ts';
import { Committer } from './state/committer.ts';
import { View } from './state/view.ts';
import { registerVersions } from './versions.ts';

export type ListenFault = { readonly code: 'RemoteWithoutAuth'; readonly host: string };

export interface ApiOptions {
  readonly store: Store;
  readonly log: Logger;
  /** Port 0 takes any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Absent: no authentication. */
  readonly authenticator?: Authenticator;
  /** Without authentication: allows an address beyond loopback, where everybody may do everything. */
  readonly allowRemoteWithoutAuth?: boolean;
  /** Allowed pairs must be single addresses in a subnet of the port's fixed IPs. */
  readonly strictPairs?: boolean;
  /** Who gets what is for a MAC of several ports in new networks; absent: the owner. */
  readonly pairForwarding?: PairForwarding;
  /** The largest packet on the links between hypervisors, in bytes; absent: 1500. */
  readonly mtu?: number;
  /** How networks may be carried; absent: `local` ones for tenants, and no VLANs. */
  readonly segments?: SegmentRules;
  /** What projects may have that were given no limits of their own; absent: any number. */
  readonly quotas?: QuotaLimits;
  /** Milliseconds in which a request has to arrive whole; absent: a minute. */
  readonly requestTimeout?: number;
  /** Makes the ids of records; absent: random UUIDs. */
  readonly newId?: () => string;
  /** Prometheus text for `GET /metrics`; without it the path is unknown. */
  readonly metrics?: () => Promise<string>;
}

export interface Api {
  /** Resolves when requests are served. Throws `RemoteWithoutAuth` or what listening threw. */
  listen(): Promise<void>;
  /** Finishes the requests under way; those that wait for agents end at once. The store stays open. */
  close(): Promise<void>;
  /** `http://host:port`; only while listening. */
  readonly address: string;
  /** For requests without a socket. */
  readonly app: FastifyInstance;
  /** Fills the in-memory copy; `listen` does so too. */
  ready(): Promise<void>;
}

/** Bulk requests of a few thousand ports fit. */
const bodyLimit = 8 * 1024 * 1024;

/** Milliseconds. Without a limit, a client that sends half a request holds its connection and its memory for ever. */
const usualRequestTimeout = 60_000;

/** Milliseconds that requests under way get at the end. Without a limit, a client that sends half a request blocks the end. */
const drainTimeout = 2000;

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);

const noSchemas = (): never => bug('a route has a schema');

const newRequestId = (): string => `req-${randomUUID()}`;

export function createApi(options: ApiOptions): Api {
  const { store, log, listen } = options;
  const view = new View(store, log);
  const committer = new Committer(store, view);
  const context: Context = {
    view,
    committer,
    addresses: new AddressBook(view),
    newId: options.newId ?? randomUUID,
    strictPairs: options.strictPairs ?? false,
    pairForwarding: options.pairForwarding ?? 'detect',
    mtu: options.mtu ?? usualMtu,
    segments: options.segments ?? usualSegmentRules,
    quotas: options.quotas ?? noQuotas,
  };
  const app = fastify({
    logger: false,
    bodyLimit,
    // No route has a schema of Fastify's. Its own compilers take 10 ms to load.
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    genReqId: newRequestId,
    ...rawRefusals(newRequestId, options.requestTimeout ?? usualRequestTimeout),
    // Hooks do not see these.
    frameworkErrors: (error, request, reply) => {
      const { status, body } = answerFor(translated(error)) ?? internalError;
      void (reply as FastifyReply)
        .code(status)
        .headers({ [requestIdHeader]: request.id, 'content-type': 'application/json' })
        .send(JSON.stringify(body));
    },
    // The longest tag, each of its letters written as four bytes, each byte as %XX.
    routerOptions: {
      ignoreTrailingSlash: true,
      // Clients join an endpoint that ends with a slash and a path that begins with one.
      ignoreDuplicateSlashes: true,
      maxParamLength: 255 * 4 * 3,
    },
    rewriteUrl: ({ url }) => usualSpelling(url ?? '/'),
  });
  registerBodyParser(app);
  app.addHook('onSend', (request, reply, payload, done) => {
    reply.header(requestIdHeader, request.id);
    // Fastify adds a charset that JSON has no need of (RFC 8259 11) and Neutron does not send.
    if (reply.getHeader('content-type') === 'application/json; charset=utf-8') {
      reply.header('content-type', 'application/json');
    }
    done(null, payload);
  });
  registerErrors(app, log);
  registerRawRefusals(app, newRequestId);
  const authenticator = options.authenticator ?? noAuthentication;
  // First, because it collects all later routes.
  registerOpenApi(app, !authenticator.open);
  const loopbackOnly = authenticator.open && options.allowRemoteWithoutAuth !== true;
  if (loopbackOnly) {
    app.addHook('onRequest', async (request) => refuseForeignName(request, listen.host));
  }
  registerIdentity(app, authenticator);
  registerExtensions(app);
  registerVersions(app, registerResources(app, context));
  registerQuotas(app, context);
  registerPortBindings(app, context);
  registerQosRules(app, context);
  registerQosRuleTypes(app);
  registerEmptyLists(app);
  const asker = new Asker(store, view);
  const sync = new SwitchSync(store, view);
  registerRuleUsage(app, view, asker);
  registerStoreCheck(app, store);
  const access = new Access(new Ports(context), view);
  registerOperatorRoutes(app, { view, ports: access, asker, sync, metrics: options.metrics });
  registerExplain(app, { view, ports: access, asker });

  let started: Promise<void> | null = null;
  const ready = async (): Promise<void> => {
    started ??= view
      .start()
      .then(() => migrateNumbers(context))
      .then(() => migratePortNetworks(context, store))
      .then(() => plantDefaultGroupRules(context));
    await started;
  };
  return {
    app,
    ready,
    async listen() {
      if (loopbackOnly && !isLoopback(listen.host)) {
        throw new Fault<ListenFault>(
          { code: 'RemoteWithoutAuth', host: listen.host },
          `refusing to listen on ${listen.host}: without authentication only loopback addresses are safe`,
        );
      }
      await ready();
      await app.listen({ host: listen.host, port: listen.port });
    },
    async close() {
      asker.close();
      sync.close();
      authenticator.close();
      const cut = setTimeout(() => app.server.closeAllConnections(), drainTimeout);
      await app.close();
      clearTimeout(cut);
      view.close();
    },
    get address() {
      const { address, family, port } = app.server.address() as AddressInfo;
      return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
    },
  };
}

/** Collections whose paths have dashes; Neutron finds them by underscores too. */
const underscored = /^\/v2\.0\/(?!availability_zones)[a-z]+(?:_[a-z]+)+(?=[/?.]|$)/;

/** Neutron's oldest clients ask for `networks.json` and `security_groups`; a tag may end in `.json` by itself. */
function usualSpelling(url: string): string {
  if (!url.startsWith('/v2.0/')) return url;
  const dashed = url.replace(underscored, (path) => path.replaceAll('_', '-'));
  const suffixed = dashed.includes('.json') && !dashed.includes('/tags/');
  return suffixed ? dashed.replace(/\.json(?=$|\?)/, '') : dashed;
}

/** A web page that points its own name at loopback (DNS rebinding) must not speak to an unauthenticated API. */
function refuseForeignName(request: FastifyRequest, listenHost: string): void {
  const { hostname } = request;
  const name = hostname.replace(/^\[|\]$/g, '');
  if (isIP(name) === 0 && name !== 'localhost' && name !== listenHost) refuseRequest({ code: 'WrongHost' });
}

function registerErrors(app: FastifyInstance, log: Logger): void {
  app.setErrorHandler((error, request, reply) => {
    const answer = answerFor(translated(error));
    const { id, method, url } = request;
    if (answer === null) log.error({ err: error, request: id, method, url }, 'a request failed');
    const { status, body } = answer ?? internalError;
    if (status === 503)
      log.warn({ reason: reasonOf(error), request: id, method, url }, 'a request was put off');
    const challenge = challengeOf(error);
    if (challenge !== null) reply.header('www-authenticate', challenge);
    return reply.code(status).send(body);
  });
  app.setNotFoundHandler(() => refuseRequest({ code: 'UnknownPath' }));
}

/** Fastify's own refusals of a request, as faults. */
function translated(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : null;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new Fault({ code: 'BodyTooLarge' }, 'body too large', error);
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return new Fault({ code: 'WrongMediaType' }, 'media type', error);
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new Fault({ code: 'BadRequest', message: malformedRequest }, 'malformed request', error);
  }
  return error;
}
