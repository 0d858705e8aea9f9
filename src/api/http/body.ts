/** Request bodies: JSON wrapped in the resource's name. It is parsed here, so that nothing is coerced or dropped. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isObject } from '../../model/checks.ts';
import { badRequest } from '../../model/faults.ts';
import { isNestedDeeper } from './nesting.ts';
import { refuseRequest } from './request-faults.ts';

const invalidBody = 'Body contains invalid data';
/** No valid body is nested deeper. The limit keeps a hostile one from exhausting the stack. */
const maxDepth = 100;

/**
 * Replaces fastify's parsers. A body that is declared as another type than JSON is refused. Some clients declare none: such
 * a body is accepted unless it has `Origin`, by which a browser says that a web page sent it.
 */
export function registerBodyParser(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, text, done) => {
    done(null, text);
  });
  app.addContentTypeParser('*', { parseAs: 'string' }, ({ headers }, text, done) => {
    const undeclared = headers['content-type'] === undefined && headers.origin === undefined;
    done(null, text === '' ? undefined : undeclared ? text : notJson);
  });
}

const notJson = Symbol('a body of another type');

/** The whole body, whatever it is; undefined when there is none. */
export function readBody(request: FastifyRequest): unknown {
  const { body } = request;
  if (body === notJson) return refuseRequest({ code: 'WrongMediaType' });
  if (typeof body !== 'string' || body === '') return undefined;
  if (isNestedDeeper(body, maxDepth)) return badRequest(invalidBody);
  try {
    return JSON.parse(body);
  } catch {
    return badRequest(invalidBody);
  }
}

/** A body that wraps resources; an absent body is empty. */
function readWrapper(request: FastifyRequest): Readonly<Record<string, unknown>> {
  const body = readBody(request);
  if (body === undefined) return {};
  return isObject(body) ? body : badRequest(invalidBody);
}

function unwrapped(wrapper: Readonly<Record<string, unknown>>, name: string): Record<string, unknown> {
  const resource = Object.hasOwn(wrapper, name) ? wrapper[name] : null;
  if (resource === null) return badRequest(`Unable to find '${name}' in request body`);
  return isObject(resource) ? resource : badRequest(`Object '${name}' contains invalid data`);
}

/** Neutron takes items of a list bare or wrapped in the resource's name. */
function itemOf(item: unknown, name: string): Record<string, unknown> {
  if (typeof item === 'string' || Array.isArray(item)) {
    return badRequest(`Object '${name}' contains invalid data`);
  }
  if (!isObject(item)) return badRequest(invalidBody);
  return unwrapped(Object.hasOwn(item, name) ? item : { [name]: item }, name);
}

/** The wrapped resources; `bulk` tells whether they came as a list. */
export function readResources(
  request: FastifyRequest,
  name: string,
  collection: string,
): { readonly bulk: boolean; readonly items: readonly Record<string, unknown>[] } {
  const body = readWrapper(request);
  if (!isBulk(body, name, collection)) return { bulk: false, items: [unwrapped(body, name)] };
  const items = body[collection];
  if (isNothing(items)) return badRequest('Resources required');
  if (!Array.isArray(items)) return badRequest(invalidBody);
  return { bulk: true, items: items.map((item: unknown) => itemOf(item, name)) };
}

/** One resource has the same name for one and several: there a list means several. */
const isBulk = (body: Readonly<Record<string, unknown>>, name: string, collection: string): boolean =>
  Object.hasOwn(body, collection) && (name !== collection || Array.isArray(body[collection]));

/** What Python takes for false: null, zero, and whatever is empty. */
const isNothing = (value: unknown): boolean =>
  !value || (typeof value === 'object' && Object.keys(value).length === 0);

/** The one wrapped resource of an update; updates in bulk do not exist. */
export function readResource(
  request: FastifyRequest,
  name: string,
  collection: string,
): Record<string, unknown> {
  const body = readWrapper(request);
  if (isBulk(body, name, collection)) return badRequest('Bulk operation not supported');
  return unwrapped(body, name);
}

/** The body of an action: some clients wrap it in the resource's name, some do not. */
export function readAction(request: FastifyRequest, name: string): unknown {
  const body = readBody(request);
  return isObject(body) && Object.hasOwn(body, name) ? body[name] : body;
}

export function refuseBody(request: FastifyRequest): void {
  if (request.body !== undefined && request.body !== null && request.body !== '') {
    badRequest('Request body is not supported in DELETE.');
  }
}
