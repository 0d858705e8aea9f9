import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../../model/keys.ts';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { livingHost } from '../testing/hosts.ts';

let under: UnderTest;
let client: TestClient;
let network: Json;
let subnet: Json;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
  network = await client.make('networks', {});
  subnet = await client.make('subnets', { network_id: network['id'], ip_version: 4, cidr: '10.0.0.0/24' });
});
afterEach(() => under.close());

const make = (attributes: Json = {}) => client.make('ports', { network_id: network['id'], ...attributes });
const post = (attributes: Json) =>
  client.call('POST', '/v2.0/ports', { port: { network_id: network['id'], ...attributes } });
const put = (id: unknown, attributes: Json) =>
  client.call('PUT', `/v2.0/ports/${String(id)}`, { port: attributes });
const addressesOf = (port: Json) =>
  (port['fixed_ips'] as { ip_address: string }[]).map((ip) => ip.ip_address);
const unknownId = '3b0a6f4e-5d1a-4a53-8f0c-0d9f3ac5a111';

describe('ports', () => {
  it("have Neutron's defaults, an address, a MAC and the default group", async () => {
    const port = await make();
    expect(port).toMatchObject({
      name: '',
      admin_state_up: true,
      status: 'DOWN',
      device_id: '',
      device_owner: '',
      fixed_ips: [{ subnet_id: subnet['id'], ip_address: '10.0.0.2' }],
      allowed_address_pairs: [],
      port_security_enabled: true,
      port_security_mode: 'strict',
      dhcp_trusted: false,
      'binding:host_id': '',
      'binding:vif_type': 'unbound',
      'binding:vif_details': {},
      'binding:vnic_type': 'normal',
      'binding:profile': {},
      revision_number: 1,
    });
    expect(port['mac_address']).toMatch(/^fa:16:3e(:[0-9a-f]{2}){3}$/);
    const [group] = await client.list('security-groups', 'name=default');
    expect(port['security_groups']).toEqual([group?.['id']]);
  });

  it('take what the network says as a template', async () => {
    await client.change('networks', network['id'], {
      port_security_enabled: false,
      port_security_mode: 'mac-only',
      dhcp_trusted: true,
    });
    expect(await make()).toMatchObject({
      port_security_enabled: false,
      port_security_mode: 'mac-only',
      dhcp_trusted: true,
      security_groups: [],
    });
    expect(await make({ port_security_enabled: true, port_security_mode: 'strict' })).toMatchObject({
      port_security_enabled: true,
      port_security_mode: 'strict',
    });
  });

  it('get the addresses that they name', async () => {
    expect(addressesOf(await make({ fixed_ips: [] }))).toEqual([]);
    expect(addressesOf(await make({ fixed_ips: [{ ip_address: '10.0.0.9' }] }))).toEqual(['10.0.0.9']);
    const both = { subnet_id: subnet['id'], ip_address: '10.0.0.10' };
    expect(addressesOf(await make({ fixed_ips: [both, { subnet_id: subnet['id'] }] }))).toEqual([
      '10.0.0.10',
      '10.0.0.2',
    ]);
  });

  it('get one address of each family', async () => {
    await client.make('subnets', { network_id: network['id'], ip_version: 6, cidr: 'fd00::/64' });
    await client.make('subnets', {
      network_id: network['id'],
      ip_version: 6,
      cidr: 'fd01::/64',
      ipv6_address_mode: 'slaac',
    });
    expect(addressesOf(await make({ mac_address: 'fa:16:3e:00:00:0a' }))).toEqual([
      '10.0.0.2',
      'fd00::2',
      'fd01::f816:3eff:fe00:a',
    ]);
  });

  const refused: readonly [string, number, string, () => Json][] = [
    ['an unknown network', 404, 'NetworkNotFound', () => ({ network_id: unknownId })],
    [
      'an address of no subnet',
      400,
      'InvalidIpForNetwork',
      () => ({ fixed_ips: [{ ip_address: '10.9.0.9' }] }),
    ],
    [
      'the broadcast address',
      400,
      'InvalidIpForNetwork',
      () => ({ fixed_ips: [{ ip_address: '10.0.0.255' }] }),
    ],
    [
      'an address outside the subnet it names',
      400,
      'InvalidIpForSubnet',
      () => ({ fixed_ips: [{ subnet_id: subnet['id'], ip_address: '10.9.0.9' }] }),
    ],
    ['an unknown subnet', 404, 'SubnetNotFound', () => ({ fixed_ips: [{ subnet_id: unknownId }] })],
    [
      'an address twice',
      400,
      'HTTPBadRequest',
      () => ({ fixed_ips: [{ ip_address: '10.0.0.9' }, { ip_address: '10.0.0.9' }] }),
    ],
    ['addresses that are no list', 400, 'HTTPBadRequest', () => ({ fixed_ips: { ip_address: '10.0.0.9' } })],
    [
      'an address with a leading zero',
      400,
      'HTTPBadRequest',
      () => ({ fixed_ips: [{ ip_address: '010.0.0.9' }] }),
    ],
    ['a zero MAC', 400, 'HTTPBadRequest', () => ({ mac_address: '00:00:00:00:00:00' })],
    ['the broadcast MAC', 400, 'HTTPBadRequest', () => ({ mac_address: 'ff:ff:ff:ff:ff:ff' })],
    ['a MAC that is none', 400, 'HTTPBadRequest', () => ({ mac_address: 'fa:16:3e' })],
    ['an unknown group', 404, 'SecurityGroupNotFound', () => ({ security_groups: [unknownId] })],
    ['groups that are no list', 400, 'HTTPBadRequest', () => ({ security_groups: unknownId })],
    ['an unknown attribute', 400, 'HTTPBadRequest', () => ({ __proto__x: 1 })],
    ['a status', 400, 'HTTPBadRequest', () => ({ status: 'ACTIVE' })],
    ['a profile without end', 400, 'HTTPBadRequest', () => ({ 'binding:profile': { a: 'x'.repeat(5000) } })],
    ['no name', 400, 'HTTPBadRequest', () => ({ name: null })],
    ['a name of another type', 400, 'HTTPBadRequest', () => ({ name: 5 })],
    ['a name that is too long', 400, 'HTTPBadRequest', () => ({ name: 'x'.repeat(256) })],
    ['a state of another type', 400, 'InvalidInput', () => ({ admin_state_up: 'maybe' })],
    ['another mode', 400, 'HTTPBadRequest', () => ({ port_security_mode: 'lax' })],
  ];
  it.each(refused)('refuse %s', async (_, status, type, attributes) => {
    await make();
    const before = await under.content();
    expectRefusal(await post(attributes()), status, type);
    expect(await under.content()).toEqual(before);
  });

  it('refuse taken addresses and MACs, and a full pool', async () => {
    const port = await make({ mac_address: 'fa:16:3e:00:00:01' });
    expectRefusal(await post({ fixed_ips: [{ ip_address: '10.0.0.2' }] }), 409, 'IpAddressAlreadyAllocated');
    expectRefusal(await post({ mac_address: 'FA:16:3E:00:00:01' }), 409, 'MacAddressInUse');
    const other = await client.make('networks', {});
    await make({ network_id: other['id'], mac_address: port['mac_address'] });
    await client.make('subnets', {
      network_id: other['id'],
      ip_version: 4,
      cidr: '10.5.0.0/24',
      allocation_pools: [{ start: '10.5.0.7', end: '10.5.0.8' }],
    });
    const [first] = [await make({ network_id: other['id'] }), await make({ network_id: other['id'] })];
    const full = expectRefusal(await post({ network_id: other['id'] }), 409, 'IpAddressGenerationFailure');
    expect(full).toBe(`No more IP addresses available on network ${String(other['id'])}.`);
    await client.remove('ports', first?.['id']);
    expect(addressesOf(await make({ network_id: other['id'] }))).toEqual(['10.5.0.7']);
  });

  it('replace their addresses, keeping what stays', async () => {
    const port = await make();
    const second = {
      fixed_ips: [{ subnet_id: subnet['id'], ip_address: '10.0.0.2' }, { ip_address: '10.0.0.50' }],
    };
    expect(addressesOf(await client.change('ports', port['id'], second))).toEqual(['10.0.0.2', '10.0.0.50']);
    expect(
      addressesOf(await client.change('ports', port['id'], { fixed_ips: [{ subnet_id: subnet['id'] }] })),
    ).toEqual(['10.0.0.2']);
    expect(addressesOf(await make({ fixed_ips: [{ ip_address: '10.0.0.50' }] }))).toEqual(['10.0.0.50']);
    expectRefusal(
      await put(port['id'], { fixed_ips: [{ ip_address: '10.0.0.50' }] }),
      409,
      'IpAddressAlreadyAllocated',
    );
    expect(addressesOf(await client.change('ports', port['id'], { fixed_ips: [] }))).toEqual([]);
  });

  it('are what their binding says', async () => {
    const port = await make();
    const id = String(port['id']);
    await under.store.txn(
      [],
      [
        ...livingHost('h1', { bridge: 'br-int', datapath_type: 'netdev' }),
        {
          op: 'put',
          key: keys.binding(String(network['id']), id),
          value: JSON.stringify({ host: 'h1', status: 'DOWN' }),
        },
        {
          op: 'put',
          key: keys.linkLocal(String(network['id']), 'fe80::1'),
          value: JSON.stringify({ port: id, mac: 'x' }),
        },
      ],
    );
    await client.call('GET', '/v1/sync?timeout=0.01');
    expect(await client.show('ports', id)).toMatchObject({
      status: 'DOWN',
      'binding:host_id': '',
      'binding:vif_type': 'unbound',
      'binding:vif_details': {},
    });
    const active = JSON.stringify({ host: 'h1', status: 'ACTIVE' });
    await under.store.txn([], [{ op: 'put', key: keys.binding(String(network['id']), id), value: active }]);
    await client.call('GET', '/v1/sync?timeout=0.01');
    expect(await client.show('ports', id)).toMatchObject({
      status: 'ACTIVE',
      'binding:host_id': 'h1',
      'binding:vif_type': 'ovs',
      'binding:vif_details': {
        port_filter: true,
        ovs_hybrid_plug: false,
        connectivity: 'l2',
        bridge_name: 'br-int',
        datapath_type: 'netdev',
      },
    });
    expect(await client.list('ports', 'status=ACTIVE&binding:host_id=h1')).toHaveLength(1);
    const moved = JSON.stringify({ bridge: 'br-x', datapath_type: 'netdev' });
    await under.store.txn([], [{ op: 'put', key: keys.bridge('h1'), value: moved }]);
    await client.call('GET', '/v1/sync?timeout=0.01');
    expect(await client.show('ports', id)).toMatchObject({ 'binding:vif_details': { bridge_name: 'br-x' } });
    expectRefusal(await put(id, { mac_address: 'fa:16:3e:00:00:99' }), 409, 'PortBound');
    await client.remove('ports', id);
    const left = (await under.content()).filter(([key]) =>
      /^(ports|taken|bindings|link-locals|uses)\//.test(key),
    );
    expect(left).toEqual([]);
  });

  it('are created in bulk, all or none', async () => {
    const three = [{}, { fixed_ips: [{ ip_address: '10.0.0.2' }] }, {}].map((more) => ({
      network_id: network['id'],
      ...more,
    }));
    const good = await client.call('POST', '/v2.0/ports', { ports: three });
    expect(good.status).toBe(201);
    expect((good.body['ports'] as Json[]).flatMap(addressesOf)).toEqual(['10.0.0.3', '10.0.0.2', '10.0.0.4']);
    const before = await under.content();
    const bad = await client.call('POST', '/v2.0/ports', { ports: [three[0], three[1]] });
    expectRefusal(bad, 409, 'IpAddressAlreadyAllocated');
    const twins = [1, 2].map(() => ({ network_id: network['id'], mac_address: 'fa:16:3e:00:00:01' }));
    expectRefusal(await client.call('POST', '/v2.0/ports', { ports: twins }), 409, 'MacAddressInUse');
    expect(await under.content()).toEqual(before);
  });
});

