import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type SegmentRules, usualSegmentRules, vlanRangesOf } from '../../model/segments.ts';
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
  await begin({});
});
afterEach(async () => {
  expect((await admin.call('GET', '/v1/check')).body).toMatchObject({ count: 0 });
  await under.close();
});

const vlanRanges = vlanRangesOf('physnet1:100:101,physnet2') ?? new Map();

/** Both talk to a server with these rules from now on. */
async function begin(rules: Partial<SegmentRules>): Promise<void> {
  const segments = { ...usualSegmentRules, vlanRanges, ...rules };
  const server = await under.server({ authenticator: byName, segments });
  admin = as(server.api, 'admin');
  owner = as(server.api, 'owner');
}

const provider = (type: unknown, physical: unknown, segment: unknown): Json => ({
  'provider:network_type': type,
  'provider:physical_network': physical,
  'provider:segmentation_id': segment,
});
const local = provider('local', null, null);

async function refused(network: Json, status: number, type: string): Promise<string> {
  const before = await under.content();
  const text = expectRefusal(await admin.call('POST', '/v2.0/networks', { network }), status, type);
  // The project's default group is made by any request for a network.
  const withoutGroups = (content: typeof before) =>
    content.filter(([key]) => !/^(groups|rules|default-groups)\//.test(key));
  expect(withoutGroups(await under.content())).toEqual(withoutGroups(before));
  return text;
}

describe('how a network is carried', () => {
  it('is by each switch alone where nobody says otherwise, as administrators see', async () => {
    const own = await owner.make('networks', { name: 'n' });
    expect(Object.keys(own).filter((name) => name.startsWith('provider'))).toEqual([]);
    expect(await admin.show('networks', own['id'])).toMatchObject(local);
    expect(await admin.make('networks', local)).toMatchObject(local);
    expect(await admin.make('networks', provider('local', '', '0'))).toMatchObject(local);
    expect(await admin.make('networks', provider(null, null, null))).toMatchObject(local);
    expect(await admin.list('networks', 'provider:network_type=local')).toHaveLength(4);
    expect(JSON.stringify(await under.content())).not.toContain('provider');
  });

  it('is as an administrator says', async () => {
    const cases = [
      provider('flat', 'physnet1', null),
      provider('flat', 'anything', null),
      provider('vlan', 'physnet1', 7),
      provider('vlan', 'physnet2', 7),
      provider('vxlan', null, 5001),
      provider('geneve', null, 16_777_215),
    ];
    for (const asked of cases) {
      const network = await admin.make('networks', asked);
      expect(network).toMatchObject(asked);
      expect(Object.keys(network)).not.toContain('provider');
      expect(await admin.show('networks', network['id'])).toMatchObject(asked);
      expect(Object.keys(await owner.make('networks', {}))).not.toContain('provider:network_type');
    }
    expect(await admin.list('networks', 'provider:network_type=vlan')).toHaveLength(2);
    expect(await admin.list('networks', 'provider:segmentation_id=7')).toHaveLength(2);
    expect(await admin.list('networks', 'provider:segmentation_id=5001')).toHaveLength(1);
    expect(await admin.list('networks', 'provider:physical_network=physnet1')).toHaveLength(2);
    expect(await admin.make('networks', { ...provider('vlan', 'physnet1', '8') })).toMatchObject(
      provider('vlan', 'physnet1', 8),
    );
  });

  it('is nothing that cannot be', async () => {
    const cases: [asked: Json, text: string][] = [
      [provider('gre', null, 7), "network_type value 'gre' not supported"],
      [provider('flat', null, null), 'physical_network required for flat provider network'],
      [provider('flat', 'a/b', null), "physical_network 'a/b' unknown for flat provider network"],
      [provider('flat', 'physnet1', 7), 'segmentation_id prohibited for flat provider network'],
      [provider('vlan', 'physnet3', 7), "physical_network 'physnet3' unknown for VLAN provider network"],
      [provider('vlan', null, 7), 'segmentation_id requires physical_network for VLAN provider network'],
      [provider('vlan', 'physnet1', 0), 'segmentation_id out of range (1 through 4094)'],
      [provider('vlan', 'physnet1', 4095), 'segmentation_id out of range (1 through 4094)'],
      [provider('vxlan', 'physnet1', 7), 'provider:physical_network specified for vxlan network'],
      [provider('vxlan', null, 16_777_216), 'segmentation_id out of range (1 through 16777215)'],
      [provider('geneve', null, 0), 'segmentation_id out of range (1 through 16777215)'],
      [provider('local', 'physnet1', null), 'physical_network prohibited for local provider network'],
      [provider('local', null, 7), 'segmentation_id prohibited for local provider network'],
      [provider(null, 'physnet1', null), 'network_type required'],
      [provider(null, null, 7), 'network_type required'],
      [provider('vlan', null, 'seven'), "'seven' is not an integer"],
    ];
    for (const [network, text] of cases)
      expect(await refused(network, 400, 'InvalidInput')).toBe(`Invalid input for operation: ${text}.`);
    await refused(provider('x'.repeat(33), null, null), 400, 'HTTPBadRequest');
    await refused({ vlan_transparent: true }, 400, 'HTTPBadRequest');
    expect(await admin.list('networks')).toEqual([]);
    await begin({ flatNetworks: new Set() });
    expect(await refused(provider('flat', 'physnet1', null), 400, 'InvalidInput')).toContain('disabled');
    await begin({ flatNetworks: new Set(['physnet1']) });
    await refused(provider('flat', 'physnet2', null), 400, 'InvalidInput');
  });

  it('is of one network alone, until that is deleted', async () => {
    const cases: [asked: Json, type: string][] = [
      [provider('flat', 'physnet1', null), 'FlatNetworkInUse'],
      [provider('vlan', 'physnet1', 7), 'VlanIdInUse'],
      [provider('vxlan', null, 7), 'TunnelIdInUse'],
      [provider('geneve', null, 8), 'TunnelIdInUse'],
    ];
    for (const [asked, type] of cases) {
      const { id } = await admin.make('networks', asked);
      await refused(asked, 409, type);
      await admin.remove('networks', id);
      await admin.make('networks', asked);
    }
    // A VNI means one network on every host, whatever its type.
    await refused(provider('vxlan', null, 8), 409, 'TunnelIdInUse');
    const both = { networks: [provider('vlan', 'physnet1', 9), provider('vlan', 'physnet1', 9)] };
    expectRefusal(await admin.call('POST', '/v2.0/networks', both), 409, 'VlanIdInUse');
    await admin.make('networks', provider('vlan', 'physnet1', 9));
  });

  it('is of one network alone, whichever server is asked first', async () => {
    const others = await under.server({ segments: { ...usualSegmentRules, vlanRanges } });
    const asked = { network: provider('vlan', 'physnet1', 100) };
    const replies = await Promise.all(
      [admin, others, admin, others].map((client) => client.call('POST', '/v2.0/networks', asked)),
    );
    expect(replies.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409]);
  });
});

