/**
 * Invalid requests to the running process. Each gets Neutron's error, and afterwards the API's resources and
 * the switch's flows are unchanged.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { type Attributes, type Cloud, type Port, startCloud } from './cloud.ts';

let cloud: Cloud;
let net: string;
let subnet: string;
let port: Port;
let group: string;

const collections = ['networks', 'subnets', 'ports', 'security-groups', 'security-group-rules'];

/** All resources of the API and all flows, without counters. */
async function snapshot(): Promise<unknown> {
  const answers = await Promise.all(collections.map((name) => cloud.api('GET', `/v2.0/${name}`)));
  const health = await cloud.api('GET', '/healthz');
  expect(health.status).toBe(200);
  const flows = await cloud.switch.ofctl('--no-stats', 'dump-flows', cloud.switch.mgmt('br-int'));
  return { answers, flows: flows.split('\n').sort() };
}

async function refused(
  method: string,
  path: string,
  body: unknown,
  status: number,
  type: string,
): Promise<void> {
  const before = await snapshot();
  const answer = await cloud.api(method, path, body);
  expect(answer).toMatchObject({
    status,
    body: {
      NeutronError: {
        type,
        message: expect.stringMatching(/./) as string,
        detail: expect.any(String) as string,
      },
    },
  });
  await cloud.sync();
  expect(await snapshot()).toEqual(before);
}

const post = (kind: string, attributes: Attributes, status: number, type: string) =>
  refused('POST', `/v2.0/${kind}s`, { [kind.replaceAll('-', '_')]: attributes }, status, type);

