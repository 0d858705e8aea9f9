/** Request bodies: JSON of our own reading (nothing is coerced or dropped), wrapped in the resource's name. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isObject } from '../../model/checks.ts';
import { badRequest } from '../../model/faults.ts';
import { refuseRequest } from './request-faults.ts';

const malformed =
  'The server could not comply with the request since it is either malformed or otherwise incorrect.';

/**
 * Replaces fastify's parsers. A body declared as something else than JSON is refused; one without a declaration, as
 * some clients send it, is taken unless a browser says (`Origin`) that a web page sent it.
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

/** The whole body, whatever it is. */
export function readBody(request: FastifyRequest): unknown {
  const { body } = request;
  if (body === notJson) return refuseRequest({ code: 'WrongMediaType' });
  if (typeof body !== 'string' || body === '') return badRequest('Resource body required');
  try {
    return JSON.parse(body);
  } catch {
    return badRequest(malformed);
  }
}

/** The wrapped resources; `bulk` tells whether they came as a list. */
export function readResources(
  request: FastifyRequest,
  name: string,
  collection: string,
): { readonly bulk: boolean; readonly items: readonly unknown[] } {
  const body = readBody(request);
  if (!isObject(body)) return badRequest(malformed);
  if (Object.hasOwn(body, collection)) {
    const items = body[collection];
    if (!Array.isArray(items) || items.length === 0) return badRequest('Resources required');
    return { bulk: true, items };
  }
  if (!Object.hasOwn(body, name)) return badRequest(`Unable to find '${name}' in request body`);
  return { bulk: false, items: [body[name]] };
}

export function readResource(request: FastifyRequest, name: string): unknown {
  const body = readBody(request);
  if (!isObject(body)) return badRequest(malformed);
  return Object.hasOwn(body, name) ? body[name] : badRequest(`Unable to find '${name}' in request body`);
}

/** What an action of a resource is given: some clients wrap it in the resource's name, some do not. */
export function readAction(request: FastifyRequest, name: string): unknown {
  const body = readBody(request);
  return isObject(body) && Object.hasOwn(body, name) ? body[name] : body;
}

export function refuseBody(request: FastifyRequest): void {
  if (request.body !== undefined && request.body !== null && request.body !== '') {
    badRequest('Request body is not supported in DELETE');
  }
}
