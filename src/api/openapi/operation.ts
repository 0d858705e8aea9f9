/**
 * The description of a route for the OpenAPI document. It stands beside the route's handler, so that there is no second
 * list of routes. The document's test finds a route without one.
 */
import type { AttributeTable } from '../../model/attribute.ts';
import type { Verbs } from '../../model/policy.ts';
import type { Schema } from '../../model/schema.ts';

export interface QueryParameter {
  readonly name: string;
  readonly about: string;
  /** An array may be repeated: `name=a&name=b`. */
  readonly schema: Schema;
}

/** The parts of a resource that documents show. */
export interface DocumentedResource {
  /** The key that wraps one in a body. */
  readonly name: string;
  /** The key that wraps several. */
  readonly collection: string;
  readonly table: AttributeTable;
  readonly verbs: Verbs;
  /** Several cannot be made at once. */
  readonly single?: true;
}

export interface ApiOperation {
  /** What it lists. */
  readonly subject?: DocumentedResource;
  /** Unique in the document; absent: made of the method and the path. */
  readonly id?: string;
  /** The heading under which documents list it. */
  readonly group: string;
  readonly summary: string;
  readonly details?: string;
  readonly query?: readonly QueryParameter[];
  /** What the parts of the path mean, where their names do not say. */
  readonly path?: Readonly<Record<string, string>>;
  readonly body?: Schema;
  /** If-Match makes it conditional. */
  readonly conditional?: true;
  /** By status; null: no body. Refusals in Neutron's shape go without saying. */
  readonly answers: Readonly<Record<number, Schema | null>>;
  /** Statuses of refusals beside those that its method and path suggest. */
  readonly refusals?: readonly number[];
  /** The type of its answers, JSON when absent. */
  readonly media?: 'text/plain';
  /** Schemas that `$ref`s of this operation name. */
  readonly components?: Readonly<Record<string, Schema>>;
}

/** An operation, or what makes it when the document is built: most servers never build the document. */
export type Described = ApiOperation | (() => ApiOperation);

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Null: the route refuses every request. The document leaves it out. */
    operation?: Described | null;
  }
}

interface RouteOptions {
  readonly config: { readonly operation: Described | null };
}

/** The options of a route with this description. */
export const describes = (operation: Described): RouteOptions => ({ config: { operation } });

/** The options of a route that refuses every request. */
export const undescribed: RouteOptions = { config: { operation: null } };

export const refTo = (component: string): Schema => ({ $ref: `#/components/schemas/${component}` });

/** An object with one key, as Neutron wraps what it sends and takes. */
export const wrapped = (name: string, schema: Schema): Schema => ({
  type: 'object',
  properties: { [name]: schema },
  required: [name],
});