describe('a segment that nobody names', () => {
  it('comes from the ranges, until they are used up', async () => {
    const made = [
      await admin.make('networks', provider('vlan', 'physnet1', null)),
      await admin.make('networks', provider('vlan', null, null)),
    ];
    expect(made.map((network) => network['provider:segmentation_id']).sort()).toEqual([100, 101]);
    expect(made.map((network) => network['provider:physical_network'])).toEqual(['physnet1', 'physnet1']);
    await refused(provider('vlan', 'physnet1', null), 503, 'NoNetworkAvailable');
    await refused(provider('vlan', 'physnet2', null), 503, 'NoNetworkAvailable');
    await refused(provider('vlan', null, null), 503, 'NoNetworkAvailable');
    await admin.remove('networks', made[1]?.['id']);
    await admin.make('networks', provider('vlan', null, null));
  });

  it('is a VNI of the ranges, also one that was free for a moment only', async () => {
    await begin({ vniRanges: [{ lowest: 70, highest: 71 }] });
    const made = await admin.make('networks', provider('vxlan', null, null));
    const other = await admin.make('networks', provider('geneve', null, null));
    expect([made, other].map((network) => network['provider:segmentation_id']).sort()).toEqual([70, 71]);
    await refused(provider('vxlan', null, null), 503, 'NoNetworkAvailable');
    await admin.remove('networks', made['id']);
    expect(await admin.make('networks', provider('vxlan', null, null))).toMatchObject({
      'provider:segmentation_id': made['provider:segmentation_id'],
    });
  });

  it('is of the first type for tenants that has one; the tenant does not see it', async () => {
    await begin({ tenantTypes: ['vlan', 'geneve'] });
    const seen: unknown[] = [];
    for (let n = 0; n < 4; n++) {
      const network = await owner.make('networks', {});
      expect(Object.keys(network).filter((name) => name.startsWith('provider'))).toEqual([]);
      seen.push((await admin.show('networks', network['id']))['provider:network_type']);
    }
    expect(seen).toEqual(['vlan', 'vlan', 'geneve', 'geneve']);
  });
});

