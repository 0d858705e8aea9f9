import { afterEach, beforeEach, expect, test } from 'vitest';
import { keys } from '../../model/keys.ts';
import { type Json, openUnderTest, type TestClient, type UnderTest } from '../testing/api-under-test.ts';

let under: UnderTest;
let client: TestClient;
let network: string;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
  network = String((await client.make('networks', {}))['id']);
});
afterEach(() => under.close());

const vip = '192.0.2.100';
const portWith = async (name: string, address: string): Promise<string> => {
  const allowed_address_pairs = [{ ip_address: address, mac_address: '00:00:5e:00:01:0a' }];
  return String((await client.make('ports', { network_id: network, name, allowed_address_pairs }))['id']);
};
const claim = (port: string, address: string, generation = 1) =>
  under.store.txn(
    [],
    [
      {
        op: 'put',
        key: keys.owner(network, address),
        value: JSON.stringify({
          port,
          host: 'one',
          mac: '00:00:5e:00:01:0a',
          generation,
          since: '2026-12-01T00:00:00.000Z',
          how: 'announcement',
        }),
      },
    ],
  );
const shown = async (query = ''): Promise<Json[]> =>
  (await client.call('GET', `/v1/vips${query}`)).body['vips'] as Json[];

test('an address of several ports is shown with its candidates, and with its owner once one claims it', async () => {
  const [web, app] = [await portWith('web', vip), await portWith('app', vip)];
  await portWith('alone', '192.0.2.101');
  expect(await shown()).toMatchObject([{ address: vip, owner: null, host: null, changes: 0 }]);
  await claim(app, vip, 3);
  await expect.poll(() => shown(`?network=${network}`)).toMatchObject([{ owner: app, owner_name: 'app' }]);
  const [only] = await shown();
  expect(only).toMatchObject({ network_id: network, host: 'one', how: 'announcement', changes: 3 });
  const candidates = [web, app].map((id) => expect.objectContaining({ id }) as unknown);
  expect(only?.['candidates']).toEqual(expect.arrayContaining(candidates));
  expect(only?.['candidates']).toHaveLength(2);
});

test('an address of prefixes is shown once somebody has claimed it', async () => {
  const web = await portWith('web', '192.0.2.0/25');
  await portWith('app', '192.0.2.64/26');
  expect(await shown()).toEqual([]);
  await claim(web, vip);
  await expect.poll(() => shown()).toMatchObject([{ address: vip, owner: web }]);
  expect((await shown())[0]?.['candidates']).toHaveLength(2);
});

test('a network that is not there has none', async () => {
  await portWith('web', vip);
  await portWith('app', vip);
  expect(await shown('?network=00000000-0000-0000-0000-000000000000')).toEqual([]);
});

test('with the port goes what the store says of it as an owner', async () => {
  const [web] = [await portWith('web', vip), await portWith('app', vip)];
  await claim(web, vip);
  await expect.poll(async () => (await shown())[0]?.['owner']).toBe(web);
  await client.call('DELETE', `/v2.0/ports/${web}`);
  expect(await under.store.get(keys.owner(network, vip))).toBeNull();
});
