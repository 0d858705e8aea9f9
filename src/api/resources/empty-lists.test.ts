import { afterEach, beforeEach, expect, it } from 'vitest';
import { expectRefusal, openUnderTest, type TestClient, type UnderTest } from '../testing/api-under-test.ts';

let under: UnderTest;
let client: TestClient;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
});
afterEach(() => under.close());

it.each([
  ['floatingips', 'floatingips'],
  ['floatingips?port_id=x&fields=id', 'floatingips'],
  ['floatingips.json?tenant_id=x&limit=2', 'floatingips'],
  ['service-providers', 'service_providers'],
  ['service_providers?service_type=L3_ROUTER_NAT', 'service_providers'],
])('%s is an empty list', async (path, collection) => {
  const { status, body } = await client.call('GET', `/v2.0/${path}`);
  expect({ status, body }).toEqual({ status: 200, body: { [collection]: [] } });
});

it('there is none to show and none to make', async () => {
  const show = await client.call('GET', '/v2.0/floatingips/x');
  expect(expectRefusal(show, 404, 'FloatingIPNotFound')).toBe('Floating IP x could not be found');
  const make = await client.call('POST', '/v2.0/floatingips', { floatingip: {} });
  expectRefusal(make, 404, 'HTTPNotFound');
  expectRefusal(await client.call('DELETE', '/v2.0/floatingips/x'), 404, 'HTTPNotFound');
});
