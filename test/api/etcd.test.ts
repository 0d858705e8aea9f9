/** Two servers on one etcd: concurrent writers, a request of many ports, and an etcd that goes away and comes back. */
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Api, createApi } from '../../src/api/server.ts';
import { clientOf, expectRefusal, type TestClient } from '../../src/api/testing/api-under-test.ts';
import { violationsOf } from '../../src/model/invariants/check.ts';
import { scopeDepth } from '../../src/model/scopes.ts';
import type { Store } from '../../src/store/contract.ts';
import { openStore } from '../../src/store/index.ts';
import { type Etcd, hasEtcd, startEtcd } from '../lib/etcd.ts';
import { until } from '../lib/wait.ts';

let etcd: Etcd;
const stores: Store[] = [];
const apis: Api[] = [];
const clients: TestClient[] = [];

beforeAll(async () => {
  if (!hasEtcd) return;
  etcd = await startEtcd();
  for (let server = 0; server < 2; server++) {
    const store = await openStore({
      kind: 'etcd',
      addresses: etcd.addresses,
      depthOf: scopeDepth,
      timeout: 2500,
    });
    stores.push(store);
    const api = createApi({
      store,
      log: pino({ level: 'silent' }),
      listen: { host: '127.0.0.1', port: 0 },
    });
    apis.push(api);
    await api.ready();
    clients.push(clientOf(api));
  }
}, 30_000);
afterAll(async () => {
  await Promise.all(apis.map((api) => api.close()));
  await Promise.all(stores.map((store) => store.close()));
  await etcd?.stop();
});

const client = (server: number): TestClient => clients[server % 2] ?? expect.unreachable();
const check = async (): Promise<void> => {
  const { entries } = (await stores[0]?.snapshot([''])) ?? expect.unreachable();
  expect(violationsOf(entries)).toEqual([]);
};

describe.skipIf(!hasEtcd)('two servers on one etcd (needs etcd-server)', () => {
  test('writers through both never get one address twice, and each server shows what it acknowledged', async () => {
    const network = (await client(0).make('networks', { name: 'shared' }))['id'];
    const subnet = { network_id: network, ip_version: 4, cidr: '10.0.0.0/26' };
    await client(1).make('subnets', subnet);
    const addresses: string[] = [];
    await Promise.all(
      Array.from({ length: 8 }, async (_, writer) => {
        for (let i = 0; i < 5; i++) {
          const port = await client(writer).make('ports', { network_id: network, name: `${writer}-${i}` });
          addresses.push((port['fixed_ips'] as { ip_address: string }[])[0]?.ip_address ?? '');
          expect((await client(writer).show('ports', port['id']))['name']).toBe(`${writer}-${i}`);
        }
      }),
    );
    expect(new Set(addresses).size).toBe(40);
    await until(async () => (await client(0).list('ports')).length === 40);
    await until(async () => (await client(1).list('ports')).length === 40);
    await check();
  }, 60_000);

  test('1000 ports of one request are one transaction', async () => {
    const network = (await client(0).make('networks', { name: 'large' }))['id'];
    await client(0).make('subnets', { network_id: network, ip_version: 4, cidr: '10.8.0.0/20' });
    const ports = Array.from({ length: 1000 }, (_, n) => ({ network_id: network, name: `p${n}` }));
    const { status, body } = await client(0).call('POST', '/v2.0/ports', { ports });
    expect(status, JSON.stringify(body).slice(0, 300)).toBe(201);
    const { entries } = (await stores[1]?.snapshot([`ports/${String(network)}/`])) ?? expect.unreachable();
    expect(entries).toHaveLength(1000);
    expect(new Set(entries.map(({ createRevision }) => createRevision)).size).toBe(1);
    await check();
  }, 60_000);

  test('without etcd reads go on and writes are put off; afterwards everything goes on', async () => {
    const network = (await client(0).make('networks', { name: 'before' }))['id'];
    await until(async () => (await client(1).list('networks', 'name=before')).length === 1);
    await etcd.members[0]?.kill();
    const refused = client(1).call('POST', '/v2.0/networks', { network: { name: 'meanwhile' } });
    expect((await client(1).show('networks', network))['name']).toBe('before');
    expectRefusal(await refused, 503, 'ServiceUnavailable');
    etcd.members[0]?.restart();
    const made = await until(async () => {
      const { status, body } = await client(1).call('POST', '/v2.0/networks', { network: { name: 'after' } });
      return status === 201 ? (body['network'] as { id: string }) : null;
    });
    await until(async () => (await client(0).call('GET', `/v2.0/networks/${made.id}`)).status === 200);
    await check();
  }, 60_000);
});
