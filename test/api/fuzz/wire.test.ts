/** Requests as bytes: broken HTTP, half requests, and generated requests on the wire. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Cloud } from './cloud.ts';
import { Oracle } from './oracle.ts';
import { Random } from './random.ts';
import { faultsOfRefusal } from './refusals.ts';
import type { Request } from './request.ts';
import { Requests } from './requests.ts';

const count = Number(process.env['FUZZ_REQUESTS'] ?? 4000) / 8;
const seed = Number(process.env['FUZZ_SEED'] ?? 1);

let cloud: Cloud;
beforeEach(async () => {
  cloud = await Cloud.open();
  await cloud.servers[0]?.listen();
});
afterEach(() => cloud.close());

const port = (): number => Number(new URL(cloud.servers[0]?.address ?? '').port);

/** Everything that comes back before the server ends the connection, or until it was silent for a while. */
async function exchange(
  pieces: readonly (string | Buffer)[],
  silence = 10_000,
  to = port(),
): Promise<string> {
  const socket = connect(to, '127.0.0.1');
  const chunks: Buffer[] = [];
  // A server may close the connection on such a client.
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.setTimeout(silence, () => socket.destroy());
  const closed = new Promise((resolve) => socket.on('close', resolve));
  for (const piece of pieces) socket.write(piece);
  await closed;
  return Buffer.concat(chunks).toString();
}

const statusesOf = (text: string): readonly number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));

/** Answers that refuse something, with what they say: every one says something. */
const refusalsIn = (text: string): readonly { readonly status: number; readonly body: unknown }[] =>
  text
    .split(/^(?=HTTP\/1\.1 )/m)
    .map((answer) => ({ status: statusesOf(answer)[0] ?? 0, text: answer.split('\r\n\r\n')[1] ?? '' }))
    .filter(({ status }) => status >= 400)
    .map(({ status, text: said }) => ({ status, body: JSON.parse(said) as unknown }));

const post = (headers: readonly string[], body: string | Buffer = ''): readonly (string | Buffer)[] => [
  ['POST /v2.0/networks HTTP/1.1', 'host: 127.0.0.1', 'connection: close', ...headers, '', ''].join('\r\n'),
  body,
];
const token = 'x-auth-token: token-of-member-0-0123456789';
const json = 'content-type: application/json';

const broken: readonly (readonly [string, readonly (string | Buffer)[]])[] = [
  ['no HTTP at all', ['hello\r\n\r\n']],
  ['bytes of TLS', [Buffer.from('16030100c8010000c40303', 'hex'), '\r\n\r\n']],
  ['a zero byte in the path', ['GET /v2.0/net\0works HTTP/1.1\r\nhost: a\r\n\r\n']],
  ['HTTP/9.9', ['GET / HTTP/9.9\r\nhost: a\r\n\r\n']],
  ['no host', ['GET / HTTP/1.1\r\n\r\n']],
  ['two hosts', ['GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n']],
  ['an unknown method', ['FROB / HTTP/1.1\r\nhost: a\r\n\r\n']],
  ['a method of others', ['PROPFIND /v2.0/networks HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n']],
  ['TRACE', ['TRACE / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n']],
  ['an expectation', ['GET / HTTP/1.1\r\nhost: a\r\nexpect: wonders\r\n\r\n']],
  ['escapes that are none', ['GET /v2.0/%zz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n']],
  ['CONNECT', ['CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n']],
  ['OPTIONS *', ['OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n']],
  [
    'an absolute address',
    ['GET http://elsewhere/v2.0/networks HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'],
  ],
  ['an upgrade', ['GET / HTTP/1.1\r\nhost: a\r\nupgrade: h2c\r\nconnection: upgrade, close\r\n\r\n']],
  [
    'a path that never ends',
    [`GET /${'a'.repeat(100_000)} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`],
  ],
  ['a header that never ends', [`GET / HTTP/1.1\r\nhost: a\r\nx: ${'a'.repeat(100_000)}\r\n\r\n`]],
  ['headers without end', [`GET / HTTP/1.1\r\nhost: a\r\n${'x: 1\r\n'.repeat(20_000)}\r\n`]],
  ['a length that is none', post([token, json, 'content-length: -5'])],
  ['two lengths', post([token, json, 'content-length: 3', 'content-length: 4'], '{}  ')],
  ['length and chunks', post([token, json, 'content-length: 2', 'transfer-encoding: chunked'], '0\r\n\r\n')],
  ['chunks that are none', post([token, json, 'transfer-encoding: chunked'], 'zz\r\nabc\r\n')],
  ['an unknown coding', post([token, json, 'transfer-encoding: gzip'], '{}')],
  ['a compressed body', post([token, json, 'content-encoding: gzip', 'content-length: 2'], '{}')],
  ['no UTF-8', post([token, json, 'content-length: 16'], Buffer.from('{"network":"\xff\xfe"}', 'latin1'))],
  ['more than fits', post([token, json, `content-length: ${9 * 1024 * 1024}`], 'x'.repeat(9 * 1024 * 1024))],
  ['a token of bytes', post([Buffer.from('x-auth-token: \x80\xff', 'latin1').toString('latin1')])],
  ['an enormous token', post([`x-auth-token: ${'a'.repeat(12_000)}`])],
  ['a token twice', post([token, token, json, 'content-length: 14'], '{"network":{}}')],
  [
    'two requests at once',
    ['GET / HTTP/1.1\r\nhost: a\r\n\r\nGET /v2.0/ports HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'],
  ],
];

