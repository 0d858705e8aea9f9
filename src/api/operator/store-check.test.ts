import { afterEach, beforeEach, expect, it } from 'vitest';
import { keys } from '../../model/keys.ts';
import { expectRefusal, openUnderTest, type TestClient, type UnderTest } from '../testing/api-under-test.ts';
import { as, byName } from '../testing/people.ts';

let under: UnderTest;
let client: TestClient;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
});
afterEach(() => under.close());

it('tells of a whole store, and of one that is broken', async () => {
  const network = await client.make('networks', {});
  const port = await client.make('ports', { network_id: network['id'] });
  const whole = await client.call('GET', '/v1/check');
  expect(whole).toMatchObject({ status: 200, body: { count: 0, violations: [] } });
  expect(whole.body['entries']).toBe((await under.content()).length);
  const key = keys.takenMac(String(network['id']), String(port['mac_address']));
  await under.store.txn([], [{ op: 'delete', key }]);
  expect((await client.call('GET', '/v1/check')).body).toMatchObject({
    count: 1,
    violations: [{ key, problem: expect.stringContaining('missing') }],
  });
});

it('is for those who run the cloud', async () => {
  const { api } = await under.server({ authenticator: byName });
  expectRefusal(await as(api, 'owner').call('GET', '/v1/check'), 403, 'PolicyNotAuthorized');
  expect((await as(api, 'admin').call('GET', '/v1/check')).status).toBe(200);
});
