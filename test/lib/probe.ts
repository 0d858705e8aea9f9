/**
 * The test's end of probe.py, a process in a guest's namespace that sends and receives on orders. Knows
 * nothing of switches or the API.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { slowness } from './wait.ts';

const script = fileURLToPath(new URL('./probe.py', import.meta.url));

/** Seconds for traffic that must pass: long enough for a busy machine. */
export const passTimeout = 5 * slowness;
/** Seconds for traffic that must not pass. */
export const dropTimeout = Math.ceil(slowness / 2);

/** `ok`, `timeout`, `refused`, `closed` or the kernel's message. */
export type Result = string;

export interface Sniffed {
  /** Seconds of the wall clock. */
  readonly at: number;
  readonly frame: Buffer;
}

export interface Connection {
  readonly began: number;
  readonly ended: number;
  readonly result: Result;
  readonly body: string | null;
}

export interface Count {
  readonly seen: number;
  /** The first numbers that are missing. */
  readonly missing: readonly number[];
  readonly lost: number;
  /** Seconds. */
  readonly gap: number;
}

/** One end of a dialogue. */
export interface DialogueState {
  /** Numbers that came, each the successor of the one before. */
  readonly heard: number;
  /** Connections that the accepting end has had. */
  readonly connections: number;
  /** `open`, `closed`, `out of order` or the kernel's message. */
  readonly state: string;
}

interface Waiting {
  readonly done: (value: unknown) => void;
  readonly failed: (error: Error) => void;
}

export interface Attempt {
  readonly source?: string;
  readonly size?: number;
  /** Seconds. */
  readonly timeout?: number;
}

export class Probe {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  #rest = '';
  #stderr = '';

  constructor(namespace: string) {
    this.#child = spawn('ip', ['netns', 'exec', namespace, 'python3', '-B', '-u', script]);
    this.#child.stdout?.on('data', (chunk: Buffer) => this.#read(chunk.toString()));
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()));
    this.#child.stdin?.on('error', () => undefined);
    this.#child.on('close', () => {
      for (const { failed } of this.#waiting.values())
        failed(new Error(`probe in ${namespace} ended: ${this.#stderr}`));
      this.#waiting.clear();
    });
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const { id, result, error } = JSON.parse(line) as { id: number; result?: unknown; error?: string };
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.done(result);
      else waiting?.failed(new Error(error));
    }
  }

  #order(what: string, orders: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    return new Promise((done, failed) => {
      const id = this.#next++;
      this.#waiting.set(id, { done, failed });
      this.#child.stdin?.write(`${JSON.stringify({ id, what, with: orders })}\n`);
    });
  }

  /** Echo servers on all addresses. */
  async serve(tcp: readonly number[], udp: readonly number[] = []): Promise<void> {
    for (const port of tcp) await this.#order('serve_tcp', { port });
    for (const port of udp) await this.#order('serve_udp', { port });
  }

  /** One connection with an echo through it. */
  async tcp(address: string, port: number, attempt: Attempt = {}): Promise<Result> {
    return (await this.#order('tcp', { timeout: passTimeout, ...attempt, address, port })) as Result;
  }

  /** A datagram there and back, with three attempts within the timeout. */
  async udp(address: string, port: number, attempt: Attempt = {}): Promise<Result> {
    return (await this.#order('udp', { timeout: passTimeout, ...attempt, address, port })) as Result;
  }

  async http(
    address: string,
    port: number,
    timeout = passTimeout,
  ): Promise<Omit<Connection, 'began' | 'ended'>> {
    return (await this.#order('http_get', { address, port, timeout })) as Connection;
  }

  /** Opens a connection to an echo server, for `through`. */
  async hold(name: string, address: string, port: number): Promise<void> {
    await this.#order('hold', { name, address, port, timeout: passTimeout });
  }

  /** One echo through a held connection; `timeout` in seconds. */
  async through(name: string, timeout = passTimeout): Promise<Result> {
    return (await this.#order('through', { name, timeout })) as Result;
  }

  /** Accepts the first connection to a port as the other end of a dialogue. */
  async dialogueAwait(name: string, port: number): Promise<void> {
    await this.#order('dialogue_await', { name, port });
  }

  /** Opens the connection of a dialogue; resolves when it is established. */
  async dialogueOpen(name: string, address: string, port: number): Promise<void> {
    await this.#order('dialogue_open', { name, address, port, timeout: passTimeout });
  }

  /** Sends the next number; resolves with it when the kernel has accepted it, delivered or not. */
  async dialogueSay(name: string): Promise<number> {
    return (await this.#order('dialogue_say', { name })) as number;
  }

  async dialogueState(name: string): Promise<DialogueState> {
    return (await this.#order('dialogue_state', { name })) as DialogueState;
  }

  /** An IP packet of any protocol, from the kernel's own address. */
  async sendProtocol(address: string, protocol: number, payload: Buffer): Promise<void> {
    await this.#order('ip_protocol_send', { address, protocol, payload: payload.toString('hex') });
  }

  /** Frames sent unchanged through a packet socket. */
  async send(...frames: readonly Buffer[]): Promise<void> {
    await this.#order('send_frames', { frames: frames.map((frame) => frame.toString('hex')) });
  }

  async sniff(name = 'default'): Promise<void> {
    await this.#order('sniff', { name });
  }

  /** Frames that arrived since the last call. */
  async sniffed(name = 'default'): Promise<Sniffed[]> {
    const rows = (await this.#order('sniffed', { name })) as { at: number; frame: string }[];
    return rows.map(({ at, frame }) => ({ at, frame: Buffer.from(frame, 'hex') }));
  }

  /** Counts the numbers of a stream that comes to a port. */
  async count(port: number): Promise<void> {
    await this.#order('count', { port });
  }

  async counted(port: number, sent: number): Promise<Count> {
    return (await this.#order('counted', { port, sent })) as Count;
  }

  /** Numbered datagrams, one every `period` seconds. */
  async stream(name: string, address: string, port: number, period: number): Promise<void> {
    await this.#order('stream', { name, address, port, period });
  }

  async streamState(name: string): Promise<{ readonly sent: number; readonly refused: number }> {
    return (await this.#order('stream_state', { name })) as { sent: number; refused: number };
  }

  async streamEnd(name: string): Promise<{ readonly sent: number; readonly refused: number }> {
    return (await this.#order('stream_end', { name })) as { sent: number; refused: number };
  }

  /** A new connection every `period` seconds, each with an exchange: an echo, or a GET with `http`. */
  async connections(
    name: string,
    address: string,
    port: number,
    options: { readonly period: number; readonly timeout?: number; readonly http?: boolean },
  ): Promise<void> {
    await this.#order('connections', { timeout: passTimeout, http: false, ...options, name, address, port });
  }

  /** The exchanges that have ended so far. */
  async connectionsState(name: string): Promise<Connection[]> {
    return (await this.#order('connections_state', { name })) as Connection[];
  }

  /** Starts no more, and waits for the open ones. */
  async connectionsEnd(name: string): Promise<Connection[]> {
    return (await this.#order('connections_end', { name })) as Connection[];
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = new Promise((done) => this.#child.once('close', done));
    this.#child.kill('SIGKILL');
    await closed;
  }
}
