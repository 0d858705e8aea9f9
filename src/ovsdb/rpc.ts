/**
 * One JSON-RPC 1.0 connection: requests, replies, notifications, echo in both directions. Whatever the peer
 * sends, the worst outcome is the end of this connection with a reason; every open call then fails with it.
 * Other modules reconnect and know the methods.
 */
import type { Socket } from 'node:net';
import { Fault, reasonOf } from '../base/errors.ts';
import { openSocket, parseTarget } from '../base/target.ts';
import { type FramerLimits, JsonFramer } from './framer.ts';

/** OVSDB's assigned port (RFC 7047, section 6). */
export const defaultPort = 6640;

export type RpcFault =
  /** Nobody answers at the target. */
  | { readonly code: 'Unreachable'; readonly target: string }
  /** The connection ended, by either side, before the answer. */
  | { readonly code: 'Disconnected'; readonly target: string }
  /** The peer sent something that is not JSON-RPC, or an answer of the wrong shape. */
  | { readonly code: 'PeerProtocol'; readonly target: string }
  /** The peer answered with an error; `error` is its text. */
  | { readonly code: 'Refused'; readonly method: string; readonly error: string }
  | { readonly code: 'Timeout'; readonly method: string }
  | { readonly code: 'Aborted'; readonly method: string };

export interface RpcOptions {
  readonly target: string;
  /** Ends the connection, or the attempt to make one. */
  readonly signal?: AbortSignal | undefined;
  readonly limits?: FramerLimits | undefined;
  /** Milliseconds to establish the connection; 5000. */
  readonly connectTimeout?: number | undefined;
  /**
   * After that many milliseconds of silence the peer gets an echo request; after twice that the connection
   * ends. 0: never.
   */
  readonly probeInterval?: number | undefined;
  /** Called in arrival order, between the replies around it. A throw ends the connection. */
  readonly onNotification?: ((method: string, params: readonly unknown[]) => void) | undefined;
  /** Called once after a successful connect, whichever side ended the connection. */
  readonly onClose?: ((reason: Fault<RpcFault>) => void) | undefined;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds; without it the call waits until the connection ends. */
  readonly timeout?: number | undefined;
}

interface OpenCall {
  readonly method: string;
  readonly settle: (fault: Fault<RpcFault> | null, result: unknown) => void;
}

/** A peer that does not read is disconnected at this many unsent bytes. */
const unsentLimit = 64 * 1024 * 1024;

export class Rpc {
  readonly target: string;
  readonly #socket: Socket;
  readonly #options: RpcOptions;
  readonly #framer: JsonFramer;
  readonly #calls = new Map<number, OpenCall>();
  #lastId = 0;
  #ended: Fault<RpcFault> | null = null;
  #probe: NodeJS.Timeout | undefined;
  #probed = false;

  private constructor(socket: Socket, options: RpcOptions) {
    this.target = options.target;
    this.#socket = socket;
    this.#options = options;
    this.#framer = new JsonFramer(options.limits);
  }

