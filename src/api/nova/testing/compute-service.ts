/**
 * A compute service with the Keystone beside it, as far as port events need them: a real HTTP endpoint with a
 * choice of answers.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { NovaEvent } from '../events.ts';

export interface Call {
  readonly path: string;
  readonly token: string | undefined;
  readonly events: readonly NovaEvent[];
}

export class ComputeService {
  /** Those that were taken, in order. */
  readonly calls: Call[] = [];
  /** All, whatever came of them. */
  arrived = 0;
  logins = 0;
  /** Answered instead of taking the events; 0 breaks the connection. */
  mood: number | 'well' | 'silent' | 'babbling' = 'well';
  /** Servers that it does not know. */
  readonly unknown = new Set<string>();
  /** Tokens in force; null: it asks for none. */
  tokens: Set<string> | null = null;
  #port = 0;
  #server: Server | null = null;

  async open(): Promise<void> {
    const server = createServer((request, response) => void this.#answer(request, response));
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** It may open again, at the same address. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    server?.closeAllConnections();
    if (server !== null) await new Promise((resolve) => server.close(resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get events(): readonly NovaEvent[] {
    return this.calls.flatMap(({ events }) => events);
  }

  /** The names of what was said of a port, in order. */
  saidOf(port: unknown): readonly string[] {
    return this.events.filter(({ tag }) => tag === port).map(({ name }) => name);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const reply = (status: number, body: unknown, headers: Record<string, string> = {}) =>
      response
        .writeHead(status, { 'content-type': 'application/json', ...headers })
        .end(JSON.stringify(body));
    if (request.url?.startsWith('/v3/auth/tokens') === true) {
      const token = `token-${++this.logins}`;
      this.tokens?.add(token);
      reply(201, { token: {} }, { 'x-subject-token': token });
      return;
    }
    this.arrived++;
    const { mood } = this;
    if (mood === 'silent') return;
    if (mood === 0) {
      request.socket.destroy();
      return;
    }
    if (mood === 'babbling') {
      response.writeHead(200).end('<html>');
      return;
    }
    if (mood !== 'well') {
      reply(mood, { error: { code: mood, message: 'no' } });
      return;
    }
    const token = request.headers['x-auth-token'];
    if (this.tokens !== null && !this.tokens.has(String(token))) {
      reply(401, { error: { code: 401 } });
      return;
    }
    const { events } = JSON.parse(text) as { events: NovaEvent[] };
    this.calls.push({ path: request.url ?? '', token: token?.toString(), events });
    const answers = events.map((event) => ({
      ...event,
      code: this.unknown.has(event.server_uuid) ? 404 : 200,
    }));
    if (answers.every(({ code }) => code === 404)) reply(404, { itemNotFound: { code: 404 } });
    else reply(answers.some(({ code }) => code !== 200) ? 207 : 200, { events: answers });
  }
}
