import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type TestReply,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { as, byName } from '../testing/people.ts';
import {
  addInterface,
  attached,
  expectWhole,
  networkWith,
  removeInterface,
  subnetOn,
} from '../testing/routed.ts';

let under: UnderTest;
let admin: TestClient;
let owner: TestClient;
let guest: TestClient;
let router: Json;
beforeEach(async () => {
  under = await openUnderTest('memory');
  const { api } = await under.server({ authenticator: byName });
  admin = as(api, 'admin');
  owner = as(api, 'owner');
  guest = as(api, 'guest');
  router = await owner.make('routers', {});
});
afterEach(async () => {
  await expectWhole(under);
  await under.close();
});

const idOf = (thing: Json): string => String(thing['id']);
const nowhere = '00000000-0000-4000-8000-000000000000';

describe('interfaces for subnets', () => {
  it('hold the gateway, unguarded and down, and are a revision of the router', async () => {
    const { network, subnet } = await networkWith(owner, '10.1.0.0/24');
    const { status, body } = await addInterface(owner, router, { subnet_id: subnet['id'] });
    expect(status).toBe(200);
    expect(body).toEqual({
      id: router['id'],
      project_id: 'own',
      tenant_id: 'own',
      port_id: expect.any(String),
      network_id: network['id'],
      subnet_id: subnet['id'],
      subnet_ids: [subnet['id']],
    });
    expect(await owner.show('ports', body['port_id'])).toMatchObject({
      name: '',
      project_id: 'own',
      device_id: router['id'],
      device_owner: 'network:router_interface',
      fixed_ips: [{ subnet_id: subnet['id'], ip_address: '10.1.0.1' }],
      port_security_enabled: false,
      security_groups: [],
      status: 'DOWN',
    });
    expect(await owner.list('ports', `device_id=${idOf(router)}`)).toHaveLength(1);
    expect(await owner.show('routers', router['id'])).toMatchObject({ revision_number: 2 });
    const gone = await removeInterface(owner, router, { subnet_id: subnet['id'] });
    expect(gone).toEqual({ status: 200, body });
    expect(await owner.list('ports')).toEqual([]);
    expect(await owner.show('routers', router['id'])).toMatchObject({ revision_number: 3 });
  });

  it('do not overlap on one router', async () => {
    const { subnet } = await networkWith(owner, '10.1.0.0/24');
    const { subnet: inner } = await networkWith(owner, '10.1.0.128/25');
    await attached(owner, router, subnet);
    const again = await addInterface(owner, router, { subnet_id: subnet['id'] });
    expect(expectRefusal(again, 400, 'BadRequest')).toBe(
      `Bad router request: Router already has a port on subnet ${idOf(subnet)}.`,
    );
    const within = await addInterface(owner, router, { subnet_id: inner['id'] });
    expect(expectRefusal(within, 400, 'BadRequest')).toBe(
      `Bad router request: Cidr 10.1.0.128/25 of subnet ${idOf(inner)} overlaps with cidr 10.1.0.0/24 ` +
        `of subnet ${idOf(subnet)}.`,
    );
    await attached(owner, await owner.make('routers', {}), inner);
  });

  it('are for subnets with a free gateway', async () => {
    const { network } = await networkWith(owner, '10.1.0.0/24');
    const bare = await subnetOn(owner, network, '10.2.0.0/24', { gateway_ip: null });
    const reply = await addInterface(owner, router, { subnet_id: bare['id'] });
    expect(expectRefusal(reply, 400, 'BadRequest')).toMatch(/must have a gateway IP/);
    const taken = await subnetOn(owner, network, '10.3.0.0/24');
    await attached(owner, await owner.make('routers', {}), taken);
    const second = await addInterface(owner, router, { subnet_id: taken['id'] });
    expectRefusal(second, 409, 'IpAddressAlreadyAllocated');
    const foreign = await subnetOn(owner, network, '2001:db8::/64', { ipv6_address_mode: 'slaac' });
    const announced = await addInterface(owner, router, { subnet_id: foreign['id'] });
    expect(expectRefusal(announced, 400, 'BadRequest')).toMatch(/RAs from an external router/);
  });

  it('have all IPv6 prefixes of a network on one port', async () => {
    const { network, subnet } = await networkWith(owner, '10.1.0.0/24');
    const first = await subnetOn(owner, network, '2001:db8:1::/64');
    const second = await subnetOn(owner, network, '2001:db8:2::/64', {
      ipv6_ra_mode: 'slaac',
      ipv6_address_mode: 'slaac',
    });
    const four = await attached(owner, router, subnet);
    const six = await attached(owner, router, first);
    const both = await attached(owner, router, second);
    expect(six['id']).not.toBe(four['id']);
    expect(both['id']).toBe(six['id']);
    expect(both['fixed_ips']).toEqual([
      { subnet_id: first['id'], ip_address: first['gateway_ip'] },
      { subnet_id: second['id'], ip_address: second['gateway_ip'] },
    ]);
    const removed = await removeInterface(owner, router, { subnet_id: first['id'] });
    expect(removed.body).toMatchObject({ port_id: six['id'], subnet_id: first['id'] });
    expect(await owner.show('ports', six['id'])).toMatchObject({
      fixed_ips: [{ subnet_id: second['id'] }],
    });
    await removeInterface(owner, router, { subnet_id: second['id'] });
    expect(await owner.list('ports', `device_id=${idOf(router)}`)).toHaveLength(1);
  });

  it('need a subnet that the caller sees and may be the gateway of', async () => {
    const { network, subnet } = await networkWith(admin, '10.1.0.0/24');
    const ask = (): Promise<TestReply> => addInterface(owner, router, { subnet_id: subnet['id'] });
    expectRefusal(await ask(), 404, 'SubnetNotFound');
    await admin.change('networks', network['id'], { shared: true });
    expect(expectRefusal(await ask(), 400, 'BadRequest')).toMatch(/not owned by project making the request/);
    await admin.change('networks', network['id'], { shared: false });
    await admin.make('rbac-policies', {
      object_type: 'network',
      object_id: network['id'],
      action: 'access_as_shared',
      target_tenant: 'own',
    });
    expect((await ask()).status).toBe(200);
  });

  it('say what is wrong with a body', async () => {
    const texts = async (body: Json): Promise<string> =>
      expectRefusal(await addInterface(owner, router, body), 400, 'BadRequest');
    expect(await texts({})).toBe('Bad router request: Either subnet_id or port_id must be specified.');
    expect(await texts({ port_id: 'x' })).toBe("Bad router request: 'x' is not a valid UUID.");
    expect(await texts({ subnet_id: 7 })).toBe("Bad router request: '7' is not a valid UUID.");
    expect(await texts({ subnet_id: nowhere, port_id: nowhere })).toMatch(/Cannot specify both/);
    expectRefusal(await addInterface(owner, router, { subnet_id: nowhere }), 404, 'SubnetNotFound');
    expectRefusal(await addInterface(owner, router, { port_id: nowhere }), 404, 'PortNotFound');
    expectRefusal(await removeInterface(owner, router, { subnet_id: nowhere }), 404, 'SubnetNotFound');
    expect(
      expectRefusal(
        await removeInterface(owner, router, { port_id: nowhere }),
        404,
        'RouterInterfaceNotFound',
      ),
    ).toBe(`Router ${idOf(router)} does not have an interface with id ${nowhere}`);
    const { subnet } = await networkWith(owner, '10.1.0.0/24');
    const absent = await removeInterface(owner, router, { subnet_id: subnet['id'] });
    expect(expectRefusal(absent, 404, 'RouterInterfaceNotFoundForSubnet')).toBe(
      `Router ${idOf(router)} has no interface on subnet ${idOf(subnet)}`,
    );
  });
});

