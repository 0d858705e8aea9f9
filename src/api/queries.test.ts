import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from './testing/api-under-test.ts';

let under: UnderTest;
let client: TestClient;
const names = ['ant', 'bee', 'cat', 'dog', 'eel', ''];
beforeAll(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
  for (const [at, name] of names.entries()) {
    await client.make('networks', { name, mtu: 1400 + (at % 2), admin_state_up: at !== 0 });
  }
  const [ant, bee] = await client.list('networks');
  for (const [net, cidr] of [
    [ant, '10.0.0.0/24'],
    [bee, '10.1.0.0/24'],
  ] as const) {
    await client.make('subnets', { network_id: net?.['id'], ip_version: 4, cidr });
    await client.make('ports', { network_id: net?.['id'], device_id: `vm-${String(net?.['name'])}` });
  }
});
afterAll(() => under.close());

const namesOf = (items: readonly Json[]) => items.map((item) => item['name']);
const found = async (query: string) => namesOf(await client.list('networks', query));

describe('filters', () => {
  it('repeat for or, differ for and', async () => {
    expect(await found('name=ant&name=cat')).toEqual(['ant', 'cat']);
    expect(await found('name=ant&name=bee&mtu=1401')).toEqual(['bee']);
    expect(await found('name=nobody')).toEqual([]);
  });

  it('know booleans, the empty string and both names of the owner', async () => {
    expect(await found('admin_state_up=False')).toEqual(['ant']);
    expect(await found('admin_state_up=1&mtu=1400')).toEqual(['cat', 'eel']);
    expect(await found('name=')).toEqual(['']);
    const [{ tenant_id: tenant } = {}] = await client.list('networks');
    expect(await found(`tenant_id=${String(tenant)}`)).toHaveLength(6);
    expect(await found(`project_id=other`)).toEqual([]);
    expectRefusal(await client.call('GET', '/v2.0/networks?admin_state_up=perhaps'), 400, 'InvalidInput');
  });

  it('that nobody knows are refused', async () => {
    const message = expectRefusal(
      await client.call('GET', '/v2.0/networks?colour=red'),
      400,
      'HTTPBadRequest',
    );
    expect(message).toContain("'colour'");
    expectRefusal(await client.call('GET', '/v2.0/networks?constructor=1'), 400, 'HTTPBadRequest');
  });

  it('look into fixed addresses and follow indexes', async () => {
    const [subnet] = await client.list('subnets', 'cidr=10.1.0.0/24');
    const ports = async (query: string) =>
      (await client.list('ports', query)).map((port) => port['device_id']);
    expect(await ports('fixed_ips=ip_address=10.0.0.2')).toEqual(['vm-ant']);
    expect(await ports(`fixed_ips=subnet_id=${String(subnet?.['id'])}`)).toEqual(['vm-bee']);
    expect(
      await ports(`fixed_ips=subnet_id=${String(subnet?.['id'])}&fixed_ips=ip_address=10.0.0.2`),
    ).toEqual([]);
    expect(await ports('fixed_ips=ip_address_substr=10.1.')).toEqual(['vm-bee']);
    expect(await ports('device_id=vm-ant')).toEqual(['vm-ant']);
    expect(await ports('device_id=vm-ant&device_id=vm-bee&network_id=x')).toEqual([]);
  });

  it('know what changed since', async () => {
    expect(await found('changed_since=2000-01-01T00:00:00Z')).toHaveLength(6);
    expect(await found('changed_since=2999-01-01T00:00:00Z')).toEqual([]);
    expectRefusal(await client.call('GET', '/v2.0/networks?changed_since=yesterday'), 400, 'InvalidInput');
  });
});

describe('fields', () => {
  it('reduce what is shown', async () => {
    const [first] = await client.list('networks', 'fields=id&fields=name');
    expect(Object.keys(first ?? {}).toSorted()).toEqual(['id', 'name']);
    const shown = await client.call('GET', `/v2.0/networks/${String(first?.['id'])}?fields=name`);
    expect(shown.body).toEqual({ network: { name: 'ant' } });
  });

  it('come as a tuple in one text from openstackclient', async () => {
    const tuple = encodeURIComponent("('id', 'name')");
    expect(Object.keys((await client.list('networks', `fields=${tuple}`))[0] ?? {}).toSorted()).toEqual([
      'id',
      'name',
    ]);
    const foreign = encodeURIComponent("('id', 'security_group_ids')");
    expect(await client.list('ports', `fields=${foreign}`)).toEqual(await client.list('ports'));
  });
});

describe('order and pages', () => {
  it('sort by several keys', async () => {
    expect(await found('sort_key=mtu&sort_dir=desc&sort_key=name&sort_dir=asc')).toEqual([
      '',
      'bee',
      'dog',
      'ant',
      'cat',
      'eel',
    ]);
  });

  it('refuse keys and directions that do not fit', async () => {
    for (const query of [
      'sort_key=name&sort_dir=up',
      'sort_key=subnets',
      'sort_key=name&sort_dir=asc&sort_dir=asc',
    ]) {
      expectRefusal(await client.call('GET', `/v2.0/networks?${query}`), 400, 'HTTPBadRequest');
    }
  });

  it('follow links forth and back through every item once', async () => {
    const seen: unknown[] = [];
    let url: string | undefined = '/v2.0/networks?limit=4&sort_key=mtu&sort_dir=asc';
    let previous: string | undefined;
    while (url !== undefined) {
      const { body }: { body: Json } = await client.call('GET', url);
      seen.push(...(body['networks'] as Json[]).map((network) => network['id']));
      const links = (body['networks_links'] ?? []) as { rel: string; href: string }[];
      url = links.find((link) => link.rel === 'next')?.href.replace('http://127.0.0.1:9696', '');
      previous =
        links.find((link) => link.rel === 'previous')?.href.replace('http://127.0.0.1:9696', '') ?? previous;
    }
    expect(new Set(seen).size).toBe(6);
    expect(seen).toHaveLength(6);
    const back = await client.call('GET', previous ?? '');
    expect((back.body['networks'] as Json[]).map((network) => network['id'])).toEqual(seen.slice(0, 4));
    expectRefusal(await client.call('GET', '/v2.0/networks?limit=2&marker=nobody'), 404, 'NetworkNotFound');
    expect(await client.list('subnets', 'limit=2&marker=nobody')).toEqual([]);
    expect(await found('limit=0')).toHaveLength(6);
  });
});
