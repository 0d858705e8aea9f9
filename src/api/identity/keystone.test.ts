import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  expectRefusal,
  expectStranger,
  type Json,
  openUnderTest,
  type TestClient,
  type TestReply,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { Keystone, type KeystoneOptions } from './keystone.ts';

const account = {
  username: 'neutron',
  password: 'right',
  project: 'service',
  userDomain: 'Default',
  projectDomain: 'Default',
};

/** As much of Keystone as is asked here, with the moods that the real one cannot be put into. */
class Stub {
  readonly tokens = new Map<string, Json>();
  /** Our own that are in force. */
  readonly own = new Set<string>();
  arrived = 0;
  logins = 0;
  questions = 0;
  /** Questions that wait for their answers, and the most of them that did. */
  waiting = 0;
  crowd = 0;
  /** Bytes of an answer without an end. */
  babbled = 0;
  mood: 'well' | 'silent' | 'broken' | 'babbling' | 'endless' | 'misplaced' | 'forbidding' = 'well';
  /** Answers wait for it. */
  gate: Promise<void> = Promise.resolve();
  readonly #server: Server = createServer((request, response) => void this.#answer(request, response));

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  issue(token: string, more: Json = {}): void {
    this.tokens.set(token, {
      expires_at: new Date(Date.now() + 3_600_000).toISOString(),
      user: { id: 'u1', name: 'alice' },
      project: { id: 'p1', name: 'demo', domain: { id: 'default' } },
      roles: [{ id: 'r', name: 'member' }],
      ...more,
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const part of request) text += String(part);
    this.arrived += 1;
    if (this.mood === 'silent') return;
    this.waiting += 1;
    this.crowd = Math.max(this.crowd, this.waiting);
    await this.gate;
    this.waiting -= 1;
    if (this.mood === 'endless') return this.#babble(response);
    const send = (status: number, body: unknown, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    };
    if (this.mood === 'broken') return send(500, { error: {} });
    if (this.mood === 'babbling') return send(200, '<html>');
    if (this.mood === 'misplaced' && request.method === 'GET') return send(404, '<html>');
    if (!request.url?.startsWith('/v3/auth/tokens')) return send(404, {});
    if (request.method === 'POST') return this.#login(text, send);
    this.questions += 1;
    if (!this.own.has(String(request.headers['x-auth-token']))) return send(401, { error: {} });
    if (this.mood === 'forbidding') return send(403, { error: {} });
    const token = this.tokens.get(String(request.headers['x-subject-token']));
    return token === undefined ? send(404, { error: {} }) : send(200, { token });
  }

  async #babble(response: ServerResponse): Promise<void> {
    const part = Buffer.alloc(1 << 16, ' ');
    const said = function* (this: Stub) {
      for (; this.babbled < 64 << 20; this.babbled += part.length) yield part;
    };
    await pipeline(Readable.from(said.call(this)), response).catch(() => undefined);
  }

  #login(
    text: string,
    send: (status: number, body: unknown, headers?: Record<string, string>) => void,
  ): void {
    this.logins += 1;
    const wanted = {
      identity: {
        methods: ['password'],
        password: { user: { name: 'neutron', password: 'right', domain: { name: 'Default' } } },
      },
      scope: { project: { name: 'service', domain: { name: 'Default' } } },
    };
    const { auth } = JSON.parse(text) as { auth: unknown };
    if (JSON.stringify(auth) !== JSON.stringify(wanted)) return send(401, { error: {} });
    const own = `own-${this.logins}`;
    this.own.add(own);
    return send(201, { token: {} }, { 'x-subject-token': own });
  }
}

let stub: Stub;
let under: UnderTest;
beforeEach(async () => {
  stub = new Stub();
  await stub.open();
  under = await openUnderTest('memory');
});
afterEach(async () => {
  vi.useRealTimers();
  await under.close();
  await stub.close();
});

const api = (options: Partial<KeystoneOptions> = {}): Promise<TestClient> =>
  under.server({
    authenticator: new Keystone(
      { ...account, url: stub.url, trust: 30, ...options },
      pino({ level: 'silent' }),
    ),
  });
const ask = (client: TestClient, token: string): Promise<TestReply> =>
  client.call('GET', '/v2.0/networks', undefined, { 'x-auth-token': token });

