/** The version documents, from which clients find their way. */
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** Scheme and authority as the client sees them. */
export function originOf(request: FastifyRequest): string {
  const host = request.headers.host ?? '';
  return URL.canParse(`http://${host}`) ? `http://${host}` : 'http://localhost';
}

export interface ResourceNames {
  readonly name: string;
  readonly collection: string;
  readonly path: string;
}

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
  app.get('/', async (request) => ({ versions: [version(request)] }));
  app.get('/v2.0', resourceList);
}
