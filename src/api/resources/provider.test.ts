import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { as, byName } from '../testing/people.ts';

let under: UnderTest;
let admin: TestClient;
let owner: TestClient;
beforeEach(async () => {
  under = await openUnderTest('memory');
  const server = await under.server({ authenticator: byName });
  admin = as(server.api, 'admin');
  owner = as(server.api, 'owner');
});
afterEach(() => under.close());

const provider = (type: unknown, physical: unknown, segment: unknown): Json => ({
  'provider:network_type': type,
  'provider:physical_network': physical,
  'provider:segmentation_id': segment,
});
const local = provider('local', null, null);

describe('how a network is carried', () => {
  it('is by each switch alone, as administrators see', async () => {
    const own = await owner.make('networks', { name: 'n' });
    expect(Object.keys(own).filter((name) => name.startsWith('provider:'))).toEqual([]);
    expect(await admin.show('networks', own['id'])).toMatchObject(local);
    expect(await admin.make('networks', local)).toMatchObject(local);
    expect(await admin.make('networks', provider('local', '', '0'))).toMatchObject(local);
    expect(await admin.make('networks', provider(null, null, null))).toMatchObject(local);
    expect(await admin.list('networks', 'provider:network_type=local')).toHaveLength(4);
    expect(await admin.list('networks', 'provider:network_type=vlan')).toEqual([]);
    expect(await admin.list('networks', 'provider:segmentation_id=7')).toEqual([]);
    expect(JSON.stringify(await under.content())).not.toContain('provider:');
  });

  it('is nothing that needs a wire or a tunnel', async () => {
    const cases: [asked: Json, text: string][] = [
      [provider('vlan', 'physnet1', 7), "network_type value 'vlan' not supported"],
      [provider('geneve', null, 7), "network_type value 'geneve' not supported"],
      [provider('flat', 'physnet1', null), "network_type value 'flat' not supported"],
      [provider('local', 'physnet1', null), 'physical_network prohibited for local provider network'],
      [provider('local', null, 7), 'segmentation_id prohibited for local provider network'],
      [provider(null, 'physnet1', null), 'network_type required'],
      [provider(null, null, 7), 'network_type required'],
      [provider('vlan', null, 'seven'), "'seven' is not an integer"],
    ];
    for (const [network, text] of cases) {
      const reply = await admin.call('POST', '/v2.0/networks', { network });
      expect(expectRefusal(reply, 400, 'InvalidInput')).toBe(`Invalid input for operation: ${text}.`);
    }
    const long = await admin.call('POST', '/v2.0/networks', {
      network: provider('x'.repeat(33), null, null),
    });
    expectRefusal(long, 400, 'HTTPBadRequest');
    expect(await admin.list('networks')).toEqual([]);
  });

  it('is not changed', async () => {
    const network = await admin.make('networks', {});
    const put = (attributes: Json) =>
      admin.call('PUT', `/v2.0/networks/${String(network['id'])}`, { network: attributes });
    expectRefusal(await put({ 'provider:segmentation_id': 7 }), 400, 'InvalidInput');
    expectRefusal(await put({ 'provider:network_type': 'vlan' }), 400, 'InvalidInput');
    expect((await put({ ...local, name: 'x' })).body['network']).toMatchObject({
      name: 'x',
      revision_number: 2,
    });
    expect((await put(local)).body['network']).toMatchObject({ revision_number: 2 });
  });

  it('is for administrators to say', async () => {
    const reply = await owner.call('POST', '/v2.0/networks', {
      network: { 'provider:network_type': 'local' },
    });
    expectRefusal(reply, 403, 'PolicyNotAuthorized');
    const network = await owner.make('networks', {});
    const put = { network: { 'provider:network_type': 'local' } };
    expectRefusal(
      await owner.call('PUT', `/v2.0/networks/${String(network['id'])}`, put),
      403,
      'PolicyNotAuthorized',
    );
  });
});