describe('a token', () => {
  it('that Keystone knows makes its project, user and roles the caller', async () => {
    stub.issue('alice');
    stub.issue('root', { project: { id: 'cloud', domain: { id: 'default' } }, roles: [{ name: 'admin' }] });
    const client = await api({ url: `${stub.url}/v3/` });
    const made = await client.call('POST', '/v2.0/networks', { network: {} }, { 'x-auth-token': 'alice' });
    expect(made).toMatchObject({ status: 201, body: { network: { project_id: 'p1' } } });
    const all = async (token: string) => ((await ask(client, token)).body['networks'] as Json[]).length;
    expect(await all('root')).toBe(1);
    stub.issue('other', { project: { id: 'p2' } });
    expect(await all('other')).toBe(0);
    expect(stub.logins).toBe(1);
  });

  it('that Keystone does not know is refused, with where to get one', async () => {
    const client = await api();
    expectStranger(await ask(client, 'nobody'));
    const { headers } = await client.api.app.inject({ url: '/v2.0/networks' });
    expect(headers['www-authenticate']).toBe(`Keystone uri="${stub.url}"`);
    // No is not remembered.
    stub.issue('nobody');
    expect((await ask(client, 'nobody')).status).toBe(200);
  });

  it.each([
    ['domain', { project: undefined, domain: { id: 'default' }, roles: [{ name: 'admin' }] }],
    ['system', { project: undefined, system: { all: true }, roles: [{ name: 'admin' }] }],
    ['none', { project: undefined, roles: undefined }],
  ])('whose scope is %s is good for nothing here', async (_, scope) => {
    stub.issue('wide', scope);
    const client = await api();
    for (const _again of [1, 2]) expectRefusal(await ask(client, 'wide'), 403, 'InvalidScope');
    expect(stub.questions).toBe(1);
  });

  it('without roles sees and does nothing', async () => {
    stub.issue('alice', { roles: [] });
    const client = await api();
    const made = await client.call('POST', '/v2.0/networks', { network: {} }, { 'x-auth-token': 'alice' });
    expectRefusal(made, 403, 'PolicyNotAuthorized');
    expect((await ask(client, 'alice')).body).toEqual({ networks: [] });
  });
});

describe("Keystone's word", () => {
  it('is asked for once, by however many at once', async () => {
    stub.issue('alice');
    const client = await api();
    let open = (): void => {};
    stub.gate = new Promise((resolve) => {
      open = resolve;
    });
    const replies = Array.from({ length: 20 }, () => ask(client, 'alice'));
    await vi.waitFor(() => expect(stub.arrived).toBe(1));
    open();
    expect((await Promise.all(replies)).map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect([stub.logins, stub.questions]).toEqual([1, 1]);
  });

  it('holds for the time that was set: a revoked token works no longer than that', async () => {
    stub.issue('alice');
    const client = await api({ trust: 30 });
    vi.useFakeTimers({ toFake: ['Date'] });
    expect((await ask(client, 'alice')).status).toBe(200);
    stub.tokens.delete('alice');
    vi.setSystemTime(Date.now() + 29_000);
    expect((await ask(client, 'alice')).status).toBe(200);
    expect(stub.questions).toBe(1);
    vi.setSystemTime(Date.now() + 1001);
    expectStranger(await ask(client, 'alice'));
  });

  it('holds no longer when the clock is put back', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    stub.issue('alice');
    const client = await api();
    expect((await ask(client, 'alice')).status).toBe(200);
    stub.tokens.delete('alice');
    vi.setSystemTime(Date.now() - 3_600_000);
    expectStranger(await ask(client, 'alice'));
  });

  it('holds no longer than the token', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    stub.issue('alice', { expires_at: new Date(Date.now() + 5000).toISOString() });
    const client = await api();
    expect((await ask(client, 'alice')).status).toBe(200);
    vi.setSystemTime(Date.now() + 5001);
    // Even if Keystone's clock is behind.
    expectStranger(await ask(client, 'alice'));
  });

  it('on nothing is no word: a token without an end is refused', async () => {
    stub.issue('alice', { expires_at: undefined });
    expectStranger(await ask(await api(), 'alice'));
  });

  it('is asked for each time when it is to hold for no time', async () => {
    stub.issue('alice');
    const client = await api({ trust: 0 });
    for (const _again of [1, 2, 3]) expect((await ask(client, 'alice')).status).toBe(200);
    expect(stub.questions).toBe(3);
  });

  it('is asked for with a new token of our own when the old one is gone, which one login gets for all', async () => {
    const client = await api({ trust: 0 });
    for (const name of ['a', 'b', 'c']) stub.issue(name);
    expect((await ask(client, 'a')).status).toBe(200);
    stub.own.clear();
    const replies = await Promise.all(['a', 'b', 'c'].map((name) => ask(client, name)));
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(stub.logins).toBe(2);
  });
});

