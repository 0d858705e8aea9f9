/** The routes of the API's own document: requests follow it, so later routes are covered too. */
import { isObject } from '../../../src/model/checks.ts';
import type { Schema } from '../../../src/model/schema.ts';
import type { Method } from './request.ts';

export interface Route {
  readonly method: Method;
  /** With `{names}` for parts that vary. */
  readonly path: string;
  /** What the body is; null where there is none. */
  readonly body: Schema | null;
}

const methods: Readonly<Record<string, Method>> = { get: 'GET', post: 'POST', put: 'PUT', delete: 'DELETE' };

const at = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>((held, name) => (isObject(held) ? held[name] : undefined), value);

/** A schema with what it refers to in place, as deep as bodies go. */
function resolved(document: unknown, schema: unknown, depth = 0): unknown {
  if (Array.isArray(schema)) return schema.map((one) => resolved(document, one, depth));
  if (!isObject(schema)) return schema;
  const { $ref: reference } = schema;
  if (typeof reference === 'string')
    return depth > 6 ? {} : resolved(document, at(document, ...reference.split('/').slice(1)), depth + 1);
  return Object.fromEntries(
    Object.entries(schema).map(([name, part]) => [name, resolved(document, part, depth)]),
  );
}

export function routesOf(document: unknown): readonly Route[] {
  return Object.entries(at(document, 'paths') ?? {}).flatMap(([path, operations]) =>
    Object.entries(operations as Readonly<Record<string, unknown>>).flatMap(([verb, operation]) => {
      const method = methods[verb];
      // It waits for hosts as long as its timeout says.
      if (method === undefined || path.startsWith('/v1/')) return [];
      const schema = at(operation, 'requestBody', 'content', 'application/json', 'schema');
      const body = schema === undefined ? null : (resolved(document, schema) as Schema);
      return [{ method, path, body }];
    }),
  );
}