describe('port security', () => {
  it("is off for the network's own ports, whatever they say", async () => {
    const port = await make({ device_owner: 'network:dhcp', port_security_enabled: true });
    expect(port).toMatchObject({ port_security_enabled: false, security_groups: [] });
    expect(await client.change('ports', port['id'], { port_security_enabled: true })).toMatchObject({
      port_security_enabled: false,
    });
  });

  it('cannot be left while groups or pairs remain', async () => {
    const port = await make();
    expectRefusal(
      await put(port['id'], { port_security_enabled: false }),
      409,
      'PortSecurityPortHasSecurityGroup',
    );
    const off = await client.change('ports', port['id'], {
      port_security_enabled: false,
      security_groups: [],
    });
    expect(off).toMatchObject({ port_security_enabled: false, security_groups: [] });
    const pairs = [{ ip_address: '10.0.0.77' }];
    expectRefusal(
      await put(port['id'], { allowed_address_pairs: pairs }),
      409,
      'AddressPairAndPortSecurityRequired',
    );
    const [group] = await client.list('security-groups');
    expectRefusal(
      await put(port['id'], { security_groups: [group?.['id']] }),
      400,
      'PortSecurityAndIPRequiredForSecurityGroups',
    );
    await client.change('ports', port['id'], { port_security_enabled: true, allowed_address_pairs: pairs });
    expectRefusal(
      await put(port['id'], { port_security_enabled: false }),
      409,
      'AddressPairAndPortSecurityRequired',
    );
    await client.change('ports', port['id'], { port_security_enabled: false, allowed_address_pairs: [] });
  });

  it('is needed for groups and pairs at creation', async () => {
    const [group] = await client.list('security-groups');
    const off = { port_security_enabled: false };
    expectRefusal(
      await post({ ...off, security_groups: [group?.['id']] }),
      400,
      'PortSecurityAndIPRequiredForSecurityGroups',
    );
    const pairs = { allowed_address_pairs: [{ ip_address: '10.0.0.77' }] };
    expectRefusal(await post({ ...off, ...pairs }), 409, 'AddressPairAndPortSecurityRequired');
    expect(await make({ ...off, security_groups: [], allowed_address_pairs: [] })).toMatchObject(off);
  });
});

