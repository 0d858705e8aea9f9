/**
 * `/openapi.json`: the document of all routes. It collects them as they are registered. `undocumented` finds routes without a
 * description.
 */
import type { FastifyInstance, RouteOptions } from 'fastify';
import { refusalTypes } from '../http/errors.ts';
import { refuseMethod } from '../http/request-faults.ts';
import { isOpen } from '../identity/request-caller.ts';
import type { Chapter } from './attributes-page.ts';
import { type DocumentedRoute, documentOf } from './document.ts';
import { type ApiOperation, describes } from './operation.ts';

interface Heard {
  readonly routes: RouteOptions[];
  readonly tokens: boolean;
}

const heard = new WeakMap<FastifyInstance, Heard>();

const methodsOf = ({ method }: RouteOptions): readonly string[] =>
  // HEAD comes with every GET.
  (typeof method === 'string' ? [method] : method).filter((one) => one !== 'HEAD');

const operationOf = ({ config }: RouteOptions): ApiOperation | null => {
  const described = config?.operation ?? null;
  return typeof described === 'function' ? described() : described;
};

function routesOf(options: RouteOptions): readonly DocumentedRoute[] {
  const { url } = options;
  const operation = operationOf(options);
  if (operation === null) return [];
  return methodsOf(options).map((method) => ({ method, url, operation, open: isOpen(url) }));
}

/** Must come before any other route. `tokens`: whether callers need a token. */
export function registerOpenApi(app: FastifyInstance, tokens: boolean): void {
  const routes: RouteOptions[] = [];
  heard.set(app, { routes, tokens });
  app.addHook('onRoute', (options) => {
    routes.push(options);
  });
  let text: string | null = null;
  const operation = {
    group: 'documents',
    summary: 'This document',
    answers: { 200: { type: 'object' } },
  } as const;
  app.get('/openapi.json', describes(operation), async (_request, reply) => {
    text ??= JSON.stringify(
      documentOf(
        routes.flatMap((options) => routesOf(options)),
        { tokens, refusals: refusalTypes() },
      ),
    );
    return reply.header('content-type', 'application/json').send(text);
  });
}

const routesHeardOf = (app: FastifyInstance): readonly RouteOptions[] => heard.get(app)?.routes ?? [];

/** Equal for servers of one build that have the same document, and cheaper. */
export const shapeOf = (app: FastifyInstance): string =>
  [heard.get(app)?.tokens, ...routesHeardOf(app).map(({ method, url }) => `${String(method)} ${url}`)].join(
    '\n',
  );

/** What lists of the server are of, in the order of their routes. */
export const chaptersOf = (app: FastifyInstance): readonly Chapter[] =>
  routesHeardOf(app).flatMap((options) => {
    // Fastify adds a HEAD to every GET.
    if (options.method === 'HEAD') return [];
    const subject = operationOf(options)?.subject;
    return subject === undefined ? [] : [{ path: options.url, subject }];
  });

/** Routes that neither have a description nor refuse every request, as `GET /path`. */
export function undocumented(app: FastifyInstance): readonly string[] {
  return routesHeardOf(app)
    .filter(({ config, handler }) => config?.operation === undefined && handler !== refuseMethod)
    .flatMap((options) => methodsOf(options).map((method) => `${method} ${options.url}`));
}
