/** Tests of the oracle: an oracle that never complains proves nothing. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keys } from '../../../src/model/keys.ts';
import { Cloud } from './cloud.ts';
import type { Json } from './mirror.ts';
import { type Answer, Oracle } from './oracle.ts';
import { people } from './people.ts';
import type { Request } from './request.ts';

let cloud: Cloud;
let oracle: Oracle;
beforeEach(async () => {
  cloud = await Cloud.open();
  oracle = new Oracle(cloud.mirror);
});
afterEach(() => cloud.close());

const asked = (name: string, method: Request['method'], url: string, body?: unknown): Request => ({
  who: people.find((one) => one.name === name) ?? null,
  method,
  url,
  headers: body === undefined ? {} : { 'content-type': 'application/json' },
  body: body === undefined ? undefined : JSON.stringify(body),
});

async function made(name: string, path: string, word: string, attributes: Json): Promise<Json> {
  const request = asked(name, 'POST', `/v2.0/${path}`, { [word]: attributes });
  const answer = await cloud.send(request);
  expect(oracle.complaints(request, answer)).toEqual([]);
  return (JSON.parse(answer.text) as Record<string, Json>)[word] as Json;
}

const list = (name: string): Request => asked(name, 'GET', '/v2.0/networks');
const refusal = (message: string): Json => ({ NeutronError: { type: 'Some', message, detail: '' } });
const fine = (body: unknown): Answer => ({ status: 200, text: JSON.stringify(body) });

test('sees failures and revealed internals', () => {
  const request = list('member-0');
  const complaints = (status: number, text: string) => oracle.complaints(request, { status, text });
  expect(complaints(200, '{}')).toEqual([]);
  const plain = JSON.stringify(refusal('no'));
  expect(complaints(400, plain)).toEqual([]);
  expect(complaints(500, plain)).toEqual(['status 500']);
  expect(complaints(503, plain)).toEqual(['status 503']);
  expect(complaints(200, '<html>')).toEqual(['the answer is no JSON']);
  for (const text of [
    'at Foo.bar (',
    'view.ts:12',
    'TypeError: x',
    'node_modules/x',
    '/src/api',
    'lmdb: no room',
  ])
    expect(complaints(400, JSON.stringify(refusal(text)))).toEqual([expect.stringContaining('internals')]);
  // Long random text contains any word.
  expect(complaints(400, JSON.stringify(refusal(`'oklmdbq' is too long`)))).toEqual([]);
});

test('sees refusals of another shape, and texts that are called longer than they are', () => {
  const complaints = (status: number, body: unknown) =>
    oracle.complaints(list('member-0'), { status, text: JSON.stringify(body) });
  const shape = expect.stringContaining('of another shape');
  const { NeutronError: inner } = refusal('no') as { NeutronError: Json };
  for (const body of [
    'x',
    null,
    {},
    { statusCode: 404, error: 'Not Found', message: 'x' },
    { NeutronError: { ...inner, detail: undefined } },
    { NeutronError: { ...inner, code: 1 } },
    { ...refusal('no'), error: 'x' },
    { error: { code: 401, title: 'x', message: 'x' } },
  ])
    expect(complaints(400, body), JSON.stringify(body)).toEqual([shape]);
  expect(complaints(401, { error: { code: 401, title: 'x', message: 'x' } })).toEqual([]);
  expect(complaints(401, refusal('no'))).toEqual([shape]);
  expect(complaints(400, { NeutronError: { ...inner, type: 'FST_X y' } })).toContain(
    'a refusal of no type: FST_X y',
  );
  const long = (length: number) => refusal(`'${'\u{1F389}'.repeat(length)}' exceeds maximum length of 255.`);
  expect(complaints(400, long(256))).toEqual([]);
  expect(complaints(400, long(255))).toEqual(['a text of 255 characters is called longer than 255']);
});

test("sees what is shown to another project, and another project's ids in refusals", async () => {
  const network = await made('member-0', 'networks', 'network', { name: 'n' });
  expect(oracle.complaints(list('member-0'), fine({ networks: [network] }))).toEqual([]);
  expect(oracle.complaints(list('member-1'), fine({ networks: [network] }))).toHaveLength(2);
  expect(oracle.complaints(asked('nobody', 'GET', '/'), fine({ networks: [network] }))).toHaveLength(2);
  const used = refusal(`used by ${String(network['id'])}`);
  expect(oracle.complaints(list('member-1'), { ...fine(used), status: 409 })).toHaveLength(1);
  const port = await made('member-0', 'ports', 'port', { network_id: network['id'] });
  expect(oracle.complaints(list('member-0'), fine({ port: { ...port, 'binding:host_id': 'h' } }))).toEqual([
    'the answer shows binding:host_id to member-0',
  ]);
});

test("sees changes of another project's things, and any by those who may only read or were refused", async () => {
  const network = await made('member-0', 'networks', 'network', {});
  const key = keys.network(String(network['id']));
  const record = JSON.parse(cloud.mirror.held.get(key)?.text ?? '') as Json;
  let revision = 1;
  const after = async (request: Request, status: number, patch: Json = {}): Promise<readonly string[]> => {
    revision += 1;
    const value = JSON.stringify({ ...record, revision_number: revision, ...patch });
    await cloud.store.txn([], [{ op: 'put', key, value }]);
    await cloud.mirror.catchUp();
    return oracle.complaints(request, { status, text: '' });
  };
  const put = (name: string) => asked(name, 'PUT', `/v2.0/networks/${String(network['id'])}`, {});
  expect(await after(put('member-0'), 200)).toEqual([]);
  expect(await after(put('admin'), 200)).toEqual([]);
  expect(await after(put('member-1'), 200)).toEqual([expect.stringContaining('member-1 changed networks/')]);
  expect(await after(put('reader-0'), 200)).toEqual([expect.stringContaining('reader-0 changed networks/')]);
  expect(await after(put('member-0'), 409)).toEqual([expect.stringContaining('a refused request changed')]);
  expect(await after(list('member-0'), 200)).toEqual([
    expect.stringContaining('reading /v2.0/networks changed'),
  ]);
  expect(await after(put('admin'), 200, { project_id: 'other' })).toEqual([
    expect.stringContaining('project_id was'),
  ]);
  expect(await after(put('admin'), 200, { project_id: 'other', revision_number: 1 })).toEqual([
    expect.stringContaining('was followed by 1'),
  ]);
});

test("sees references to another project's things", async () => {
  const group = await made('member-1', 'security-groups', 'security_group', { name: 'g' });
  const network = await made('member-0', 'networks', 'network', {});
  const port = await made('member-0', 'ports', 'port', { network_id: network['id'] });
  const key = keys.port(String(network['id']), String(port['id']));
  const record = JSON.parse(cloud.mirror.held.get(key)?.text ?? '') as Json;
  const value = JSON.stringify({ ...record, security_groups: [group['id']], revision_number: 2 });
  await cloud.store.txn([], [{ op: 'put', key, value }]);
  await cloud.mirror.catchUp();
  const request = asked('member-0', 'PUT', `/v2.0/ports/${String(port['id'])}`, { group: group['id'] });
  expect(oracle.complaints(request, { status: 200, text: '' })).toEqual([
    expect.stringContaining('refer to'),
  ]);
});