  /** Rejects with `BadTarget`, `Unreachable` or `Aborted`. */
  static connect(options: RpcOptions): Promise<Rpc> {
    return new Promise((resolve, reject) => {
      const { target, signal, connectTimeout = 5000 } = options;
      const where = parseTarget(target, defaultPort);
      if (signal?.aborted) {
        reject(aborted('connect'));
        return;
      }
      const socket = openSocket(where);
      const fail = (fault: Fault<RpcFault>) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        // The promise is settled: a late error of its socket must still find a listener.
        socket.removeAllListeners().on('error', () => undefined);
        socket.destroy();
        reject(fault);
      };
      const onAbort = () => fail(aborted('connect'));
      const timer = setTimeout(() => fail(unreachable(target, 'no answer in time')), connectTimeout);
      signal?.addEventListener('abort', onAbort);
      socket.once('error', (error) => fail(unreachable(target, error.message, error)));
      socket.once('connect', () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        socket.removeAllListeners();
        const rpc = new Rpc(socket, options);
        rpc.#listen();
        resolve(rpc);
      });
    });
  }

  get open(): boolean {
    return this.#ended === null;
  }

  /** Resolves with the peer's result; rejects with an RpcFault. */
  call(method: string, params: readonly unknown[], options: CallOptions = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const { signal, timeout } = options;
      if (signal?.aborted) {
        reject(aborted(method));
        return;
      }
      let timer: NodeJS.Timeout | undefined;
      let id = 0;
      const onAbort = () => giveUp(aborted(method));
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      const giveUp = (fault: Fault<RpcFault>) => {
        done();
        this.#calls.delete(id);
        reject(fault);
      };
      signal?.addEventListener('abort', onAbort);
      if (timeout !== undefined) {
        const text = `${method}: no answer in ${timeout} ms`;
        timer = setTimeout(() => giveUp(new Fault<RpcFault>({ code: 'Timeout', method }, text)), timeout);
      }
      id = this.request(method, params, (fault, result) => {
        done();
        if (fault) reject(fault);
        else resolve(result);
      });
    });
  }

  /**
   * Like `call`, but handles the reply before any notification that follows it: `settle` runs while the reply
   * is read. If it throws, the connection ends. Returns the request's id.
   */
  request(method: string, params: readonly unknown[], settle: OpenCall['settle']): number {
    const id = ++this.#lastId;
    if (this.#ended) {
      settle(this.#ended, undefined);
      return id;
    }
    this.#calls.set(id, { method, settle });
    this.#send({ method, params, id });
    return id;
  }

  notify(method: string, params: readonly unknown[]): void {
    this.#send({ method, params, id: null });
  }

  /** Ends the connection; open calls fail with `Disconnected`. */
  close(reason = 'closed by this side'): void {
    this.#end(disconnected(this.target, reason));
  }

  #listen(): void {
    const { signal } = this.#options;
    const onAbort = () => this.close('aborted');
    if (signal?.aborted) queueMicrotask(onAbort);
    signal?.addEventListener('abort', onAbort);
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on('error', (error) => this.#end(disconnected(this.target, error.message, error)));
    this.#socket.on('end', () => this.#end(disconnected(this.target, 'the peer ended the connection')));
    this.#socket.on('close', () => {
      signal?.removeEventListener('abort', onAbort);
      this.#end(disconnected(this.target, 'the connection ended'));
    });
    this.#watchSilence();
  }

  #watchSilence(): void {
    const interval = this.#options.probeInterval ?? 5000;
    if (interval === 0) return;
    this.#probe = setInterval(() => {
      if (!this.#probed) {
        this.#probed = true;
        this.request('echo', [], () => undefined);
        return;
      }
      // After a stall of this process the answer may lie unread in the socket, so one poll phase comes first.
      setImmediate(() => {
        if (this.#probed) this.#end(disconnected(this.target, `silent for ${2 * interval} ms`));
      });
    }, interval);
  }

  #receive(chunk: Buffer): void {
    if (this.#probed) this.#probed = false;
    this.#probe?.refresh();
    try {
      this.#framer.push(chunk, (message) => {
        if (!this.#ended) this.#dispatch(message);
      });
    } catch (error) {
      const reason = `${this.target}: ${reasonOf(error)}`;
      this.#end(new Fault<RpcFault>({ code: 'PeerProtocol', target: this.target }, reason, error));
    }
  }

  #dispatch(message: unknown): void {
    const { method, params, id, result, error } = message as Record<string, unknown>;
    if (typeof method === 'string') {
      if (!Array.isArray(params)) throw peerProtocol(this.target, `${method} without a list of parameters`);
      if (id === null || id === undefined) this.#options.onNotification?.(method, params);
      else if (method === 'echo') this.#send({ id, result: params, error: null });
      else this.#send({ id, result: null, error: 'unknown method' });
      return;
    }
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 1 || id > this.#lastId)
      throw peerProtocol(this.target, 'an answer to no request');
    const call = this.#calls.get(id);
    if (!call) return;
    this.#calls.delete(id);
    if (error === null || error === undefined) call.settle(null, result);
    else call.settle(refused(call.method, error), undefined);
  }

  #send(message: unknown): void {
    if (this.#ended) return;
    this.#socket.write(JSON.stringify(message));
    if (this.#socket.writableLength > unsentLimit)
      this.#end(disconnected(this.target, 'the peer does not read'));
  }

  #end(reason: Fault<RpcFault>): void {
    if (this.#ended) return;
    this.#ended = reason;
    clearInterval(this.#probe);
    this.#socket.destroy();
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.settle(reason, undefined);
    this.#options.onClose?.(reason);
  }
}

function aborted(method: string): Fault<RpcFault> {
  return new Fault<RpcFault>({ code: 'Aborted', method }, `${method}: aborted`);
}

function unreachable(target: string, reason: string, cause?: unknown): Fault<RpcFault> {
  return new Fault<RpcFault>({ code: 'Unreachable', target }, `${target}: ${reason}`, cause);
}

function disconnected(target: string, reason: string, cause?: unknown): Fault<RpcFault> {
  return new Fault<RpcFault>({ code: 'Disconnected', target }, `${target}: ${reason}`, cause);
}

/** The fault of a peer's answer that has the wrong shape. */
export function peerProtocol(target: string, reason: string): Fault<RpcFault> {
  return new Fault<RpcFault>({ code: 'PeerProtocol', target }, `${target}: ${reason}`);
}

function refused(method: string, error: unknown): Fault<RpcFault> {
  const text = typeof error === 'string' ? error : JSON.stringify(error);
  return new Fault<RpcFault>({ code: 'Refused', method, error: text }, `${method}: ${text.trim()}`);
}
