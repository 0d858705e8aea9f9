import { afterEach, beforeEach, expect, test } from 'vitest';
import { keys } from '../../model/keys.ts';
import { type Json, openUnderTest, type TestClient, type UnderTest } from '../testing/api-under-test.ts';
import { Hosts } from '../testing/hosts.ts';

let under: UnderTest;
let client: TestClient;
let hosts: Hosts;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
  hosts = await Hosts.oneAndTwo(under, client);
});
afterEach(() => under.close());

const shown = async (name: string): Promise<Json | undefined> => {
  const all = (await client.call('GET', '/v1/hosts')).body['hosts'] as Json[];
  return all.find((host) => host['name'] === name);
};

test('a host shows what it says of itself, its tunnel endpoint, and how far its switch has come', async () => {
  await hosts.is('one', { version: '1.2.3', schema_version: 2, bridge_mappings: { physnet1: 'br-ex' } });
  const bridge = {
    bridge: 'br-one',
    datapath_type: 'netdev',
    tunnel_ip: '192.0.2.1',
    tunnel_types: ['geneve'],
  };
  const applied = { revision: 1, cut_total: 0 };
  await under.store.txn(
    [],
    [
      { op: 'put', key: keys.bridge('one'), value: JSON.stringify(bridge) },
      { op: 'put', key: keys.applied('one'), value: JSON.stringify(applied) },
    ],
  );
  await client.call('GET', '/v1/sync?timeout=0.01');
  const target = (await under.store.get(keys.syncTarget()))?.modRevision ?? 0;
  expect(await shown('one')).toMatchObject({
    live: true,
    version: '1.2.3',
    schema_version: 2,
    tunnel_ip: '192.0.2.1',
    tunnel_types: ['geneve'],
    bridge_mappings: { physnet1: 'br-ex' },
    applied: 1,
    lag: target - 1,
  });
});

test('ports of a dead host are DOWN, and ACTIVE again when it returns, without a write to them', async () => {
  const network = String((await client.make('networks', {}))['id']);
  const id = String((await client.make('ports', { network_id: network }))['id']);
  await hosts.hold(network, id, 'one', 'ACTIVE');
  const key = keys.binding(network, id);
  const bound = await under.store.get(key);
  const status = async () => (await client.show('ports', id))['status'];
  expect(await status()).toBe('ACTIVE');
  await hosts.dies('one');
  expect(await status()).toBe('DOWN');
  expect(await client.list('ports', 'status=ACTIVE')).toEqual([]);
  expect(await shown('one')).toMatchObject({ live: false, ports: 1, lag: null });
  expect(await client.list('agents', 'host=one')).toMatchObject([{ alive: false }]);
  await hosts.live('one');
  expect(await status()).toBe('ACTIVE');
  expect(await under.store.get(key)).toEqual(bound);
});
