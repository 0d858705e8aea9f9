/** The version documents, where clients begin. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { arrayOf, objectOf, stringSchema } from '../model/schema.ts';
import { type ApiOperation, describes } from './openapi/operation.ts';

/** Scheme and authority as the client sees them; a proxy that ends TLS says so. */
export function originOf({ headers }: FastifyRequest): string {
  const scheme = headers['x-forwarded-proto'] === 'https' ? 'https' : 'http';
  const origin = `${scheme}://${headers.host ?? ''}`;
  return URL.canParse(origin) ? origin : `${scheme}://localhost`;
}

/** The request's own URL; its path may begin with two slashes, which would be a host by itself. */
export const urlOf = (request: FastifyRequest): URL => new URL(`${originOf(request)}${request.url}`);

export interface ResourceNames {
  readonly name: string;
  readonly collection: string;
  readonly path: string;
}

const links = arrayOf(objectOf({ rel: stringSchema, href: stringSchema }));

const versionsOperation: ApiOperation = {
  group: 'versions',
  summary: 'The versions of the API',
  answers: {
    200: objectOf({ versions: arrayOf(objectOf({ id: stringSchema, status: stringSchema, links })) }),
  },
};

const resourcesOperation: ApiOperation = {
  group: 'versions',
  summary: 'The resources of the API',
  answers: {
    200: objectOf({
      resources: arrayOf(objectOf({ name: stringSchema, collection: stringSchema, links })),
    }),
  },
};

export function registerVersions(app: FastifyInstance, resources: readonly ResourceNames[]): void {
  const version = (request: FastifyRequest) => ({
    id: 'v2.0',
    status: 'CURRENT',
    links: [{ rel: 'self', href: `${originOf(request)}/v2.0/` }],
  });
  const resourceList = async (request: FastifyRequest) => ({
    resources: resources.map(({ name, collection, path }) => ({
      name,
      collection,
      links: [{ rel: 'self', href: `${originOf(request)}/v2.0/${path}` }],
    })),
  });
  app.get('/', describes(versionsOperation), async (request) => ({ versions: [version(request)] }));
  app.get('/v2.0', describes(resourcesOperation), resourceList);
}