describe('ports as interfaces', () => {
  it('are taken as they are, guards and all, and go with the interface', async () => {
    const { network, subnet } = await networkWith(owner, '10.1.0.0/24');
    const port = await owner.make('ports', { network_id: network['id'], name: 'p' });
    const { status, body } = await addInterface(owner, router, { port_id: port['id'] });
    expect({ status, body }).toMatchObject({
      status: 200,
      body: { subnet_id: subnet['id'], project_id: 'own', tenant_id: 'own' },
    });
    const kept = {
      device_owner: 'network:router_interface',
      device_id: router['id'],
      fixed_ips: port['fixed_ips'],
      port_security_enabled: true,
      security_groups: port['security_groups'],
    };
    expect(await owner.show('ports', port['id'])).toMatchObject(kept);
    expect(await owner.change('ports', port['id'], { name: 'q' })).toMatchObject(kept);
    const again = await addInterface(owner, router, { port_id: port['id'] });
    expect(expectRefusal(again, 409, 'PortInUse')).toBe(
      `Unable to complete operation on port ${idOf(port)} for network ${idOf(network)}. ` +
        `Port already has an attached device ${idOf(router)}.`,
    );
    const other = await networkWith(owner, '10.2.0.0/24');
    const mismatch = { port_id: port['id'], subnet_id: other.subnet['id'] };
    expectRefusal(await removeInterface(owner, router, mismatch), 400, 'SubnetMismatchForPort');
    expect((await removeInterface(owner, router, { port_id: port['id'] })).status).toBe(200);
    expectRefusal(await owner.call('GET', `/v2.0/ports/${idOf(port)}`), 404, 'PortNotFound');
  });

  it('have addresses, of one IPv4 subnet, and one port has the IPv6 ones of a network', async () => {
    const { network, subnet } = await networkWith(owner, '10.1.0.0/24');
    const second = await subnetOn(owner, network, '10.2.0.0/24');
    const six = await subnetOn(owner, network, '2001:db8::/64');
    const port = (...subnets: Json[]): Promise<Json> =>
      owner.make('ports', {
        network_id: network['id'],
        fixed_ips: subnets.map((one) => ({ subnet_id: one['id'] })),
      });
    const text = async (made: Json): Promise<string> =>
      expectRefusal(await addInterface(owner, router, { port_id: made['id'] }), 400, 'BadRequest');
    expect(await text(await port())).toMatch(/at least one fixed IP/);
    expect(await text(await port(subnet, second))).toMatch(/multiple IPv4 subnets/);
    await attached(owner, router, six);
    const another = await subnetOn(owner, network, '2001:db8:1::/64');
    expect(await text(await port(another))).toMatch(/multiple router ports with the same network id/);
  });

  it('are the caller’s, with addresses that anybody might get', async () => {
    const { network, subnet } = await networkWith(admin, '10.1.0.0/24', { shared: true });
    const foreign = await guest.make('ports', { network_id: network['id'] });
    expectRefusal(await addInterface(owner, router, { port_id: foreign['id'] }), 404, 'PortNotFound');
    const own = await owner.make('ports', { network_id: network['id'] });
    expect((await addInterface(owner, router, { port_id: own['id'] })).status).toBe(200);
    await removeInterface(owner, router, { port_id: own['id'] });
    const gateway = await admin.make('ports', {
      network_id: network['id'],
      project_id: 'own',
      fixed_ips: [{ subnet_id: subnet['id'], ip_address: '10.1.0.1' }],
    });
    const reply = await addInterface(owner, router, { port_id: gateway['id'] });
    expect(expectRefusal(reply, 400, 'BadRequest')).toMatch(/out of the allocation pool/);
  });
});

