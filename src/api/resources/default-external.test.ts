import { afterEach, beforeEach, expect, it } from 'vitest';
import { expectRefusal, openUnderTest, type TestClient, type UnderTest } from '../testing/api-under-test.ts';

let under: UnderTest;
let client: TestClient;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
});
afterEach(() => under.close());

it('a network that leads out for some projects alone becomes not the default of all', async () => {
  const network = await client.make('networks', {});
  const policy = { object_type: 'network', object_id: network['id'], action: 'access_as_external' };
  await client.make('rbac-policies', { ...policy, target_tenant: 'some' });
  const url = `/v2.0/networks/${String(network['id'])}`;
  const asked = await client.call('PUT', url, { network: { is_default: true } });
  expectRefusal(asked, 409, 'RbacPolicyInUse');
  expect((await client.call('GET', '/v1/check')).body).toMatchObject({ count: 0 });
  await client.make('rbac-policies', { ...policy, target_tenant: '*' });
  expect(await client.change('networks', network['id'], { is_default: true })).toMatchObject({
    is_default: true,
  });
});

it('a network may begin to lead out and be the default at once', async () => {
  const network = await client.make('networks', {});
  const both = { 'router:external': true, is_default: true };
  expect(await client.change('networks', network['id'], both)).toMatchObject(both);
});
