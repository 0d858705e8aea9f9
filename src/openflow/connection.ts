/**
 * One connection to a switch, from socket to close: hello, requests and replies by xid, echo and silence,
 * back-pressure. It never reconnects. Bytes of the peer can end the connection, never the process.
 */
import type { Socket } from 'node:net';
import { type Fault, reasonOf } from '../base/errors.ts';
import { decodeMessage, encodeMessage } from './codec/messages.ts';
import { Framer } from './framer.ts';
import type { Envelope, ErrorMessage, Message, MultipartReply } from './message.ts';
import { refused, type SessionFault, sessionFault } from './session-fault.ts';
import { messageTypes, ofVersion } from './spec/numbers.ts';

export interface ConnectionEvents {
  /** A message that is not a reply. */
  readonly onMessage: (message: Message) => void;
  readonly onClose: (reason: string) => void;
  readonly log: (text: string) => void;
}

export interface ConnectionCounts {
  received: number;
  /** Replies to no open request. */
  stray: number;
  /** Messages that could not be decoded, or of unknown types. */
  malformed: number;
  unknown: number;
}

interface Pending {
  readonly resolve: (reply: Message) => void;
  readonly reject: (fault: Fault<SessionFault>) => void;
  parts: MultipartReply[];
}

interface ErrorWatch {
  readonly first: number;
  readonly count: number;
  readonly onError: (error: ErrorMessage, member: number) => void;
}

const writeSlice = 256 * 1024;
/** A peer that never ends an answer must not exhaust the memory. */
const partLimit = 16_384;

const isReply = (message: Message): boolean =>
  message.type.endsWith('_reply') || message.type === 'error' || message.type === 'bundle_control';

export class Connection {
  readonly counts: ConnectionCounts = { received: 0, stray: 0, malformed: 0, unknown: 0 };
  readonly #socket: Socket;
  readonly #events: ConnectionEvents;
  readonly #framer = new Framer();
  readonly #pending = new Map<number, Pending>();
  readonly #watches = new Set<ErrorWatch>();
  readonly #queue: Buffer[] = [];
  readonly #hello: PromiseWithResolvers;
  #blocked = false;
  #greeted = false;
  #closed: string | undefined;
  #lastXid = 0;
  #heard = false;
  #probe: NodeJS.Timeout | undefined;

  constructor(socket: Socket, events: ConnectionEvents) {
    this.#socket = socket;
    this.#events = events;
    this.#hello = deferred();
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('drain', () => this.#drain());
    socket.on('error', (error) => this.close(error.message));
    socket.on('close', () => this.close('the switch closed the connection'));
  }

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /** Bytes that the peer has not read yet. */
  get backlog(): number {
    return this.#socket.writableLength + this.#queue.reduce((sum, slice) => sum + slice.length, 0);
  }

  /** `count` consecutive xids that no other message has. */
  reserve(count: number): number {
    if (this.#lastXid + count > 0xfffffff0) this.#lastXid = 0;
    const first = this.#lastXid + 1;
    this.#lastXid += count;
    return first;
  }

  /** Sends hello and waits for the peer's; rejects when there is no common version. */
  greet(): Promise<void> {
    this.write(encodeMessage({ type: 'hello', versions: [ofVersion] }, this.reserve(1)));
    return this.#hello.promise;
  }

  /**
   * Sends an echo request to a peer that was silent for an interval, and closes the connection after two
   * requests without an answer. It counts ticks, not time: a stall of this process must not count as silence
   * of the peer.
   */
  keepAlive(interval: number): void {
    clearInterval(this.#probe);
    let asked = 0;
    this.#probe = setInterval(() => {
      if (this.#heard) {
        this.#heard = false;
        asked = 0;
      } else if (asked === 2) this.close('the switch was silent');
      else {
        asked++;
        this.send({ type: 'echo_request', data: new Uint8Array() });
      }
    }, interval);
  }

  /** Queues encoded messages in order, and sends them as fast as the peer reads. */
  write(bytes: Buffer): void {
    if (this.closed) return;
    for (let at = 0; at < bytes.length; at += writeSlice)
      this.#queue.push(bytes.subarray(at, at + writeSlice));
    this.#drain(this.#blocked);
  }

  #drain(blocked = false): void {
    this.#blocked = blocked;
    while (!this.#blocked && !this.closed) {
      const slice = this.#queue.shift();
      if (slice === undefined) return;
      this.#blocked = !this.#socket.write(slice);
    }
  }

  /** Sends a message that has no reply; an error of the switch about it is only logged. Returns the xid. */
  send(message: Message): number {
    const xid = this.reserve(1);
    this.write(encodeMessage(message, xid));
    return xid;
  }

  /** Sends a message and waits for its reply; the parts of a multipart answer are joined. */
  request(message: Message): Promise<Message> {
    const xid = this.reserve(1);
    const bytes = encodeMessage(message, xid);
    const reply = this.expect(xid);
    this.write(bytes);
    return reply;
  }

