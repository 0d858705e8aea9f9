import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  clientOf,
  expectRefusal,
  expectStranger,
  openUnderTest,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { digestOf } from './token-digest.ts';
import { parseTokenTable } from './token-table.ts';
import { TokenFile } from './tokens.ts';

const alice = 'alice-0123456789abcdef';
const bob = 'bob-0123456789abcdef';

const fileOf = (...lines: string[]): string => `tokens:\n${lines.map((line) => `  - ${line}\n`).join('')}`;
const ofAlice = `{token: ${alice}, project_id: p1, user: alice, roles: [Member]}`;
const ofBob = `{token_sha256: ${digestOf(bob).toUpperCase()}, project_id: p2, user: bob, roles: [admin]}`;

describe('a token file', () => {
  it('names callers by token or by digest', () => {
    const table = parseTokenTable(fileOf(ofAlice, ofBob));
    expect(table.get(digestOf(alice))).toMatchObject({
      project: 'p1',
      user: 'alice',
      admin: false,
      service: false,
      member: true,
      reader: true,
    });
    expect(table.get(digestOf(bob))).toMatchObject({ project: 'p2', admin: true, member: true });
    expect(parseTokenTable('tokens: []').size).toBe(0);
  });

  const broken: readonly [string, string, RegExp][] = [
    ['is no YAML', 'tokens: [', /no YAML/],
    ['is a list', '- 1', /one key, tokens/],
    ['is empty', '', /one key, tokens/],
    ['has more', 'tokens: []\nusers: []', /one key, tokens/],
    ['has an entry that is none', 'tokens: [1]', /entry 1: must be a mapping/],
    ['has no token', fileOf(ofAlice, '{project_id: p, user: u, roles: []}'), /entry 2: either/],
    ['has both', fileOf(`{token: ${alice}, token_sha256: x, project_id: p, user: u, roles: []}`), /either/],
    ['has a short token', fileOf('{token: short, project_id: p, user: u, roles: []}'), /16 printable/],
    ['has a number', fileOf('{token: 1234567890123456, project_id: p, user: u, roles: []}'), /16 printable/],
    ['has half a digest', fileOf('{token_sha256: ab12, project_id: p, user: u, roles: []}'), /64 hexa/],
    ['has no project', fileOf(`{token: ${alice}, user: u, roles: []}`), /project_id/],
    ['has no user', fileOf(`{token: ${alice}, project_id: p, roles: []}`), /user/],
    ['has one role', fileOf(`{token: ${alice}, project_id: p, user: u, roles: admin}`), /roles/],
    ['has a typo', fileOf(`{token: ${alice}, project_id: p, user: u, role: [admin]}`), /unknown key role/],
    ['says it twice', fileOf(ofAlice, ofAlice), /entry 2: .*twice/],
  ];
  it.each(broken)('that %s is refused without telling tokens', (_, text, message) => {
    let told = '';
    try {
      parseTokenTable(text);
    } catch (error) {
      told = String(error instanceof Error ? error.message : error);
    }
    expect(told).toMatch(message);
    expect(told).not.toContain(alice);
  });
});

describe('an API with tokens', () => {
  let folder: string;
  let file: string;
  let under: UnderTest;
  let log: Logger;
  let logged: string[];
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'portcullis-tokens-'));
    file = join(folder, 'tokens.yaml');
    writeFileSync(file, fileOf(ofAlice));
    logged = [];
    log = pino({ level: 'info' }, { write: (line: string) => logged.push(line) });
    under = await openUnderTest('memory');
  });
  afterEach(async () => {
    await under.close();
    rmSync(folder, { recursive: true });
  });

  const server = async () =>
    clientOf(
      (
        await under.server({
          authenticator: new TokenFile(file, log),
          listen: { host: '127.0.0.1', port: 0 },
        })
      ).api,
    );
  const list = (client: Awaited<ReturnType<typeof server>>, token?: string) =>
    client.call('GET', '/v2.0/networks', undefined, token === undefined ? {} : { 'x-auth-token': token });

  it('knows who has one and asks the others for one', async () => {
    const client = await server();
    expect((await list(client, alice)).status).toBe(200);
    for (const token of [undefined, '', bob, `${alice} `.repeat(2), 'x'.repeat(10_000), `${alice}x`])
      expectStranger(await list(client, token));
    const refused = await client.api.app.inject({ method: 'POST', url: '/v2.0/networks' });
    expect(refused.headers['www-authenticate']).toBe('Portcullis');
    expectStranger(await client.call('GET', '/v2.0/nonsense'));
    for (const url of ['/', '/healthz']) expect((await client.call('GET', url)).status).toBe(200);
  });

  it('keeps the routes of the cloud for those who run it', async () => {
    writeFileSync(file, fileOf(ofAlice, ofBob));
    const client = await server();
    const hosts = (token: string) => client.call('GET', '/v1/hosts', undefined, { 'x-auth-token': token });
    expectRefusal(await hosts(alice), 403, 'PolicyNotAuthorized');
    expect((await hosts(bob)).status).toBe(200);
  });

  it('answers for any host name, on any address', async () => {
    const client = await server();
    const headers = { host: 'cloud.example:9696', 'x-auth-token': alice };
    expect((await client.call('GET', '/v2.0/networks', undefined, headers)).status).toBe(200);
    const wide = await under.server({
      authenticator: new TokenFile(file, log),
      listen: { host: '0.0.0.0', port: 0 },
    });
    await wide.api.listen();
    const answer = await fetch(wide.api.address.replace('0.0.0.0', '127.0.0.1') + '/v2.0/networks');
    expect(answer.status).toBe(401);
  });

  it('reads the file again when it changes, and keeps to what it knew when that is broken', async () => {
    const client = await server();
    expect((await list(client, bob)).status).toBe(401);
    writeFileSync(join(folder, 'new'), fileOf(ofBob));
    renameSync(join(folder, 'new'), file);
    await vi.waitFor(async () => expect((await list(client, bob)).status).toBe(200), 10_000);
    expect((await list(client, alice)).status).toBe(401);
    writeFileSync(file, `tokens: [{token: ${alice}`);
    await vi.waitFor(() => expect(logged.join('')).toMatch(/broken/), 10_000);
    expect((await list(client, bob)).status).toBe(200);
    expect(logged.join('')).not.toContain(alice);
    rmSync(file);
    writeFileSync(file, fileOf(ofAlice));
    await vi.waitFor(async () => expect((await list(client, alice)).status).toBe(200), 10_000);
    expect((await list(client, bob)).status).toBe(401);
  });

  it('does not start on a file that it cannot read', () => {
    rmSync(file);
    expect(() => new TokenFile(file, log)).toThrow(/ENOENT/);
  });
});
