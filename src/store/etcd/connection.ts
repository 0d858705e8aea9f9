/**
 * Calls to an etcd cluster over gRPC: endpoints with failover, TLS, the token of a user, a deadline for every call. A call
 * fails as a `CallFault`, which says whether the request may have been carried out. Knows no message but that of the
 * token.
 *
 * Invariant: at most one endpoint is in use; the next one is tried when it does not answer.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { Fault, reasonOf } from '../../base/errors.ts';
import { History } from './history.ts';
import { authenticateRequest, methods, tokenIn } from './messages.ts';
import { Fields, type ProtoMessage } from './protobuf.ts';

export interface EtcdEndpoints {
  /** `HOST:PORT` each. */
  readonly addresses: readonly string[];
  /** Absent: no TLS. PEM texts. `cert` and `key` name this client. */
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  readonly user?: { readonly name: string; readonly password: string };
}

/** `unknown`: it may have been carried out. `refused`: etcd has refused it. `message` says why. */
export type CallFault =
  | { readonly code: 'CallUnknown' }
  | { readonly code: 'CallRefused'; readonly status: status };

export type Stream = ClientDuplexStream<Buffer, Buffer>;

/** Milliseconds. A member that is cut off answers nothing; others may. */
const attemptTimeout = 2000;
const retryInterval = 50;

/** Refusals that say for certain that nothing was done. */
const refusals = new Set<status>([
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.PERMISSION_DENIED,
  status.FAILED_PRECONDITION,
  status.RESOURCE_EXHAUSTED,
  status.OUT_OF_RANGE,
  status.UNIMPLEMENTED,
  status.UNAUTHENTICATED,
]);

const channelOptions = {
  'grpc.keepalive_time_ms': 5000,
  'grpc.keepalive_timeout_ms': 3000,
  'grpc.keepalive_permit_without_calls': 0,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
};

export class EtcdConnection {
  readonly #endpoints: EtcdEndpoints;
  readonly #clients: Client[];
  readonly history = new History();
  #current = 0;
  #token: string | null = null;
  #closed = false;

  constructor(endpoints: EtcdEndpoints) {
    this.#endpoints = endpoints;
    const { tls } = endpoints;
    const channel =
      tls === undefined
        ? credentials.createInsecure()
        : credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null);
    this.#clients = endpoints.addresses.map((address) => new Client(address, channel, channelOptions));
  }

  /**
   * Repeats a call that changes nothing, or nothing more when repeated, until an endpoint answers or `timeout`
   * milliseconds have passed. Throws `CallFault`.
   */
  async ask(method: string, request: ProtoMessage, timeout: number): Promise<Fields> {
    const deadline = performance.now() + timeout;
    for (;;) {
      try {
        return await this.once(method, request, Math.min(attemptTimeout, deadline - performance.now()));
      } catch (error) {
        const isUnknown = error instanceof Fault && error.name === 'CallUnknown';
        if (!isUnknown || this.#isOver || performance.now() + retryInterval > deadline) throw error;
        await delay(retryInterval);
      }
    }
  }

  /** One attempt at one endpoint. Throws `CallFault`. */
  async once(method: string, request: ProtoMessage, timeout: number): Promise<Fields> {
    const bytes = request.encode();
    try {
      return await this.#authorized(method, bytes, timeout);
    } catch (error) {
      // The token has ended, or etcd was restarted. The request was not carried out.
      if (this.#token === null || !isTokenFault(error)) throw error;
      this.#token = null;
      return await this.#authorized(method, bytes, timeout);
    }
  }

  /** A stream at the endpoint in use. Its errors say `failed` to the connection. */
  async stream(method: string): Promise<Stream> {
    const metadata = await this.#metadata(attemptTimeout);
    this.#refuseOver();
    // A member that has lost its leader ends the stream instead of keeping silent.
    metadata.set('hasleader', 'true');
    const at = this.#current;
    const stream: Stream = this.#client(at).makeBidiStreamRequest(method, identity, identity, metadata);
    stream.on('error', (error: ServiceError) => {
      if (error.code === status.UNAUTHENTICATED) this.#token = null;
      if (error.code !== status.CANCELLED) this.#failed(at);
    });
    return stream;
  }

  close(): void {
    this.#closed = true;
    for (const client of this.#clients) client.close();
  }

  #refuseOver(): void {
    if (this.#closed) throw new Fault<CallFault>({ code: 'CallUnknown' }, 'closed');
    if (this.history.isReplaced)
      throw new Fault<CallFault>({ code: 'CallUnknown' }, 'etcd has another history than before');
  }

  #client(at: number): Client {
    const client = this.#clients[at];
    if (client === undefined) throw new Fault<CallFault>({ code: 'CallUnknown' }, 'no endpoints');
    return client;
  }

  get #isOver(): boolean {
    return this.#closed || this.history.isReplaced;
  }

  #failed(at: number): void {
    if (this.#current === at) this.#current = (at + 1) % this.#clients.length;
  }

  async #authorized(method: string, bytes: Buffer, timeout: number): Promise<Fields> {
    return this.#unary(method, bytes, await this.#metadata(timeout), timeout);
  }

  async #metadata(timeout: number): Promise<Metadata> {
    const metadata = new Metadata();
    const { user } = this.#endpoints;
    if (user === undefined) return metadata;
    if (this.#token === null) {
      const request = authenticateRequest(user.name, user.password).encode();
      this.#token = tokenIn(await this.#unary(methods.authenticate, request, new Metadata(), timeout));
    }
    metadata.set('token', this.#token);
    return metadata;
  }

  #unary(method: string, bytes: Buffer, metadata: Metadata, timeout: number): Promise<Fields> {
    const at = this.#current;
    const floor = this.history.revision;
    const deadline = Date.now() + Math.max(1, timeout);
    return new Promise((resolve, reject) => {
      this.#refuseOver();
      this.#client(at).makeUnaryRequest(
        method,
        identity,
        identity,
        bytes,
        metadata,
        { deadline },
        (error, answer) => {
          if (error === null && answer !== undefined) {
            try {
              const fields = new Fields(answer);
              this.history.take(fields, floor);
              this.#refuseOver();
              resolve(fields);
            } catch (cause) {
              reject(new Fault<CallFault>({ code: 'CallUnknown' }, reasonOf(cause), cause));
            }
            return;
          }
          const code = error?.code ?? status.UNKNOWN;
          const text = error?.details ?? 'no answer';
          if (refusals.has(code)) {
            reject(new Fault<CallFault>({ code: 'CallRefused', status: code }, text, error));
          } else {
            this.#failed(at);
            reject(new Fault<CallFault>({ code: 'CallUnknown' }, text, error));
          }
        },
      );
    });
  }
}

const identity = (bytes: Buffer): Buffer => bytes;

function isTokenFault(error: unknown): boolean {
  if (!(error instanceof Fault)) return false;
  const data = error.data as CallFault;
  if (data.code !== 'CallRefused') return false;
  return (
    data.status === status.UNAUTHENTICATED ||
    /auth(entication)? (token|revision)|invalid auth/.test(error.message)
  );
}
