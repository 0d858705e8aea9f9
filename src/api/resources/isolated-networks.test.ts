/** Isolated networks by Portcullis' word and by Neutron's `pvlan`: roles of ports, their defaults, rights and refusals. */
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
let stranger: TestClient;
beforeEach(async () => {
  under = await openUnderTest('memory');
  const { api } = await under.server({ authenticator: byName });
  admin = as(api, 'admin');
  owner = as(api, 'owner');
  stranger = as(api, 'stranger');
});
afterEach(async () => {
  expect((await admin.call('GET', '/v1/check')).body).toMatchObject({ count: 0 });
  await under.close();
});

const port = (network: Json, more: Json = {}): Promise<Json> =>
  owner.make('ports', { network_id: network['id'], ...more });

const change = (path: string, { id }: Json, wanted: Json) =>
  owner.call('PUT', `/v2.0/${path}/${String(id)}`, { [path.slice(0, -1)]: wanted });

async function refused(path: string, wanted: Json, type: string, of?: Json): Promise<void> {
  const before = await under.content();
  const reply =
    of === undefined
      ? await owner.call('POST', `/v2.0/${path}`, { [path.slice(0, -1)]: wanted })
      : await change(path, of, wanted);
  expectRefusal(reply, 400, type);
  const lasting = (content: typeof before) =>
    content.filter(([key]) => !/^(groups|rules|default-groups)\//.test(key));
  expect(lasting(await under.content())).toEqual(lasting(before));
}

const role = (type: string | null, community: string | null = null) => ({
  pvlan_type: type,
  pvlan_community: community,
});

describe('a network', () => {
  it('is isolated by either word, and shows both', async () => {
    const plain = await owner.make('networks', {});
    expect(plain).toMatchObject({ isolated: false, pvlan: false, isolated_hairpin: false });
    for (const word of ['isolated', 'pvlan']) {
      const made = await owner.make('networks', { [word]: true });
      expect(made).toMatchObject({ isolated: true, pvlan: true });
      expect(Object.keys(made)).not.toContain('hairpin');
    }
    expect(await owner.list('networks', 'pvlan=True')).toHaveLength(2);
    expect(await owner.list('networks', 'isolated=false')).toHaveLength(1);
    expect((await change('networks', plain, { isolated: true, isolated_hairpin: true })).status).toBe(200);
    expect(await owner.show('networks', plain['id'])).toMatchObject({ pvlan: true, isolated_hairpin: true });
    expect((await change('networks', plain, { pvlan: false })).status).toBe(200);
    expect(await owner.show('networks', plain['id'])).toMatchObject({
      isolated: false,
      isolated_hairpin: true,
    });
    await refused('networks', { isolated: true, pvlan: false }, 'InvalidInput');
  });

  it('is no pvlan without port security, and trusts a physical network by an administrator only', async () => {
    await refused(
      'networks',
      { pvlan: true, port_security_enabled: false },
      'PVLANNetworkPortSecurityDisabled',
    );
    const open = await owner.make('networks', { port_security_enabled: false });
    await refused('networks', { pvlan: true }, 'PVLANNetworkPortSecurityDisabled', open);
    expect((await change('networks', open, { isolated: true })).status).toBe(200);
    expect((await change('networks', open, { physical_promiscuous: true })).status).toBe(403);
  });

  it('has a gateway that is no port, by its MAC', async () => {
    const network = await owner.make('networks', { isolated: true });
    const subnet = { network_id: network['id'], ip_version: 4, cidr: '192.0.2.0/24' };
    const made = await owner.make('subnets', { ...subnet, gateway_mac: '02-00-00-00-00-FE' });
    expect(made).toMatchObject({ gateway_mac: '02:00:00:00:00:fe' });
    expect((await change('subnets', made, { gateway_mac: null })).status).toBe(200);
    expect(await owner.show('subnets', made['id'])).toMatchObject({ gateway_mac: null });
    await refused('subnets', { gateway_mac: '01:00:00:00:00:fe' }, 'HTTPBadRequest', made);
  });
});

describe('a port', () => {
  it('has no role elsewhere', async () => {
    const network = await owner.make('networks', {});
    const made = await port(network);
    expect(made).toMatchObject(role(null));
    for (const wanted of [{ pvlan_type: 'isolated' }, { pvlan_community: 'red' }]) {
      await refused('ports', { network_id: network['id'], ...wanted }, 'PVLANNotEnabledOnNetwork');
      await refused('ports', wanted, 'PVLANNotEnabledOnNetwork', made);
    }
  });

  it('is isolated by default, and promiscuous where Neutron made the network', async () => {
    const [isolated, pvlan] = [
      await owner.make('networks', { isolated: true }),
      await owner.make('networks', { pvlan: true }),
    ];
    expect(await port(isolated)).toMatchObject(role('isolated'));
    expect(await port(pvlan)).toMatchObject(role('promiscuous'));
    expect(await port(isolated, { device_owner: 'network:dhcp' })).toMatchObject(role('promiscuous'));
    expect(await port(isolated, { port_security_enabled: false })).toMatchObject(role('isolated'));
    await refused(
      'ports',
      { network_id: pvlan['id'], port_security_enabled: false },
      'PVLANPortSecurityDisabled',
    );
    const service = { network_id: isolated['id'], device_owner: 'network:dhcp', pvlan_type: 'isolated' };
    await refused('ports', service, 'PVLANUnsupportedType');
  });

  it('changes its role, as upstream asks for', async () => {
    const network = await owner.make('networks', { pvlan: true });
    const made = await port(network, { pvlan_type: 'promiscuous' });
    const becomes = async (wanted: Json, shown: Json) => {
      expect((await change('ports', made, wanted)).status).toBe(200);
      expect(await owner.show('ports', made['id'])).toMatchObject(shown);
    };
    await becomes({ pvlan_type: 'isolated' }, role('isolated'));
    await becomes(
      { pvlan_type: 'community', pvlan_community: 'community_1' },
      role('community', 'community_1'),
    );
    await becomes({ pvlan_community: 'community_2' }, role('community', 'community_2'));
    await becomes({ pvlan_type: 'community' }, role('community', 'community_2'));
    await becomes({ name: 'x' }, role('community', 'community_2'));
    await becomes({ pvlan_type: 'isolated' }, role('isolated'));
    await becomes({ pvlan_type: null }, role('promiscuous'));
    await refused('ports', { pvlan_type: 'community' }, 'PVLANCommunityNameRequired', made);
    await refused('ports', { pvlan_community: 'red' }, 'PVLANCannotSetCommunityName', made);
    const both = { pvlan_type: 'isolated', pvlan_community: 'red' };
    await refused('ports', both, 'PVLANCannotSetCommunityName', made);
    await refused(
      'ports',
      { port_security_enabled: false, security_groups: [] },
      'PVLANPortSecurityDisabled',
      made,
    );
    for (const wanted of [{ pvlan_type: 'open' }, { pvlan_type: 'community', pvlan_community: '1-a' }])
      await refused('ports', wanted, 'HTTPBadRequest', made);
    expect(await owner.list('ports', 'pvlan_type=promiscuous')).toHaveLength(1);
  });

  it('without a role becomes promiscuous when Neutron isolates its network, and isolated otherwise', async () => {
    for (const [word, shown] of [
      ['pvlan', 'promiscuous'],
      ['isolated', 'isolated'],
    ] as const) {
      const network = await owner.make('networks', {});
      const made = await port(network);
      expect((await change('networks', network, { [word]: true })).status).toBe(200);
      expect(await owner.show('ports', made['id'])).toMatchObject(role(shown));
      expect((await change('networks', network, { [word]: false })).status).toBe(200);
      expect(await owner.show('ports', made['id'])).toMatchObject(role(null));
    }
  });

  it("of somebody else's shared network gets its role from the network's owner", async () => {
    const network = await admin.make('networks', { isolated: true, shared: true });
    const asked = { network_id: network['id'], pvlan_type: 'promiscuous' };
    expect((await stranger.call('POST', '/v2.0/ports', { port: asked })).status).toBe(403);
    const made = await stranger.make('ports', { network_id: network['id'] });
    expect(made).toMatchObject(role('isolated'));
    const wanted = { port: { pvlan_type: 'promiscuous' } };
    expect((await stranger.call('PUT', `/v2.0/ports/${String(made['id'])}`, wanted)).status).toBe(403);
    expect((await admin.call('PUT', `/v2.0/ports/${String(made['id'])}`, wanted)).status).toBe(200);
  });

  it('of a router reaches all only where the owner of the network attaches it', async () => {
    const network = await admin.make('networks', { isolated: true });
    for (const [object, who] of [[network, 'foreign']] as const)
      await admin.make('rbac-policies', {
        object_type: 'network',
        object_id: object['id'],
        action: 'access_as_shared',
        target_tenant: who,
      });
    const subnet = await admin.make('subnets', {
      network_id: network['id'],
      ip_version: 4,
      cidr: '192.0.2.0/24',
    });
    const attach = (who: TestClient, router: Json, body: Json) =>
      who.call('PUT', `/v2.0/routers/${String(router['id'])}/add_router_interface`, body);
    const own = await stranger.make('routers', {});
    expectRefusal(await attach(stranger, own, { subnet_id: subnet['id'] }), 400, 'BadRequest');
    const theirs = await stranger.make('ports', { network_id: network['id'] });
    expect((await attach(stranger, own, { port_id: theirs['id'] })).status).toBe(200);
    expect(await stranger.show('ports', theirs['id'])).toMatchObject(role('isolated'));
    const ours = await admin.make('ports', { network_id: network['id'] });
    expect((await attach(admin, await admin.make('routers', {}), { port_id: ours['id'] })).status).toBe(200);
    expect(await admin.show('ports', ours['id'])).toMatchObject(role('promiscuous'));
    const served = await attach(admin, await admin.make('routers', {}), { subnet_id: subnet['id'] });
    expect(await admin.show('ports', served.body['port_id'])).toMatchObject(role('promiscuous'));
  });
});
