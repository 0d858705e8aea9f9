import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';

let under: UnderTest;
let client: TestClient;
let network: Json;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
  network = await client.make('networks', {});
});
afterEach(() => under.close());

const v4 = (more: Json = {}): Json => ({
  network_id: network['id'],
  ip_version: 4,
  cidr: '10.0.0.0/24',
  ...more,
});
const v6 = (more: Json = {}): Json => ({
  network_id: network['id'],
  ip_version: 6,
  cidr: 'fd00::/64',
  ...more,
});

describe('subnets', () => {
  it('choose gateway and pools', async () => {
    expect(await client.make('subnets', v4({ cidr: '10.0.0.77/24' }))).toMatchObject({
      cidr: '10.0.0.0/24',
      gateway_ip: '10.0.0.1',
      allocation_pools: [{ start: '10.0.0.2', end: '10.0.0.254' }],
      enable_dhcp: true,
      dns_nameservers: [],
      host_routes: [],
    });
    expect(await client.make('subnets', v6({ cidr: 'FD00:0::/64' }))).toMatchObject({
      cidr: 'fd00::/64',
      gateway_ip: 'fd00::1',
      allocation_pools: [{ start: 'fd00::2', end: 'fd00::ffff:ffff:ffff:ffff' }],
    });
    expect(await client.make('subnets', v4({ cidr: '10.1.0.0/29', gateway_ip: null }))).toMatchObject({
      gateway_ip: null,
      allocation_pools: [{ start: '10.1.0.1', end: '10.1.0.6' }],
    });
    expect(await client.make('subnets', v4({ cidr: '10.2.0.0/29', gateway_ip: '10.2.0.3' }))).toMatchObject({
      allocation_pools: [
        { start: '10.2.0.1', end: '10.2.0.2' },
        { start: '10.2.0.4', end: '10.2.0.6' },
      ],
    });
    expect((await client.show('networks', network['id']))['revision_number']).toBe(5);
    expect((await client.show('networks', network['id']))['subnets']).toHaveLength(4);
  });

  const refused: readonly [string, number, string, () => Json][] = [
    ['no cidr', 400, 'BadRequest', () => ({ network_id: network['id'], ip_version: 4 })],
    ['a cidr that is none', 400, 'InvalidInput', () => v4({ cidr: '10.0.0.0/33' })],
    ['an ip_version that is none', 400, 'HTTPBadRequest', () => v4({ ip_version: 5 })],
    ['another family', 400, 'InvalidInput', () => v4({ ip_version: 6 })],
    ['a multicast cidr', 400, 'InvalidInput', () => v4({ cidr: '224.1.0.0/24' })],
    ['a loopback cidr', 400, 'InvalidInput', () => v4({ cidr: '127.0.0.0/24' })],
    ['everything', 400, 'InvalidInput', () => v4({ cidr: '0.0.0.0/0' })],
    ['DHCP without room', 400, 'InvalidInput', () => v4({ cidr: '10.0.0.0/31' })],
    ['a gateway of another family', 400, 'InvalidInput', () => v4({ gateway_ip: 'fd00::1' })],
    ['the network address as gateway', 400, 'InvalidInput', () => v4({ gateway_ip: '10.0.0.0' })],
    [
      'a gateway in a pool',
      409,
      'GatewayConflictWithAllocationPools',
      () => v4({ allocation_pools: [{ start: '10.0.0.1', end: '10.0.0.9' }] }),
    ],
    [
      'overlapping pools',
      409,
      'OverlappingAllocationPools',
      () =>
        v4({
          allocation_pools: [
            { start: '10.0.0.5', end: '10.0.0.9' },
            { start: '10.0.0.9', end: '10.0.0.12' },
          ],
        }),
    ],
    [
      'a pool outside',
      400,
      'OutOfBoundsAllocationPool',
      () => v4({ allocation_pools: [{ start: '10.0.0.5', end: '10.0.1.9' }] }),
    ],
    [
      'a pool upside down',
      400,
      'InvalidAllocationPool',
      () => v4({ allocation_pools: [{ start: '10.0.0.9', end: '10.0.0.5' }] }),
    ],
    ['a pool of other shape', 400, 'HTTPBadRequest', () => v4({ allocation_pools: [{ start: '10.0.0.9' }] })],
    ['modes for IPv4', 400, 'InvalidInput', () => v4({ ipv6_ra_mode: 'slaac' })],
    [
      'modes that disagree',
      400,
      'InvalidInput',
      () => v6({ ipv6_ra_mode: 'slaac', ipv6_address_mode: 'dhcpv6-stateful' }),
    ],
    ['SLAAC without /64', 400, 'InvalidInput', () => v6({ cidr: 'fd00::/80', ipv6_address_mode: 'slaac' })],
    [
      'an unknown network',
      404,
      'NetworkNotFound',
      () => v4({ network_id: '3b0a6f4e-5d1a-4a53-8f0c-0d9f3ac5a111' }),
    ],
    [
      'six nameservers',
      400,
      'DNSNameServersExhausted',
      () => v4({ dns_nameservers: [1, 2, 3, 4, 5, 6].map((n) => `9.9.9.${n}`) }),
    ],
    [
      'a nameserver of another family',
      400,
      'InvalidInput',
      () => v4({ dns_nameservers: ['9.9.9.9', '2620:fe::fe'] }),
    ],
    ['a nameserver twice', 400, 'HTTPBadRequest', () => v4({ dns_nameservers: ['9.9.9.9', '9.9.9.9'] })],
    [
      'a route of another family',
      400,
      'InvalidInput',
      () => v4({ host_routes: [{ destination: 'fd01::/64', nexthop: 'fd00::1' }] }),
    ],
  ];
  it.each(refused)('refuse %s', async (_, status, type, attributes) => {
    const before = await under.content();
    expectRefusal(await client.call('POST', '/v2.0/subnets', { subnet: attributes() }), status, type);
    expect(await under.content()).toEqual(before);
  });

  it('do not overlap on a network, be it in one request', async () => {
    await client.make('subnets', v4());
    const inside = await client.call('POST', '/v2.0/subnets', { subnet: v4({ cidr: '10.0.0.128/25' }) });
    expect(expectRefusal(inside, 400, 'InvalidInput')).toContain('overlaps with another subnet');
    const twice = { subnets: [v4({ cidr: '10.3.0.0/24' }), v4({ cidr: '10.3.0.0/25' })] };
    expectRefusal(await client.call('POST', '/v2.0/subnets', twice), 400, 'InvalidInput');
    const other = await client.make('networks', {});
    await client.make('subnets', v4({ network_id: other['id'] }));
  });

  it('are changed within their rules', async () => {
    const { id } = await client.make(
      'subnets',
      v4({ allocation_pools: [{ start: '10.0.0.10', end: '10.0.0.20' }] }),
    );
    expect(
      await client.change('subnets', id, { gateway_ip: '10.0.0.254', dns_nameservers: ['9.9.9.9'] }),
    ).toMatchObject({
      gateway_ip: '10.0.0.254',
      revision_number: 2,
    });
    const put = (attributes: Json) =>
      client.call('PUT', `/v2.0/subnets/${String(id)}`, { subnet: attributes });
    expectRefusal(await put({ gateway_ip: '10.0.0.15' }), 409, 'GatewayConflictWithAllocationPools');
    expectRefusal(await put({ cidr: '10.9.0.0/24' }), 400, 'HTTPBadRequest');
    expectRefusal(
      await put({ allocation_pools: [{ start: '10.0.0.2', end: '10.0.2.1' }] }),
      400,
      'OutOfBoundsAllocationPool',
    );
  });

  it('of IPv6 need a network of some width', async () => {
    const post = (subnet: Json) => client.call('POST', '/v2.0/subnets', { subnet });
    const put = (mtu: number) =>
      client.call('PUT', `/v2.0/networks/${String(network['id'])}`, { network: { mtu } });
    expect((await put(1279)).status).toBe(200);
    await client.make('subnets', v4());
    const text = expectRefusal(await post(v6()), 409, 'NetworkMTUSubnetConflict');
    expect(text).toBe(`MTU of ${String(network['id'])} is not valid, subnet requires a minimum of 1280`);
    expect((await put(1280)).status).toBe(200);
    await client.make('subnets', v6());
    expectRefusal(await put(1279), 409, 'NetworkMTUSubnetConflict');
    expect((await client.show('networks', network['id']))['mtu']).toBe(1280);
    expect(expectRefusal(await put(67), 409, 'NetworkMTUSubnetConflict')).toContain('a minimum of 68');
  });

  it('need a network through which their smallest packets fit; without subnets it may be narrower', async () => {
    const narrow = await client.make('networks', { mtu: 67 });
    const { id } = narrow;
    expect(narrow['mtu']).toBe(67);
    for (const subnet of [v4(), v6()]) {
      const reply = await client.call('POST', '/v2.0/subnets', { subnet: { ...subnet, network_id: id } });
      expect(expectRefusal(reply, 409, 'NetworkMTUSubnetConflict')).toBe(
        `MTU of ${String(id)} is not valid, subnet requires a minimum of 68`,
      );
    }
    await client.change('networks', id, { mtu: 68 });
    await client.make('subnets', { ...v4(), network_id: id });
    const put = await client.call('PUT', `/v2.0/networks/${String(id)}`, { network: { mtu: 67 } });
    expectRefusal(put, 409, 'NetworkMTUSubnetConflict');
    const less = await client.call('POST', '/v2.0/networks', { network: { mtu: -1 } });
    expect(expectRefusal(less, 400, 'HTTPBadRequest')).toContain("'-1' should be non-negative");
  });

  it('keep a gateway that a router has', async () => {
    const pools = [{ start: '10.0.0.10', end: '10.0.0.20' }];
    const { id } = await client.make('subnets', v4({ allocation_pools: pools }));
    const router = await client.make('ports', {
      network_id: network['id'],
      device_owner: 'network:router_interface',
      fixed_ips: [{ ip_address: '10.0.0.1' }],
    });
    const put = (gateway: string | null) =>
      client.call('PUT', `/v2.0/subnets/${String(id)}`, { subnet: { gateway_ip: gateway } });
    for (const gateway of ['10.0.0.254', null]) {
      const text = expectRefusal(await put(gateway), 409, 'GatewayIpInUse');
      expect(text).toBe(
        `Current gateway ip 10.0.0.1 already in use by port ${String(router['id'])}. Unable to update.`,
      );
    }
    expect((await put('10.0.0.1')).status).toBe(200);
    await client.remove('ports', router['id']);
    expect((await put(null)).status).toBe(200);
  });

  it('stay while a port has an address of them', async () => {
    const subnet = await client.make('subnets', v4());
    const port = await client.make('ports', { network_id: network['id'] });
    expectRefusal(await client.call('DELETE', `/v2.0/subnets/${String(subnet['id'])}`), 409, 'SubnetInUse');
    await client.remove('ports', port['id']);
    await client.remove('subnets', subnet['id']);
  });

  it.each(['slaac', 'dhcpv6-stateless'])(
    'that are announced as %s are such that hosts address themselves on',
    async (mode) => {
      const port = await client.make('ports', {
        network_id: network['id'],
        mac_address: 'fa:16:3e:00:00:01',
      });
      const subnet = await client.make('subnets', v6({ ipv6_ra_mode: mode }));
      const address = { subnet_id: subnet['id'], ip_address: 'fd00::f816:3eff:fe00:1' };
      expect(await client.show('ports', port['id'])).toMatchObject({ fixed_ips: [address] });
      await client.remove('subnets', subnet['id']);
      expect(await client.show('ports', port['id'])).toMatchObject({ fixed_ips: [] });
    },
  );

  it('that hosts address themselves on come and go with their addresses', async () => {
    const port = await client.make('ports', { network_id: network['id'], mac_address: 'FA-16-3E-00-00-01' });
    expect(port).toMatchObject({ fixed_ips: [], mac_address: 'fa:16:3e:00:00:01' });
    const slaac = await client.make('subnets', v6({ ipv6_ra_mode: 'slaac', ipv6_address_mode: 'slaac' }));
    const address = { subnet_id: slaac['id'], ip_address: 'fd00::f816:3eff:fe00:1' };
    expect(await client.show('ports', port['id'])).toMatchObject({
      fixed_ips: [address],
      revision_number: 2,
    });
    const later = await client.make('ports', { network_id: network['id'], mac_address: 'fa:16:3e:00:00:02' });
    expect(later['fixed_ips']).toEqual([{ subnet_id: slaac['id'], ip_address: 'fd00::f816:3eff:fe00:2' }]);
    expect(await client.change('ports', later['id'], { mac_address: 'fa:16:3e:00:00:03' })).toMatchObject({
      fixed_ips: [{ subnet_id: slaac['id'], ip_address: 'fd00::f816:3eff:fe00:3' }],
    });
    const named = { port: { network_id: network['id'], fixed_ips: [{ ip_address: 'fd00::77' }] } };
    expectRefusal(await client.call('POST', '/v2.0/ports', named), 400, 'AllocationOnAutoAddressSubnet');
    await client.remove('subnets', slaac['id']);
    expect(await client.show('ports', port['id'])).toMatchObject({ fixed_ips: [], revision_number: 3 });
    expect((await under.content()).filter(([key]) => key.startsWith('taken/ip/'))).toEqual([]);
  });
});