describe('what a router holds', () => {
  it('stays until the router lets go', async () => {
    const { network, subnet } = await networkWith(owner, '10.1.0.0/24');
    const port = await attached(owner, router, subnet);
    const refused = async (url: string, status: number, type: string): Promise<string> =>
      expectRefusal(await owner.call('DELETE', `/v2.0/${url}`), status, type);
    expect(await refused(`ports/${idOf(port)}`, 409, 'ServicePortInUse')).toBe(
      `Port ${idOf(port)} cannot be deleted directly via the port API: has device owner network:router_interface.`,
    );
    await refused(`subnets/${idOf(subnet)}`, 409, 'SubnetInUse');
    await refused(`networks/${idOf(network)}`, 409, 'NetworkInUse');
    expect(await refused(`routers/${idOf(router)}`, 409, 'RouterInUse')).toBe(
      `Router ${idOf(router)} has ports still attached: ${idOf(port)}`,
    );
    const put = await owner.call('PUT', `/v2.0/subnets/${idOf(subnet)}`, {
      subnet: { gateway_ip: '10.1.0.9' },
    });
    expectRefusal(put, 409, 'GatewayIpInUse');
    await removeInterface(owner, router, { subnet_id: subnet['id'] });
    await owner.remove('routers', router['id']);
    await owner.remove('networks', network['id']);
  });

  it('is no other device’s, and no other router’s port is anybody’s', async () => {
    const { network, subnet } = await networkWith(owner, '10.1.0.0/24');
    const port = await attached(owner, router, subnet);
    for (const change of [{ device_id: '' }, { device_owner: '' }, { device_owner: 'network:dhcp' }]) {
      const reply = await owner.call('PUT', `/v2.0/ports/${idOf(port)}`, { port: change });
      expectRefusal(reply, 409, 'ServicePortInUse');
    }
    const others = await guest.make('routers', {});
    const claim = { device_id: others['id'], device_owner: 'network:router_interface' };
    const body = { port: { network_id: network['id'], ...claim } };
    expectRefusal(await owner.call('POST', '/v2.0/ports', body), 409, 'DeviceIDNotOwnedByTenant');
    const plain = await owner.make('ports', { network_id: network['id'] });
    const put = await owner.call('PUT', `/v2.0/ports/${idOf(plain)}`, { port: claim });
    expectRefusal(put, 409, 'DeviceIDNotOwnedByTenant');
  });

  it('moves within what a new one might have, and goes without addresses', async () => {
    const { network, subnet } = await networkWith(owner, '10.1.0.0/24');
    const { subnet: near } = await networkWith(owner, '10.2.0.0/24');
    const inner = await subnetOn(owner, network, '10.2.0.0/25');
    const port = await attached(owner, router, subnet);
    await attached(owner, router, near);
    const move = (...ips: Json[]): Promise<TestReply> =>
      owner.call('PUT', `/v2.0/ports/${idOf(port)}`, { port: { fixed_ips: ips } });
    expect((await move({ subnet_id: subnet['id'], ip_address: '10.1.0.9' })).status).toBe(200);
    expectRefusal(await move({ subnet_id: inner['id'] }), 400, 'BadRequest');
    expect((await move()).status).toBe(200);
    await owner.remove('ports', port['id']);
    await removeInterface(owner, router, { subnet_id: near['id'] });
    await owner.remove('routers', router['id']);
  });
});

