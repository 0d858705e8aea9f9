import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';

let under: UnderTest;
let client: TestClient;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
});
afterEach(() => under.close());

const unknownId = '3b0a6f4e-5d1a-4a53-8f0c-0d9f3ac5a111';

/** One of each resource that has tags: where it is, where its tags are, what it is. */
async function everyTaggable(): Promise<readonly (readonly [path: string, tagPath: string, made: Json])[]> {
  const network = await client.make('networks', {});
  const of = { network_id: network['id'] };
  const subnet = await client.make('subnets', { ...of, ip_version: 4, cidr: '10.0.0.0/24' });
  const port = await client.make('ports', of);
  const group = await client.make('security-groups', { name: 'web' });
  const policy = await client.make('qos/policies', { name: 'gold' });
  return [
    ['networks', 'networks', network],
    ['subnets', 'subnets', subnet],
    ['ports', 'ports', port],
    ['security-groups', 'security-groups', group],
    ['qos/policies', 'policies', policy],
    ['qos/policies', 'qos/policies', policy],
  ];
}

async function revisionOf(path: string, id: unknown): Promise<number> {
  return Number((await client.show(path, id))['revision_number']);
}

describe('tags', () => {
  it('are set, read and taken off everything that has them', async () => {
    for (const [path, tagPath, made] of await everyTaggable()) {
      const url = `/v2.0/${tagPath}/${String(made['id'])}/tags`;
      expect(made['tags'], path).toEqual([]);
      expect(await client.call('GET', url)).toEqual({ status: 200, body: { tags: [] } });
      const put = await client.call('PUT', url, { tags: ['red', 'blue'] });
      expect(put).toEqual({ status: 200, body: { tags: ['red', 'blue'] } });
      expect((await client.show(path, made['id']))['tags']).toEqual(['blue', 'red']);
      expect(await client.call('PUT', `${url}/green`)).toEqual({ status: 201, body: {} });
      expect(await client.call('POST', url, { tags: ['red', 'pink'] })).toEqual({
        status: 201,
        body: { tags: ['red', 'pink'] },
      });
      expect((await client.call('GET', url)).body).toEqual({ tags: ['blue', 'green', 'pink', 'red'] });
      expect((await client.call('GET', `${url}/green`)).status).toBe(204);
      expect((await client.call('DELETE', `${url}/green`)).status).toBe(204);
      const gone = 'Tag green could not be found.';
      expect(expectRefusal(await client.call('GET', `${url}/green`), 404, 'TagNotFound')).toBe(gone);
      expect(expectRefusal(await client.call('DELETE', `${url}/green`), 404, 'TagNotFound')).toBe(gone);
      expect((await client.call('DELETE', url)).status).toBe(204);
      expect((await client.show(path, made['id']))['tags']).toEqual([]);
    }
  });

  it('are a revision when they change, and only then', async () => {
    for (const [path, tagPath, { id }] of await everyTaggable()) {
      const url = `/v2.0/${tagPath}/${String(id)}/tags`;
      const steps: [method: 'PUT' | 'POST' | 'DELETE', url: string, body: Json | undefined, by: number][] = [
        ['PUT', url, { tags: ['a', 'b'] }, 1],
        ['PUT', url, { tags: ['b', 'a'] }, 0],
        ['PUT', `${url}/a`, undefined, 0],
        ['PUT', `${url}/c`, undefined, 1],
        ['POST', url, { tags: ['a', 'c'] }, 0],
        ['DELETE', `${url}/c`, undefined, 1],
        ['DELETE', url, undefined, 1],
        ['DELETE', url, undefined, 0],
      ];
      for (const [method, where, body, by] of steps) {
        const before = await revisionOf(path, id);
        expect((await client.call(method, where, body)).status).toBeLessThan(300);
        expect((await revisionOf(path, id)) - before, `${path} ${method} ${where}`).toBe(by);
      }
    }
  });

  it('heed If-Match', async () => {
    const network = await client.make('networks', {});
    const url = `/v2.0/networks/${String(network['id'])}/tags/x`;
    const old = { 'if-match': 'revision_number=7' };
    expectRefusal(await client.call('PUT', url, undefined, old), 412, 'RevisionNumberConstraintFailed');
    const now = { 'if-match': `revision_number=${String(network['revision_number'])}` };
    expect((await client.call('PUT', url, undefined, now)).status).toBe(201);
    expectRefusal(await client.call('DELETE', url, undefined, now), 412, 'RevisionNumberConstraintFailed');
  });

  it('are short, different, few texts', async () => {
    const network = await client.make('networks', {});
    const url = `/v2.0/networks/${String(network['id'])}/tags`;
    const put = (body: unknown) => client.call('PUT', url, body);
    const long = 'x'.repeat(256);
    const invalid = (reason: string) => `Invalid input for operation: ${reason}.`;
    for (const [body, reason] of [
      [{}, 'Invalid tags body'],
      [['a'], 'Invalid tags body'],
      [{ tags: 'a' }, "'a' is not a list"],
      [{ tags: ['a', 'b', 'a'] }, "Duplicate items in the list: 'a'"],
      [{ tags: [7] }, "'7' is not a valid string"],
      [{ tags: [long] }, `'${long}' exceeds maximum length of 255`],
    ] as const) {
      expect(expectRefusal(await put(body), 400, 'InvalidInput')).toBe(invalid(reason));
    }
    expectRefusal(await client.call('PUT', `${url}/${long}`), 400, 'InvalidInput');
    const longest = '\u{1F512}'.repeat(127);
    expect((await client.call('PUT', `${url}/${encodeURIComponent(longest)}`)).status).toBe(201);
    expect((await client.call('GET', `${url}/${encodeURIComponent(longest)}`)).status).toBe(204);
    const fifty = Array.from({ length: 50 }, (_, at) => `t${at}`);
    expect((await put({ tags: fifty })).status).toBe(200);
    expect(expectRefusal(await client.call('PUT', `${url}/more`), 400, 'BadRequest')).toMatch(/limit of 50/);
    expect((await client.call('GET', url)).body['tags']).toHaveLength(50);
  });

  it('of what is not there are not there', async () => {
    for (const path of ['networks', 'subnets', 'ports', 'security-groups', 'policies']) {
      const url = `/v2.0/${path}/${unknownId}/tags`;
      const text = expectRefusal(await client.call('GET', url), 404, 'TagResourceNotFound');
      expect(text).toBe(`Resource ${path.replace('-', '_')} ${unknownId} could not be found.`);
      expectRefusal(await client.call('PUT', `${url}/x`), 404, 'TagResourceNotFound');
      expectRefusal(await client.call('PUT', url, { tags: [] }), 404, 'TagResourceNotFound');
      expectRefusal(await client.call('DELETE', url), 404, 'TagResourceNotFound');
    }
    expectRefusal(
      await client.call('GET', `/v2.0/security-group-rules/${unknownId}/tags`),
      404,
      'HTTPNotFound',
    );
  });

  it('are given at birth to ports alone', async () => {
    const network = await client.make('networks', {});
    const of = { network_id: network['id'] };
    expect((await client.make('ports', { ...of, tags: ['b', 'a'] }))['tags']).toEqual(['a', 'b']);
    const bulk = await client.call('POST', '/v2.0/ports', {
      ports: [{ ...of, tags: ['x', 'y'] }, { ...of, tags: [] }, of],
    });
    expect((bulk.body['ports'] as Json[]).map((port) => port['tags'])).toEqual([['x', 'y'], [], []]);
    const refused = async (path: string, body: Json) =>
      expectRefusal(await client.call('POST', `/v2.0/${path}`, body), 400, 'HTTPBadRequest');
    expect(await refused('networks', { network: { tags: ['a'] } })).toBe(
      "Attribute 'tags' not allowed in POST",
    );
    expect(await refused('ports', { port: { ...of, tags: ['a', 'a'] } })).toMatch(/Invalid input for tags/);
    const [port] = await client.list('ports');
    const put = await client.call('PUT', `/v2.0/ports/${String(port?.['id'])}`, { port: { tags: ['z'] } });
    expectRefusal(put, 400, 'HTTPBadRequest');
  });

  it('stay when the resource changes', async () => {
    const network = await client.make('networks', {});
    const port = await client.make('ports', { network_id: network['id'], tags: ['keep'] });
    expect(await client.change('ports', port['id'], { name: 'p' })).toMatchObject({
      name: 'p',
      tags: ['keep'],
    });
  });

  it('are what lists are filtered by', async () => {
    const make = async (name: string, tags: readonly string[]) => {
      const { id } = await client.make('networks', { name });
      if (tags.length > 0) await client.call('PUT', `/v2.0/networks/${String(id)}/tags`, { tags });
    };
    await make('none', []);
    await make('red', ['red']);
    await make('both', ['red', 'blue']);
    await make('other', ['green']);
    const names = async (query: string) =>
      (await client.list('networks', query)).map((network) => network['name']).toSorted();
    expect(await names('tags=red')).toEqual(['both', 'red']);
    expect(await names('tags=red,blue')).toEqual(['both']);
    expect(await names('tags=red&tags=blue')).toEqual(['both']);
    expect(await names('tags-any=blue,green')).toEqual(['both', 'other']);
    expect(await names('not-tags=red,blue')).toEqual(['none', 'other', 'red']);
    expect(await names('not-tags-any=red,green')).toEqual(['none']);
    expect(await names('tags=red&not-tags=blue')).toEqual(['red']);
    expect(await names('tags=')).toEqual([]);
    expect(await names('tags=red&fields=name')).toEqual(['both', 'red']);
    expectRefusal(await client.call('GET', '/v2.0/security-group-rules?tags=a'), 400, 'HTTPBadRequest');
    expectRefusal(await client.call('GET', '/v2.0/address-groups?not-tags-any=a'), 400, 'HTTPBadRequest');
  });

  it('of many writers at once are all kept', async () => {
    const { id } = await client.make('networks', {});
    const other = await under.server();
    const tags = Array.from({ length: 32 }, (_, at) => `w${String(at).padStart(2, '0')}`);
    const put = (tag: string, at: number) =>
      (at % 2 === 0 ? client : other).call('PUT', `/v2.0/networks/${String(id)}/tags/${tag}`);
    for (const reply of await Promise.all(tags.map(put))) expect(reply.status).toBe(201);
    expect((await client.call('GET', `/v2.0/networks/${String(id)}/tags`)).body['tags']).toEqual(tags);
  });
});