describe('the largest packet', () => {
  it('is that of the type', async () => {
    const physicalMtus = new Map([['physnet2', 1400]]);
    await begin({ physicalMtus });
    const cases: [asked: Json, mtu: number][] = [
      [local, 1500],
      [provider('flat', 'physnet1', null), 1500],
      [provider('vlan', 'physnet1', 7), 1500],
      [provider('vlan', 'physnet2', 7), 1400],
      [provider('vxlan', null, 7), 1450],
      [provider('geneve', null, 8), 1442],
    ];
    for (const [asked, mtu] of cases) {
      const network = await admin.make('networks', asked);
      expect(network).toMatchObject({ mtu });
      expect(await admin.change('networks', network['id'], { mtu: mtu - 1 })).toMatchObject({ mtu: mtu - 1 });
      expect(await admin.change('networks', network['id'], { mtu: 0 })).toMatchObject({ mtu });
      const larger = { network: { mtu: mtu + 1 } };
      const url = `/v2.0/networks/${String(network['id'])}`;
      expectRefusal(await admin.call('PUT', url, larger), 400, 'InvalidInput');
    }
    await begin({ overlayFamily: 6 });
    expect(await admin.make('networks', provider('vxlan', null, 9))).toMatchObject({ mtu: 1430 });
    expect(await admin.make('networks', provider('geneve', null, 10))).toMatchObject({ mtu: 1422 });
  });
});

describe('what an update changes', () => {
  const put = (network: Json, attributes: Json) =>
    admin.call('PUT', `/v2.0/networks/${String(network['id'])}`, { network: attributes });

  it('is nothing of a network that is no VLAN', async () => {
    for (const asked of [local, provider('flat', 'physnet1', null), provider('vxlan', null, 7)]) {
      const network = await admin.make('networks', asked);
      expectRefusal(await put(network, { 'provider:segmentation_id': 9 }), 400, 'InvalidInput');
      expectRefusal(await put(network, { 'provider:network_type': 'vlan' }), 400, 'InvalidInput');
      expectRefusal(await put(network, { 'provider:physical_network': 'physnet2' }), 400, 'InvalidInput');
      expect((await put(network, { ...asked, name: 'x' })).body['network']).toMatchObject({
        name: 'x',
        revision_number: 2,
      });
      expect((await put(network, asked)).body['network']).toMatchObject({ revision_number: 2 });
    }
  });

  it('is the VLAN, and nothing else', async () => {
    const network = await admin.make('networks', provider('vlan', 'physnet1', 7));
    const other = await admin.make('networks', provider('vlan', 'physnet1', 8));
    expectRefusal(await put(network, { 'provider:physical_network': 'physnet2' }), 400, 'InvalidInput');
    expectRefusal(await put(network, { 'provider:segmentation_id': 4095 }), 400, 'InvalidInput');
    expectRefusal(await put(network, { 'provider:segmentation_id': 8 }), 409, 'VlanIdInUse');
    expect((await put(network, { 'provider:segmentation_id': 9 })).body['network']).toMatchObject(
      provider('vlan', 'physnet1', 9),
    );
    expect((await put(other, { 'provider:segmentation_id': '7' })).body['network']).toMatchObject(
      provider('vlan', 'physnet1', 7),
    );
  });

  it('is for administrators to say', async () => {
    const reply = await owner.call('POST', '/v2.0/networks', {
      network: { 'provider:network_type': 'local' },
    });
    expectRefusal(reply, 403, 'PolicyNotAuthorized');
    const network = await owner.make('networks', {});
    const asked = { network: { 'provider:network_type': 'local' } };
    const url = `/v2.0/networks/${String(network['id'])}`;
    expectRefusal(await owner.call('PUT', url, asked), 403, 'PolicyNotAuthorized');
  });
});
