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

let counted = 0;
const subnet = (more: Json = {}) =>
  client.make('subnets', {
    network_id: network['id'],
    ip_version: 4,
    cidr: `10.${++counted}.0.0/24`,
    ...more,
  });
const post = (port: Json) =>
  client.call('POST', '/v2.0/ports', { port: { network_id: network['id'], ...port } });

async function subnetsOf(port: Json): Promise<unknown[]> {
  const made = await client.make('ports', { network_id: network['id'], ...port });
  return (made['fixed_ips'] as Json[]).map((ip) => ip['subnet_id']);
}

describe('service types of subnets', () => {
  it('are none unless they are said', async () => {
    const made = await subnet();
    expect(made).toMatchObject({ service_types: [], subnetpool_id: null });
    expect(await client.change('subnets', made['id'], { service_types: ['compute:nova'] })).toMatchObject({
      service_types: ['compute:nova'],
      revision_number: 2,
    });
    expect(await client.change('subnets', made['id'], { service_types: [] })).toMatchObject({
      service_types: [],
    });
  });

  it('say whose ports choose from it, before what is everybody’s', async () => {
    const { id: everybody } = await subnet();
    const { id: servers } = await subnet({ service_types: ['compute:nova', 'compute:other'] });
    const { id: gateways } = await subnet({ service_types: ['network:router_gateway'] });
    expect(await subnetsOf({})).toEqual([everybody]);
    expect(await subnetsOf({ device_owner: 'compute:nova' })).toEqual([servers]);
    expect(await subnetsOf({ device_owner: 'compute:else' })).toEqual([everybody]);
    expect(await subnetsOf({ device_owner: 'network:router_gateway' })).toEqual([gateways]);
    // Nor is a port of somebody else put there by name.
    expectRefusal(await post({ fixed_ips: [{ ip_address: '10.3.0.9' }] }), 400, 'InvalidIpForNetwork');
    for (const fixedIp of [{ subnet_id: servers }, { subnet_id: servers, ip_address: '10.3.0.9' }]) {
      const refused = expectRefusal(await post({ fixed_ips: [fixedIp] }), 400, 'InvalidInput');
      expect(refused).toContain(`because fixed_ips included invalid subnet ${String(servers)}`);
    }
    expect(await subnetsOf({ device_owner: 'compute:nova', fixed_ips: [{ subnet_id: servers }] })).toEqual([
      servers,
    ]);
  });

  it('leave what a port has, whoever it becomes', async () => {
    await subnet();
    const { id: servers } = await subnet({ service_types: ['compute:nova'] });
    const port = await client.make('ports', { network_id: network['id'], device_owner: 'compute:nova' });
    const fixedIps = port['fixed_ips'] as { subnet_id: string; ip_address: string }[];
    expect(fixedIps).toMatchObject([{ subnet_id: servers }]);
    const put = (attributes: Json) =>
      client.call('PUT', `/v2.0/ports/${String(port['id'])}`, { port: attributes });
    expect((await put({ device_owner: 'compute:else' })).body['port']).toMatchObject({ fixed_ips: fixedIps });
    for (const same of [fixedIps, [{ subnet_id: servers }], [{ ip_address: fixedIps[0]?.ip_address }]])
      expect((await put({ fixed_ips: same })).body['port']).toMatchObject({ fixed_ips: fixedIps });
    expectRefusal(await put({ fixed_ips: [...fixedIps, { subnet_id: servers }] }), 400, 'InvalidInput');
  });

  it('leave nothing to others', async () => {
    const { id } = await subnet({ service_types: ['compute:nova'] });
    const refused = expectRefusal(
      await post({ device_owner: 'compute:else' }),
      409,
      'IpAddressGenerationFailureNoMatchingSubnet',
    );
    expect(refused).toBe(
      `No valid service subnet for the given device owner, network ${String(network['id'])}, service type compute:else.`,
    );
    expect(await subnetsOf({ device_owner: 'compute:else', fixed_ips: [] })).toEqual([]);
    // DHCP servers are where DHCP is.
    expect(await subnetsOf({ device_owner: 'network:dhcp' })).toEqual([id]);
    await client.change('subnets', id, { enable_dhcp: false });
    expectRefusal(
      await post({ device_owner: 'network:dhcp' }),
      409,
      'IpAddressGenerationFailureNoMatchingSubnet',
    );
  });

  it('hold for addresses that hosts give themselves', async () => {
    const plain = await client.make('ports', { network_id: network['id'] });
    const server = await client.make('ports', { network_id: network['id'], device_owner: 'compute:nova' });
    const slaac = { ip_version: 6, cidr: '2001:db8::/64', ipv6_ra_mode: 'slaac', ipv6_address_mode: 'slaac' };
    const { id } = await subnet({ ...slaac, service_types: ['compute:nova'] });
    expect((await client.show('ports', plain['id']))['fixed_ips']).toEqual([]);
    expect((await client.show('ports', server['id']))['fixed_ips']).toMatchObject([{ subnet_id: id }]);
    await subnet();
    expect(await subnetsOf({})).not.toContain(id);
    expect(await subnetsOf({ device_owner: 'compute:nova' })).toContain(id);
  });

  it('are device owners', async () => {
    const make = (service_types: unknown) =>
      client.call('POST', '/v2.0/subnets', {
        subnet: { network_id: network['id'], ip_version: 4, cidr: '10.0.0.0/24', service_types },
      });
    expect(expectRefusal(await make(['banana']), 400, 'InvalidSubnetServiceType')).toBe(
      'Subnet service type banana does not correspond to a valid device owner.',
    );
    expect(expectRefusal(await make([7]), 400, 'InvalidInputSubnetServiceType')).toBe(
      'Subnet service type 7 is not a string.',
    );
    expectRefusal(await make('compute:nova'), 400, 'HTTPBadRequest');
    expect((await make(['compute:nova', 'compute:nova'])).body['subnet']).toMatchObject({
      service_types: ['compute:nova'],
    });
  });
});

describe('subnet pools', () => {
  it('are not there', async () => {
    const made = (subnetpool_id: unknown) =>
      client.call('POST', '/v2.0/subnets', {
        subnet: { network_id: network['id'], ip_version: 4, cidr: '10.0.0.0/24', subnetpool_id },
      });
    const unknown = '3b0a6f4e-5d1a-4a53-8f0c-0d9f3ac5a111';
    expectRefusal(await made(unknown), 404, 'SubnetPoolNotFound');
    expectRefusal(await made('pool'), 400, 'HTTPBadRequest');
    expect((await made(null)).status).toBe(201);
  });
});