  /** The reply to a message that is sent with this xid. */
  expect(xid: number): Promise<Message> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== undefined) reject(this.#disconnected(this.#closed));
      else this.#pending.set(xid, { resolve, reject, parts: [] });
    });
  }

  /** Passes errors about `count` xids from `first` to `onError` until the returned function is called. */
  watchErrors(first: number, count: number, onError: ErrorWatch['onError']): () => void {
    const watch = { first, count, onError };
    this.#watches.add(watch);
    return () => void this.#watches.delete(watch);
  }

  close(reason: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    clearInterval(this.#probe);
    this.#queue.length = 0;
    this.#socket.destroy();
    const fault = this.#disconnected(reason);
    this.#hello.reject(fault);
    for (const pending of this.#pending.values()) pending.reject(fault);
    this.#pending.clear();
    this.#watches.clear();
    this.#events.onClose(reason);
  }

  #disconnected(reason: string): Fault<SessionFault> {
    return sessionFault({ code: 'Disconnected', reason }, `connection lost: ${reason}`);
  }

  #take(chunk: Buffer): void {
    this.#heard = true;
    try {
      this.#framer.push(chunk, (frame) => {
        this.#takeFrame(frame);
        return !this.closed;
      });
    } catch (error) {
      this.close(reasonOf(error));
    }
  }

  #takeFrame(frame: Buffer): void {
    this.counts.received++;
    const version = frame.readUInt8(0);
    const type = frame.readUInt8(1);
    const anyVersion = type === messageTypes.hello || type === messageTypes.error;
    if (version !== ofVersion && !anyVersion) {
      this.close(`a message of OpenFlow version ${version}`);
      return;
    }
    let envelope: Envelope;
    try {
      envelope = decodeMessage(frame);
    } catch (error) {
      this.#skipMalformed(frame, error);
      return;
    }
    this.#route(envelope, version);
  }

  /** An unreadable answer is still the answer: its request must not wait for ever. */
  #skipMalformed(frame: Buffer, error: unknown): void {
    this.counts.malformed++;
    const type = frame.readUInt8(1);
    this.#events.log(`skipped a message of type ${type}: ${reasonOf(error)}`);
    const xid = frame.readUInt32BE(4);
    this.#settle(xid)?.reject(
      sessionFault(
        { code: 'UnexpectedReply', type: `${type}` },
        `unreadable reply: ${reasonOf(error)}`,
        error,
      ),
    );
  }

  #settle(xid: number): Pending | undefined {
    const pending = this.#pending.get(xid);
    this.#pending.delete(xid);
    return pending;
  }

  #route({ xid, message }: Envelope, version: number): void {
    if (message.type === 'hello') this.#takeHello(message.versions, version);
    else if (message.type === 'echo_request')
      this.write(encodeMessage({ ...message, type: 'echo_reply' }, xid));
    else if (message.type === 'error') this.#takeError(xid, message);
    else if (message.type === 'multipart_reply') this.#takePart(xid, message.body, message.more === true);
    else if (isReply(message)) this.#takeReply(xid, message);
    else if (message.type === 'unknown' || message.type === 'experimenter') this.#takeUnknown(xid, message);
    else this.#events.onMessage(message);
  }

  #takeHello(versions: readonly number[], version: number): void {
    if (this.#greeted) return;
    this.#greeted = true;
    if (versions.length === 0 ? version >= ofVersion : versions.includes(ofVersion)) {
      this.#hello.resolve();
      return;
    }
    const said = versions.length === 0 ? [version] : versions;
    const data = Buffer.from('only OpenFlow 1.5 is spoken here', 'ascii');
    this.write(encodeMessage({ type: 'error', errorType: 0, code: 0, data }, this.reserve(1)));
    this.close(`no common version: the switch speaks ${said.join(', ')}, not ${ofVersion}`);
  }

  #takeReply(xid: number, message: Message): void {
    const pending = this.#settle(xid);
    if (pending !== undefined) pending.resolve(message);
    else if (message.type !== 'echo_reply') this.counts.stray++;
  }

  #takeUnknown(xid: number, message: Message): void {
    this.counts.unknown++;
    const pending = this.#settle(xid);
    if (pending === undefined) this.#events.log(`skipped an unknown ${message.type} message`);
    else pending.resolve(message);
  }

  #takeError(xid: number, error: ErrorMessage): void {
    if (!this.#greeted) {
      this.close(refused(error).message);
      return;
    }
    for (const { first, count, onError } of this.#watches) {
      if (xid >= first && xid < first + count) {
        onError(error, xid - first);
        return;
      }
    }
    const pending = this.#settle(xid);
    if (pending !== undefined) {
      pending.reject(refused(error));
      return;
    }
    this.counts.stray++;
    this.#events.log(refused(error).message);
  }

  #takePart(xid: number, body: MultipartReply, more: boolean): void {
    const pending = this.#pending.get(xid);
    if (pending === undefined) {
      // A flow monitor sends updates after the answer to its request.
      if (body.kind === 'flow_monitor') this.#events.onMessage({ type: 'multipart_reply', body });
      else this.counts.stray++;
      return;
    }
    pending.parts.push(body);
    if (pending.parts.some(({ kind }) => kind !== body.kind) || pending.parts.length > partLimit) {
      this.#settle(xid)?.reject(
        sessionFault(
          { code: 'UnexpectedReply', type: body.kind },
          'the parts of a multipart answer do not fit together',
        ),
      );
      return;
    }
    if (more) return;
    this.#pending.delete(xid);
    const entries = pending.parts.flatMap((part) => part.entries as readonly unknown[]);
    pending.resolve({ type: 'multipart_reply', body: { kind: body.kind, entries } as MultipartReply });
  }
}

interface PromiseWithResolvers {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

function deferred(): PromiseWithResolvers {
  let resolve = (): void => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // `greet` awaits it later; a close before that must not be an unhandled rejection.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
