/** What Neutron answers to subnets, ports and rules that are wrong, word for word, as the real one was heard to say it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectRefusal, openUnderTest, type TestClient, type UnderTest } from '../testing/api-under-test.ts';

let under: UnderTest;
let client: TestClient;
let network: string;
beforeAll(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
  network = String((await client.make('networks', { name: 'one' }))['id']);
  await client.make('networks', { name: 'two' });
});
afterAll(() => under.close());

const path = (url: string): string => `/v2.0/${url.replace('ONE', network)}`;
const bad = (text: string) => ({ type: 'HTTPBadRequest', text });
const invalid = (text: string) => ({
  type: 'InvalidInput',
  text: `Invalid input for operation: ${text}.`,
});

describe('subnets', () => {
  const v6 = { ip_version: 6, cidr: 'fd00::/64' };
  const noDictionary = "Invalid input. 'a' must be a dictionary with keys: ['start', 'end']";
  it.each([
    [{ cidr: 'x' }, invalid('x is not in a CIDR format')],
    [{ ip_version: 6 }, invalid("cidr '10.1.0.0/24' does not match the ip_version '6'")],
    [{ gateway_ip: '::1' }, invalid("gateway_ip '::1' does not match the ip_version '4'")],
    [{ gateway_ip: '10.1.0.255' }, invalid('Gateway is not valid on subnet')],
    [{ allocation_pools: ['a'] }, bad(`Invalid input for allocation_pools. Reason: ${noDictionary}.`)],
    [
      { allocation_pools: null },
      bad("Invalid input for allocation_pools. Reason: Invalid data format for IP pool: 'None'."),
    ],
    [
      { host_routes: [{ destination: '10.2.0.0/16', nexthop: 'fd00::1' }] },
      invalid("nexthop 'fd00::1' does not match the ip_version '4'"),
    ],
    [{ ipv6_ra_mode: 'x' }, bad('Invalid input for ipv6_ra_mode. Reason: x is not in valid_values.')],
    [{ ipv6_ra_mode: 'slaac' }, invalid('ipv6_ra_mode is not valid when ip_version is 4')],
    [{ ipv6_address_mode: 'slaac' }, invalid('ipv6_address_mode is not valid when ip_version is 4')],
    [
      { ...v6, cidr: 'fd00::/72', ipv6_ra_mode: 'slaac' },
      invalid(
        'Invalid CIDR fd00::/72 for IPv6 address mode. OpenStack uses the EUI-64 address format, which requires the prefix to be /64',
      ),
    ],
  ])('%j', async (part, { type, text }) => {
    const subnet = { network_id: network, ip_version: 4, cidr: '10.1.0.0/24', ...part };
    expect(expectRefusal(await client.call('POST', path('subnets'), { subnet }), 400, type)).toBe(text);
  });

  it('may be one address, have a gateway elsewhere, and ask for the usual pools', async () => {
    const of = { network_id: network, ip_version: 4 };
    const one = await client.make('subnets', {
      ...of,
      cidr: '10.3.0.1',
      enable_dhcp: false,
      gateway_ip: null,
    });
    expect(one['cidr']).toBe('10.3.0.1/32');
    const far = await client.make('subnets', {
      ...of,
      cidr: '10.1.0.0/24',
      gateway_ip: '10.9.9.9',
      allocation_pools: [],
    });
    expect(far).toMatchObject({
      gateway_ip: '10.9.9.9',
      allocation_pools: [{ start: '10.1.0.1', end: '10.1.0.254' }],
    });
    for (const { id } of [one, far]) await client.remove('subnets', id);
  });
});

describe('ports', () => {
  const pairs = (text: string) => bad(text);
  it.each([
    [
      { fixed_ips: null },
      bad("Invalid input for fixed_ips. Reason: Invalid data format for fixed IP: 'None'."),
    ],
    [
      { fixed_ips: [{ ip_address: '010.1.0.5' }] },
      bad(
        "Invalid input for fixed_ips. Reason: '010.1.0.5' is not an accepted IP address, '10.1.0.5' is recommended.",
      ),
    ],
    [{ allowed_address_pairs: [{ ip_address: 'x' }] }, pairs("'x' is not a valid IP address")],
    [
      { allowed_address_pairs: [{ ip_address: '10.0.0.1', mac_address: 'x' }] },
      pairs("'x' is not a valid MAC address"),
    ],
    [
      { allowed_address_pairs: [{}] },
      { type: 'AllowedAddressPairsMissingIP', text: 'AllowedAddressPair must contain ip_address' },
    ],
    [
      { allowed_address_pairs: [{ ip_address: '10.0.0.1' }, { ip_address: '10.0.0.1' }] },
      {
        type: 'DuplicateAddressPairInRequest',
        text: 'Request contains duplicate address pair: mac_address None ip_address 10.0.0.1.',
      },
    ],
    [
      { device_owner: 'network:dhcp', security_groups: ['3b0a6f4e-5d1a-4a53-8f0c-0d9f3ac5a111'] },
      {
        type: 'PortSecurityAndIPRequiredForSecurityGroups',
        text: 'Port security must be enabled and port must have an IP address in order to use security groups.',
      },
    ],
  ])('%j', async (part, { type, text }) => {
    const port = { network_id: network, ...part };
    expect(expectRefusal(await client.call('POST', path('ports'), { port }), 400, type)).toBe(text);
  });

  it('have an address on every prefix that guests make addresses of, whatever was asked for', async () => {
    const { id } = await client.make('networks', {});
    const of = { network_id: id };
    const plain = await client.make('subnets', { ...of, ip_version: 4, cidr: '10.0.0.0/24' });
    const modes = { ipv6_ra_mode: 'slaac', ipv6_address_mode: 'slaac' };
    const slaac = await client.make('subnets', { ...of, ip_version: 6, cidr: 'fd00::/64', ...modes });
    const mac = { mac_address: 'fa:16:3e:00:00:01' };
    const own = { subnet_id: slaac['id'], ip_address: 'fd00::f816:3eff:fe00:1' };
    const four = { subnet_id: plain['id'], ip_address: '10.0.0.9' };
    const port = await client.make('ports', { ...of, ...mac, fixed_ips: [four] });
    expect(port['fixed_ips']).toEqual([four, own]);
    expect((await client.change('ports', port['id'], { fixed_ips: [] }))['fixed_ips']).toEqual([own]);
    const bare = await client.make('ports', { ...of, fixed_ips: [] });
    expect(bare['fixed_ips']).toHaveLength(1);
    const foot = { device_owner: 'network:router_interface', device_id: 'r' };
    const router = await client.make('ports', { ...of, ...foot, fixed_ips: [{ subnet_id: plain['id'] }] });
    expect(router['fixed_ips']).toHaveLength(1);
    const wrong = { port: { ...of, fixed_ips: [{ ip_address: 'fd00::5' }] } };
    const refusal = await client.call('POST', path('ports'), wrong);
    expect(expectRefusal(refusal, 400, 'AllocationOnAutoAddressSubnet')).toBe(
      `IPv6 address fd00::5 cannot be directly assigned to a port on subnet ${String(slaac['id'])} ` +
        'as the subnet is configured for automatic addresses',
    );
    for (const one of [port, bare, router]) await client.remove('ports', one['id']);
    await client.remove('networks', id);
  });
});

describe('rules of groups', () => {
  const noPorts = (protocol: number) => ({
    type: 'SecurityGroupInvalidProtocolForPort',
    text: `Ports cannot be specified for protocol ${protocol}. Ports are only supported for DCCP, SCTP, TCP, UDP, UDPLITE.`,
  });
  let group: unknown;
  beforeAll(async () => {
    group = (await client.make('security-groups', { name: 'g' }))['id'];
  });

  it.each([
    [{ protocol: 'gre', port_range_min: 1, port_range_max: 10 }, noPorts(47)],
    [{ protocol: '50', port_range_min: 1, port_range_max: 10 }, noPorts(50)],
    [
      { protocol: 'tcp', port_range_min: -16 },
      { type: 'SecurityGroupInvalidPortValue', text: 'Invalid value for port -16' },
    ],
    [
      { protocol: 'tcp', port_range_min: 2, port_range_max: 1 },
      {
        type: 'SecurityGroupInvalidPortRange',
        text: 'For TCP/UDP protocols, port_range_min must be <= port_range_max',
      },
    ],
    [
      { remote_ip_prefix: '::/0' },
      {
        type: 'SecurityGroupRuleParameterConflict',
        text: 'Conflicting value ethertype IPv4 for CIDR ::/0',
      },
    ],
    [{ direction: 'in' }, bad('Invalid input for direction. Reason: in is not in valid_values.')],
  ])('%j', async (part, { type, text }) => {
    const rule = { security_group_id: group, direction: 'ingress', ...part };
    const reply = await client.call('POST', path('security-group-rules'), { security_group_rule: rule });
    expect(expectRefusal(reply, 400, type)).toBe(text);
  });

  it.each(['icmp', 'gre', 'dccp', null])('for all ports of %s are rules for none', async (protocol) => {
    const all = { port_range_min: 1, port_range_max: 65_535 };
    const of = { security_group_id: group, direction: 'ingress' };
    const rule = await client.make('security-group-rules', { ...of, ...all, protocol });
    expect(rule).toMatchObject({ protocol, port_range_min: null, port_range_max: null });
    await client.remove('security-group-rules', rule['id']);
  });
});

describe('sharing', () => {
  it('in a way that there is not', async () => {
    const rbac_policy = { object_type: 'network', object_id: network, action: 'x', target_tenant: 'y' };
    const reply = await client.call('POST', path('rbac-policies'), { rbac_policy });
    expect(expectRefusal(reply, 400, 'InvalidActionForType')).toMatch(
      /^Invalid action 'x' for object type 'network'. Valid actions: \('access_as_shared', /,
    );
  });
});