describe('allowed address pairs', () => {
  it("keep the address as sent, get the port's MAC, and are replaced as a whole", async () => {
    const port = await make();
    const sent = [
      { ip_address: '10.0.0.200' },
      { ip_address: '10.1.7.9/16', mac_address: '02:00:00:00:00:AB' },
    ];
    expect(await client.change('ports', port['id'], { allowed_address_pairs: sent })).toMatchObject({
      allowed_address_pairs: [
        { ip_address: '10.0.0.200', mac_address: port['mac_address'] },
        { ip_address: '10.1.7.9/16', mac_address: '02:00:00:00:00:ab' },
      ],
      revision_number: 2,
    });
    expect(await client.list('ports', 'allowed_address_pairs=ip_address=10.0.0.200')).toHaveLength(1);
    expect(await client.change('ports', port['id'], { allowed_address_pairs: null })).toMatchObject({
      allowed_address_pairs: [],
    });
    const everything = [{ ip_address: '0.0.0.0/0' }, { ip_address: '::/0' }, { ip_address: '10.0.0.2' }];
    expect((await make({ allowed_address_pairs: everything }))['allowed_address_pairs']).toHaveLength(3);
  });

  it('name no reserved address, unless the network lends them or the port has it', async () => {
    const fixed_ips = [{ ip_address: '10.0.0.7' }];
    await make({ device_owner: 'network:router_interface', mac_address: '00:00:5e:00:07:aa', fixed_ips });
    const port = await make();
    const eui64 = 'fe80::200:5eff:fe00:7aa';
    for (const ip_address of ['10.0.0.1', '10.0.0.1/32', '10.0.0.7', '169.254.169.254', eui64]) {
      const pairs = { allowed_address_pairs: [{ ip_address }] };
      expectRefusal(await put(port['id'], pairs), 400, 'AddressPairReserved');
      expectRefusal(await post(pairs), 400, 'AddressPairReserved');
    }
    const gateway = { allowed_address_pairs: [{ ip_address: '10.0.0.1' }] };
    await make({ ...gateway, fixed_ips: [{ ip_address: '10.0.0.1' }] });
    await client.change('networks', network['id'], { allow_reserved_pairs: true });
    expect(await client.change('ports', port['id'], gateway)).toMatchObject({
      allowed_address_pairs: [{ ip_address: '10.0.0.1' }],
    });
    // What was allowed does not stand in the way of other changes later.
    await client.change('networks', network['id'], { allow_reserved_pairs: false });
    expect(await client.change('ports', port['id'], { name: 'x' })).toMatchObject({ name: 'x' });
  });

  it("are single addresses of the port's own subnets where the operator wants that", async () => {
    const strict = await under.server({ strictPairs: true });
    const ask = (ip_address: string) => {
      const port = { network_id: network['id'], allowed_address_pairs: [{ ip_address }] };
      return strict.call('POST', '/v2.0/ports', { port });
    };
    for (const loose of ['10.0.0.0/25', '10.0.1.9', '2001:db8::9', '0.0.0.0/0'])
      expectRefusal(await ask(loose), 400, 'InvalidInput');
    expect((await ask('10.0.0.9')).status).toBe(201);
    expect((await ask('10.0.0.9/32')).status).toBe(201);
  });

  const refused: readonly [string, string, unknown][] = [
    ['no list', 'HTTPBadRequest', { ip_address: '10.0.0.9' }],
    ['no dictionary', 'HTTPBadRequest', ['10.0.0.9']],
    ['no address', 'AllowedAddressPairsMissingIP', [{ mac_address: 'fa:16:3e:00:00:01' }]],
    ['an unknown key', 'HTTPBadRequest', [{ ip_address: '10.0.0.9', active: true }]],
    ['a leading zero', 'HTTPBadRequest', [{ ip_address: '010.0.0.9' }]],
    ['a length beyond the family', 'HTTPBadRequest', [{ ip_address: '10.0.0.9/33' }]],
    ['a number', 'HTTPBadRequest', [{ ip_address: 10 }]],
    ['a MAC that is none', 'HTTPBadRequest', [{ ip_address: '10.0.0.9', mac_address: 'x' }]],
    ['a multicast address', 'InvalidInput', [{ ip_address: '224.0.0.18' }]],
    ['a range that holds multicast', 'InvalidInput', [{ ip_address: '128.0.0.0/1' }]],
    ['an IPv6 multicast prefix', 'InvalidInput', [{ ip_address: 'ff02::/16' }]],
    ['loopback', 'InvalidInput', [{ ip_address: '127.0.0.0/8' }]],
    ['loopback in a longer prefix', 'InvalidInput', [{ ip_address: '127.0.0.1' }]],
    ['no address at all', 'InvalidInput', [{ ip_address: '0.0.0.0' }]],
    ['"this network"', 'InvalidInput', [{ ip_address: '0.1.0.0/16' }]],
    ['the broadcast address', 'InvalidInput', [{ ip_address: '255.255.255.255' }]],
    ['a broadcast address of a subnet', 'InvalidInput', [{ ip_address: '10.0.0.255' }]],
    ['IPv6 loopback', 'InvalidInput', [{ ip_address: '::1' }]],
    ['no IPv6 address at all', 'InvalidInput', [{ ip_address: '::/128' }]],
    ['an IPv4 address in IPv6', 'InvalidInput', [{ ip_address: '::ffff:10.0.0.9' }]],
    ['a multicast MAC', 'InvalidInput', [{ ip_address: '10.0.0.9', mac_address: '01:00:5e:00:00:12' }]],
    ['a twin', 'DuplicateAddressPairInRequest', [{ ip_address: '10.0.0.9' }, { ip_address: '10.0.0.9' }]],
    [
      'eleven',
      'AllowedAddressPairExhausted',
      Array.from({ length: 11 }, (_, n) => ({ ip_address: `10.0.0.${n + 1}` })),
    ],
  ];
  it.each(refused)('refuse %s', async (_, type, pairs) => {
    const port = await make();
    const before = await under.content();
    expectRefusal(await put(port['id'], { allowed_address_pairs: pairs }), 400, type);
    expectRefusal(await post({ allowed_address_pairs: pairs }), 400, type);
    expect(await under.content()).toEqual(before);
  });

  it("refuse a twin that only the port's MAC makes", async () => {
    const port = await make();
    const pairs = [{ ip_address: '10.0.0.9' }, { ip_address: '10.0.0.9', mac_address: port['mac_address'] }];
    expectRefusal(
      await put(port['id'], { allowed_address_pairs: pairs }),
      400,
      'DuplicateAddressPairInRequest',
    );
  });
});