test.each(broken)('%s', async (_what, pieces) => {
  const text = await exchange(pieces, 3000);
  for (const { status, body } of refusalsIn(text)) {
    expect(status, text).toBeLessThan(500);
    expect([...faultsOfRefusal(status, body)], text).toEqual([]);
  }
  expect(text).not.toMatch(/node_modules|\.[jt]s:\d+|Error:|\bat /);
  const alive = await exchange(['GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n']);
  expect(statusesOf(alive)).toEqual([200]);
  expect(await cloud.violations()).toEqual([]);
});

test.each([
  ['no HTTP at all', 400, 'HTTPBadRequest'],
  ['no host', 400, 'HTTPBadRequest'],
  ['an unknown method', 405, 'HTTPMethodNotAllowed'],
  ['a method of others', 405, 'HTTPMethodNotAllowed'],
  ['TRACE', 405, 'HTTPMethodNotAllowed'],
  ['CONNECT', 405, 'HTTPMethodNotAllowed'],
  ['an expectation', 417, 'HTTPExpectationFailed'],
  ['escapes that are none', 400, 'HTTPBadRequest'],
  ['a header that never ends', 431, 'HTTPRequestHeaderFieldsTooLarge'],
  ['headers without end', 431, 'HTTPRequestHeaderFieldsTooLarge'],
  ['more than fits', 413, 'HTTPRequestEntityTooLarge'],
  ['chunks that are none', 400, 'HTTPBadRequest'],
])('%s is answered with %i %s', async (what, status, type) => {
  const [, pieces = []] = broken.find(([name]) => name === what) ?? [];
  expect(refusalsIn(await exchange(pieces, 3000))).toEqual([
    { status, body: { NeutronError: { type, message: expect.any(String), detail: '' } } },
  ]);
});

test('requests that never arrive whole are refused', async () => {
  const api = cloud.servers[1];
  // Node checks every half minute whether a minute has passed.
  Object.assign(api?.app.server ?? {}, { headersTimeout: 50, connectionsCheckingInterval: 10 });
  await api?.listen();
  const at = Number(new URL(api?.address ?? '').port);
  const type = 'HTTPRequestTimeout';
  expect(refusalsIn(await exchange(['GET / HTTP/1.1\r\nhost: a\r\n'], 10_000, at))).toEqual([
    { status: 408, body: { NeutronError: { type, message: expect.any(String), detail: '' } } },
  ]);
});

test('requests that come while the server ends are refused', async () => {
  const socket = connect(port(), '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write('GET /v2.0/networks HTTP/1.1\r\nhost: a\r\n');
  // The server has read the first half once it answers somebody who came later.
  await exchange(['GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n']);
  const [api] = cloud.servers;
  const ended = api?.close();
  socket.write('\r\n');
  await Promise.all([once(socket, 'close'), ended]);
  const [refusal] = refusalsIn(Buffer.concat(chunks).toString());
  expect(refusal?.status).toBe(503);
  expect([...faultsOfRefusal(503, refusal?.body)]).toEqual([]);
});

test('clients that leave in the middle of a request leave nothing behind and delay nobody', async () => {
  const body = '{"network":{"name":"half"}}';
  const whole = post([token, json, `content-length: ${body.length}`], body).join('');
  await Promise.all(
    Array.from({ length: 60 }, async (_, n) => {
      const socket = connect(port(), '127.0.0.1');
      await once(socket, 'connect');
      socket.end(whole.slice(0, Math.floor((whole.length * n) / 60)));
      socket.resume();
      await once(socket, 'close');
    }),
  );
  await cloud.mirror.catchUp();
  expect(cloud.mirror.under('networks/')).toEqual([]);
  expect(statusesOf(await exchange([whole]))).toEqual([201]);
});

/** As bytes, with the connection closed afterwards. */
function bytesOf({ who, method, url, headers, body }: Request): readonly string[] {
  const length = body === undefined ? [] : [`content-length: ${Buffer.byteLength(body)}`];
  const lines = [
    ...(who === null ? [] : [`x-auth-token: ${who.token}`]),
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...length,
  ];
  return [`${method} ${url} HTTP/1.1`, 'host: 127.0.0.1', 'connection: close', ...lines, '', body ?? ''];
}

test(`${count} generated requests as they travel (seed ${seed})`, async () => {
  const random = new Random(seed + 2);
  const oracle = new Oracle(cloud.mirror);
  const requests = new Requests(random, cloud.subjects, cloud.known, cloud.routes);
  const seen = new Set<number>();
  for (let at = 0; at < count; at++) {
    const request = requests.next();
    const text = await exchange([bytesOf(request).join('\r\n')]);
    await cloud.mirror.catchUp();
    const [status = 0] = statusesOf(text);
    const answer = { status, text: text.slice(text.indexOf('\r\n\r\n') + 4) };
    seen.add(status);
    expect(oracle.complaints(request, answer), `${bytesOf(request).join('\r\n')}\n${text}`).toEqual([]);
    expect(status, bytesOf(request).join('\r\n')).toBeGreaterThan(0);
    cloud.learn(answer);
  }
  expect(await cloud.violations()).toEqual([]);
  expect(seen.has(200) && seen.has(400) && seen.has(404)).toBe(true);
});