describeRoot('bad input', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    ({ id: net } = await cloud.create('network', { name: 'net' }));
    ({ id: subnet } = await cloud.create('subnet', {
      network_id: net,
      cidr: '192.0.2.0/24',
      ip_version: 4,
    }));
    port = await cloud.create<Port>('port', { network_id: net, name: 'p' });
    group = await cloud.defaultGroup();
    await cloud.guests(net, { plugged: {} });
  });
  afterAll(() => cloud?.stop());

  test.each([
    ['cut off', '{"port": {"network_id": '],
    ['no JSON at all', '\u0000\u0001garbage'],
    ['an array', '[]'],
    ['text', '"port"'],
    ['null', 'null'],
    ['without the resource', '{}'],
    ['with another resource', '{"network": {}}'],
    ['with a resource of the wrong type', '{"port": 7}'],
  ])('a body that is malformed: %s', async (_name, body) => {
    await refused('POST', '/v2.0/ports', body, 400, 'HTTPBadRequest');
  });

  test('unknown attributes, or attributes that may not be set', async () => {
    await post('network', { name: 'x', colour: 'red' }, 400, 'HTTPBadRequest');
    await post('port', { network_id: net, status: 'ACTIVE' }, 400, 'HTTPBadRequest');
    await refused('PUT', `/v2.0/ports/${port.id}`, { port: { network_id: net } }, 400, 'HTTPBadRequest');
    await refused(
      'PUT',
      `/v2.0/subnets/${subnet}`,
      { subnet: { cidr: '198.51.100.0/24' } },
      400,
      'HTTPBadRequest',
    );
  });

  test('wrong types', async () => {
    await post('network', { name: 7 }, 400, 'HTTPBadRequest');
    await post('network', { admin_state_up: 'perhaps' }, 400, 'InvalidInput');
    await post('port', { network_id: net, fixed_ips: 'all' }, 400, 'HTTPBadRequest');
    await post('port', { network_id: net, mac_address: '00:11' }, 400, 'HTTPBadRequest');
    await post(
      'port',
      { network_id: net, allowed_address_pairs: [{ ip_address: '192.0.2.300' }] },
      400,
      'HTTPBadRequest',
    );
    await post('port', { network_id: net, port_security_mode: 'lenient' }, 400, 'HTTPBadRequest');
    await post('port', { network_id: 'net' }, 400, 'HTTPBadRequest');
  });

  test('values out of range', async () => {
    const rule = { security_group_id: group, direction: 'ingress', protocol: 'tcp' };
    await post(
      'security-group-rule',
      { ...rule, port_range_min: 0, port_range_max: 70_000 },
      400,
      'SecurityGroupInvalidPortValue',
    );
    await post(
      'security-group-rule',
      { ...rule, port_range_min: 90, port_range_max: 80 },
      400,
      'SecurityGroupInvalidPortRange',
    );
    await post('security-group-rule', { ...rule, protocol: '256' }, 400, 'SecurityGroupRuleInvalidProtocol');
    await post(
      'security-group-rule',
      { ...rule, protocol: 'icmp', port_range_min: 256 },
      400,
      'SecurityGroupInvalidIcmpValue',
    );
    await post('security-group-rule', { ...rule, remote_ip_prefix: '192.0.2.0/33' }, 400, 'InvalidCIDR');
    await post('network', { mtu: -1 }, 400, 'HTTPBadRequest');
    await post('network', { mtu: 65_536 }, 400, 'HTTPBadRequest');
    await post('subnet', { network_id: net, cidr: '198.51.100.0/24', ip_version: 5 }, 400, 'HTTPBadRequest');
  });

  test('addresses in use, and subnets that overlap', async () => {
    const [{ ip_address } = { ip_address: '' }] = port.fixed_ips;
    const fixed_ips = [{ ip_address }];
    await post('port', { network_id: net, fixed_ips }, 409, 'IpAddressAlreadyAllocated');
    await post('port', { network_id: net, mac_address: port.mac_address }, 409, 'MacAddressInUse');
    await post(
      'port',
      { network_id: net, fixed_ips: [{ ip_address: '203.0.113.1' }] },
      400,
      'InvalidIpForNetwork',
    );
    const cidr = '192.0.2.128/25';
    await post('subnet', { network_id: net, cidr, ip_version: 4 }, 400, 'InvalidInput');
  });

  test('absent resources, and resources in use', async () => {
    const absent = '00000000-0000-4000-8000-000000000000';
    await post('port', { network_id: absent }, 404, 'NetworkNotFound');
    await refused('DELETE', `/v2.0/ports/${absent}`, undefined, 404, 'PortNotFound');
    await refused('DELETE', `/v2.0/networks/${net}`, undefined, 409, 'NetworkInUse');
    await refused('DELETE', `/v2.0/subnets/${subnet}`, undefined, 409, 'SubnetInUse');
    await refused('DELETE', `/v2.0/security-groups/${group}`, undefined, 409, 'SecurityGroupInUse');
    await refused('GET', '/v1/ports/nobody/counters', undefined, 404, 'PortNotFound');
  });

  test('a rule twice, and groups on a port without port security', async () => {
    const { body } = await cloud.api('GET', `/v2.0/security-group-rules?security_group_id=${group}`);
    const [rule] = (body as { security_group_rules: Record<string, unknown>[] }).security_group_rules;
    const { direction, ethertype, remote_group_id } = rule ?? {};
    const again = { security_group_id: group, direction, ethertype, remote_group_id };
    await post('security-group-rule', again, 409, 'SecurityGroupRuleExists');
    const off = { network_id: net, port_security_enabled: false };
    await post(
      'port',
      { ...off, security_groups: [group] },
      400,
      'PortSecurityAndIPRequiredForSecurityGroups',
    );
    const allowed_address_pairs = [{ ip_address: '192.0.2.77' }];
    await post('port', { ...off, allowed_address_pairs }, 409, 'AddressPairAndPortSecurityRequired');
  });

  test('deep and long bodies end in an error and the process lives', async () => {
    const deep = `{"network": {"name": ${'['.repeat(50_000)}${']'.repeat(50_000)}}}`;
    expect((await cloud.api('POST', '/v2.0/networks', deep)).status).toBe(400);
    const long = JSON.stringify({ network: { description: 'x'.repeat(5_000_000) } });
    const { status } = await cloud.api('POST', '/v2.0/networks', long).catch(() => ({ status: 413 }));
    expect([400, 413]).toContain(status);
    expect(cloud.up.running).toBe(true);
    await cloud.sync();
  });
});
