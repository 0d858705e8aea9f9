/**
 * What the HTTP server refuses before a request reaches a route: bytes that are no HTTP, headers without end, requests
 * that never arrive whole. Node's own answers have other shapes or none; clients read these as all others.
 */
import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ConnectionError, FastifyInstance } from 'fastify';
import { Fault } from '../../base/errors.ts';
import { badRequest } from '../../model/faults.ts';
import { answerFor, internalError } from './errors.ts';
import { type RequestFault, refuseRequest } from './request-faults.ts';

/** Clients print it with what went wrong; the log says it too. */
export const requestIdHeader = 'x-openstack-request-id';
export const malformedRequest = 'The request is malformed.';

type RawFault = RequestFault | { readonly code: 'BadRequest'; readonly message: string };

/** Methods that a route may have; `OPTIONS` is answered as unknown paths are. */
const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']);

/** A request line with a method that the parser does not know (RFC 9112 3). */
const requestLine = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S+ HTTP\/1\.[01]\r?\n/;

function faultOf({
  code,
  rawPacket,
}: Pick<ConnectionError, 'code'> & { readonly rawPacket?: unknown }): RawFault {
  if (code === 'HPE_HEADER_OVERFLOW') return { code: 'HeadersTooLarge' };
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return { code: 'RequestTimeout' };
  // Absent where time ran out; bytes, whatever fastify's types say.
  const read = rawPacket instanceof Uint8Array ? Buffer.from(rawPacket).toString('latin1') : '';
  const [line = ''] = requestLine.exec(read) ?? [];
  const [method = ''] = line.split(' ');
  return code === 'HPE_INVALID_METHOD' && line !== ''
    ? { code: 'WrongMethod', method }
    : { code: 'BadRequest', message: malformedRequest };
}

/** Milliseconds in which a client can read why, before its connection is cut. */
const lingerTimeout = 1000;

const answered = new WeakSet<Duplex>();

/** Whatever still comes is overlooked: cutting the connection at once could take the answer from who is still sending. */
function endWith(socket: Duplex, fault: RawFault, id: string): void {
  if (answered.has(socket)) return;
  answered.add(socket);
  const { status, body } = answerFor(new Fault(fault, fault.code)) ?? internalError;
  const text = JSON.stringify(body);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(text)}`,
    `${requestIdHeader}: ${id}`,
    'connection: close',
  ];
  socket.end([...head, '', text].join('\r\n'));
  setTimeout(() => socket.destroy(), lingerTimeout).unref();
}

/** How often the server looks for requests whose time is over, while that time passes. */
const timeoutChecks = 6;

/** Options of the server; what is refused by them is answered by `registerRawRefusals`. */
export const rawRefusals = (newId: () => string, requestTimeout: number) =>
  ({
    requestTimeout,
    http: {
      requireHostHeader: false,
      // Node takes the longer of the two for the whole request.
      headersTimeout: requestTimeout,
      connectionsCheckingInterval: requestTimeout / timeoutChecks,
    },
    return503OnClosing: false,
    clientErrorHandler: (error: ConnectionError, socket: Duplex) => {
      if (error.code === 'ECONNRESET') socket.destroy();
      else endWith(socket, faultOf(error), newId());
    },
  }) as const;

export function registerRawRefusals(app: FastifyInstance, newId: () => string): void {
  const server: Server = app.server;
  server.on('connect', (_request: IncomingMessage, socket: Duplex) =>
    endWith(socket, { code: 'WrongMethod', method: 'CONNECT' }, newId()),
  );
  server.on('checkExpectation', ({ socket }: IncomingMessage) =>
    endWith(socket, { code: 'UnknownExpectation' }, newId()),
  );
  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
  });
  app.addHook('onRequest', async ({ method, headers, raw }) => {
    if (closing) refuseRequest({ code: 'Closing' });
    if (!methods.has(method)) refuseRequest({ code: 'WrongMethod', method });
    // RFC 9112 3.2; HTTP/1.0 knew none.
    if (headers.host === undefined && raw.httpVersion !== '1.0') badRequest(malformedRequest);
  });
}