describe('requests that race', () => {
  it('do not bring overlapping subnets to one router', async () => {
    const other = as((await under.server({ authenticator: byName })).api, 'owner');
    const made = await Promise.all(
      ['10.1.0.0/24', '10.1.0.0/25', '10.1.0.0/16'].map((cidr) => networkWith(owner, cidr)),
    );
    const replies = await Promise.all(
      made.flatMap(({ subnet }) =>
        [owner, other].map((client) => addInterface(client, router, { subnet_id: subnet['id'] })),
      ),
    );
    expect(replies.map((reply) => reply.status).toSorted()).toEqual([200, 400, 400, 400, 400, 400]);
    expect(await owner.list('ports', `device_id=${idOf(router)}`)).toHaveLength(1);
  });

  it('leave a port with one of two routers, and none with one that has gone', async () => {
    const other = as((await under.server({ authenticator: byName })).api, 'owner');
    const { network } = await networkWith(owner, '10.1.0.0/24');
    const second = await owner.make('routers', {});
    const port = await owner.make('ports', { network_id: network['id'] });
    const replies = await Promise.all([
      addInterface(owner, router, { port_id: port['id'] }),
      addInterface(other, second, { port_id: port['id'] }),
      other.call('DELETE', `/v2.0/ports/${idOf(port)}`),
      owner.call('DELETE', `/v2.0/routers/${idOf(second)}`),
    ]);
    const [first, next] = replies;
    expect([first?.status, next?.status].filter((status) => status === 200).length).toBeLessThan(2);
    for (const reply of replies) expect(reply.status).toBeLessThan(500);
  });
});
