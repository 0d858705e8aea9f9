/**
 * Lists of resources that do not exist here, always empty. Some clients list everything of a project (`project cleanup`,
 * dashboards, Nova for the floating IPs of a port) and fail at a 404.
 */
import type { FastifyInstance } from 'fastify';
import { refuse } from '../../model/faults.ts';
import { arrayOf } from '../../model/schema.ts';
import { describes, undescribed, wrapped } from '../openapi/operation.ts';

const none = { ...arrayOf({ type: 'object' }), maxItems: 0 } as const;

const lists = [
  { path: 'floatingips', collection: 'floatingips', what: 'floating IPs' },
  { path: 'service-providers', collection: 'service_providers', what: 'providers of network services' },
] as const;

/** Whatever they are filtered by. */
export function registerEmptyLists(app: FastifyInstance): void {
  for (const { path, collection, what } of lists) {
    const operation = {
      group: 'lists of nothing',
      summary: `Lists ${what}: there are none`,
      answers: { 200: wrapped(collection, none) },
    };
    app.get(`/v2.0/${path}`, describes(operation), async () => ({ [collection]: [] }));
  }
  app.get<{ Params: { id: string } }>('/v2.0/floatingips/:id', undescribed, async ({ params: { id } }) =>
    refuse({ code: 'FloatingIPNotFound', id }),
  );
}