describe('Keystone that does not answer well', () => {
  const moods = ['silent', 'broken', 'babbling', 'endless', 'misplaced', 'forbidding'] as const;
  it.each(moods)('%s: requests are put off, and served when it is well again', async (mood) => {
    stub.issue('alice');
    stub.issue('known');
    const client = await api({ timeout: 300 });
    expect((await ask(client, 'known')).status).toBe(200);
    stub.mood = mood;
    for (const token of ['alice', 'nobody']) {
      const told = expectRefusal(await ask(client, token), 503, 'ServiceUnavailable');
      expect(told).toBe('The service is unavailable.');
    }
    // Who is known stays known for a while.
    expect((await ask(client, 'known')).status).toBe(200);
    stub.mood = 'well';
    expect((await ask(client, 'alice')).status).toBe(200);
    expectStranger(await ask(client, 'nobody'));
  });

  it('endless: no more is read of it than a token takes', async () => {
    stub.mood = 'endless';
    expectRefusal(await ask(await api(), 'alice'), 503, 'ServiceUnavailable');
    // What the sockets hold comes on top.
    expect(stub.babbled).toBeLessThan(32 << 20);
  });

  it('slow: of the questions of many strangers it gets some at once, the others wait', async () => {
    let open: () => void = () => undefined;
    const client = await api();
    stub.issue('alice');
    expect((await ask(client, 'alice')).status).toBe(200);
    stub.gate = new Promise((resolve) => {
      open = resolve;
    });
    const strangers = Array.from({ length: 200 }, (_, at) => ask(client, `stranger-${at}`));
    await vi.waitFor(() => expect(stub.waiting).toBe(32));
    open();
    for (const reply of await Promise.all(strangers)) expectStranger(reply);
    expect(stub.crowd).toBe(32);
  });

  it('silent to many: who waited in vain for a turn is put off in the same time, and the next get theirs', async () => {
    const client = await api({ timeout: 300 });
    stub.issue('alice');
    stub.issue('bob');
    expect((await ask(client, 'alice')).status).toBe(200);
    stub.mood = 'silent';
    const strangers = Array.from({ length: 100 }, (_, at) => ask(client, `stranger-${at}`));
    for (const reply of await Promise.all(strangers)) expectRefusal(reply, 503, 'ServiceUnavailable');
    stub.mood = 'well';
    expect((await ask(client, 'bob')).status).toBe(200);
  });

  it('away: the same', async () => {
    const client = await api();
    await stub.close();
    expectRefusal(await ask(client, 'alice'), 503, 'ServiceUnavailable');
    // What asks for no caller is served.
    expect((await client.call('GET', '/healthz')).status).toBe(200);
    await stub.open();
  });

  it('that does not know us lets nobody in', async () => {
    stub.issue('alice');
    const client = await api({ password: 'wrong' });
    for (const _again of [1, 2]) expectRefusal(await ask(client, 'alice'), 503, 'ServiceUnavailable');
    expect(stub.logins).toBe(2);
    expect(stub.questions).toBe(0);
  });

  it('keeps no closing server waiting', async () => {
    stub.mood = 'silent';
    const client = await api({ timeout: 60_000 });
    await client.api.listen();
    const asked = fetch(`${client.api.address}/v2.0/networks`, { headers: { 'x-auth-token': 'alice' } });
    await vi.waitFor(() => expect(stub.arrived).toBe(1));
    await client.api.close();
    expect((await asked).status).toBe(503);
  });
});
