/**
 * The routes that every resource and sub-resource has. The router knows HTTP and the attribute table. The resource knows its
 * own rules, and its gate who may do what.
 */
import type { FastifyInstance } from 'fastify';
import type { AttributeTable } from '../../model/attribute.ts';
import type { Owned } from '../../model/standard-attributes.ts';
import { Access } from '../identity/access.ts';
import { tableOperations } from '../openapi/table-operations.ts';
import { registerCollection } from './collection-routes.ts';
import { registerRecord } from './record-routes.ts';
import type { Context, Resource } from './resource.ts';
import type { Params, Routes, Served } from './served.ts';

export interface SubresourceOptions<R extends Owned, T extends AttributeTable> {
  readonly serve: (params: Params) => Served<R, T>;
  readonly idPart?: string;
  readonly single?: true;
  /** What documents call it; absent: as the resource is called. */
  readonly documented?: { readonly component: string; readonly collection: string };
  /** The URL of the collection is served elsewhere. */
  readonly alias?: true;
}

export function registerResource<R extends Owned, T extends AttributeTable>(
  app: FastifyInstance,
  context: Context,
  resource: Resource<R, T>,
): void {
  const served = { resource, gate: new Access(resource, context.view) };
  const operations = tableOperations(resource);
  registerRoutes({ app, context, resource, operations, served, idPart: 'id', single: false });
}

export function registerSubresource<R extends Owned, T extends AttributeTable>(
  app: FastifyInstance,
  context: Context,
  { serve, idPart = 'id', single, documented, alias }: SubresourceOptions<R, T>,
): void {
  const { resource } = serve({});
  const { name, table, verbs } = resource;
  const { component = name, collection = resource.collection } = documented ?? {};
  const subject = { name, collection, table, verbs, ...(single === true ? { single } : {}) };
  const operations = tableOperations(subject, component);
  const routes = {
    app,
    context,
    resource,
    operations,
    served: serve,
    idPart,
    single: single === true,
  };
  if (alias === true) registerRecord(routes);
  else registerRoutes(routes);
}

function registerRoutes<R extends Owned, T extends AttributeTable>(routes: Routes<R, T>): void {
  registerCollection(routes);
  registerRecord(routes);
}
