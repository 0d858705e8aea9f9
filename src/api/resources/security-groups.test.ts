import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ipv6OnlyNumbers, protocolNumbers } from '../../model/protocols.ts';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';

let under: UnderTest;
let client: TestClient;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
});
afterEach(() => under.close());

const rulesOf = (group: Json) => group['security_group_rules'] as Json[];
const unknownId = '3b0a6f4e-5d1a-4a53-8f0c-0d9f3ac5a111';

describe('security groups', () => {
  it('of a project begin with its default group', async () => {
    const [group, ...others] = await client.list('security-groups');
    expect(others).toEqual([]);
    expect(group).toMatchObject({ name: 'default', description: 'Default security group', stateful: true });
    const said = rulesOf(group ?? {}).map(
      (rule) => `${String(rule['direction'])} ${String(rule['ethertype'])}`,
    );
    expect(said.toSorted()).toEqual(['egress IPv4', 'egress IPv6', 'ingress IPv4', 'ingress IPv6']);
    for (const rule of rulesOf(group ?? {})) {
      expect(rule['remote_group_id']).toBe(rule['direction'] === 'ingress' ? group?.['id'] : null);
      expect(rule['belongs_to_default_sg']).toBe(true);
    }
  });

  it.each(['security-groups', 'security-group-rules'])(
    'of any project begin with it, once %s of the project are listed',
    async (path) => {
      const groups = () => client.list('security-groups', 'project_id=');
      expect(await groups()).toEqual([]);
      const query = 'project_id=fresh&project_id=second';
      const first = await client.list(path, query);
      expect(new Set(first.map(({ project_id: project }) => project))).toEqual(new Set(['fresh']));
      const count = path === 'security-groups' ? 1 : 4;
      expect(first).toHaveLength(count);
      expect(await client.list(path, query)).toEqual(first);
      expect(await client.list(path, `tenant_id=fresh`)).toEqual(first);
      // What could be no project's id makes nothing.
      expect(await client.list(path, `project_id=${encodeURIComponent('a b')}`)).toEqual([]);
    },
  );

  it('let everything out and nothing in at first', async () => {
    const group = await client.make('security-groups', { name: 'web', description: 'd' });
    expect(rulesOf(group).map((rule) => rule['direction'])).toEqual(['egress', 'egress']);
    expect(await client.change('security-groups', group['id'], { name: 'web2' })).toMatchObject({
      name: 'web2',
      revision_number: 2,
    });
    expect(await client.list('security-groups')).toHaveLength(2);
  });

  it('named default are only the default ones', async () => {
    const post = (name: string) => client.call('POST', '/v2.0/security-groups', { security_group: { name } });
    expectRefusal(await post('Default'), 409, 'SecurityGroupDefaultAlreadyExists');
    const [group] = await client.list('security-groups');
    const put = (id: unknown, attributes: Json) =>
      client.call('PUT', `/v2.0/security-groups/${String(id)}`, { security_group: attributes });
    expectRefusal(await put(group?.['id'], { name: 'x' }), 409, 'SecurityGroupCannotUpdateDefault');
    expect((await put(group?.['id'], { description: 'x', name: 'default' })).status).toBe(200);
    const web = await client.make('security-groups', { name: 'web' });
    expectRefusal(await put(web['id'], { name: 'DEFAULT' }), 409, 'SecurityGroupDefaultAlreadyExists');
  });

  it('stay while a port has them, and take rules that name them along', async () => {
    const network = await client.make('networks', {});
    const web = await client.make('security-groups', { name: 'web' });
    const db = await client.make('security-groups', { name: 'db' });
    const rule = await client.make('security-group-rules', {
      security_group_id: db['id'],
      direction: 'ingress',
      remote_group_id: web['id'],
    });
    const port = await client.make('ports', { network_id: network['id'], security_groups: [web['id']] });
    expect(await client.list('ports', `security_groups=${String(web['id'])}`)).toHaveLength(1);
    const gone = `/v2.0/security-groups/${String(web['id'])}`;
    expectRefusal(await client.call('DELETE', gone), 409, 'SecurityGroupInUse');
    await client.change('ports', port['id'], { security_groups: [] });
    await client.remove('security-groups', web['id']);
    expectRefusal(
      await client.call('GET', `/v2.0/security-group-rules/${String(rule['id'])}`),
      404,
      'SecurityGroupRuleNotFound',
    );
    expect((await client.show('security-groups', db['id']))['revision_number']).toBe(3);
    expect((await under.content()).filter(([key]) => key.includes(String(web['id'])))).toEqual([]);
  });

  it('that are default come back when needed', async () => {
    const [group] = await client.list('security-groups');
    await client.remove('security-groups', group?.['id']);
    const [again] = await client.list('security-groups');
    expect(again?.['id']).not.toBe(group?.['id']);
  });

  it('that do not exist are not found', async () => {
    expectRefusal(await client.call('GET', '/v2.0/security-groups/x'), 404, 'SecurityGroupNotFound');
  });
});

describe('security-group rules', () => {
  let group: Json;
  beforeEach(async () => {
    group = await client.make('security-groups', { name: 'g' });
  });
  const rule = (more: Json): Json => ({ security_group_id: group['id'], direction: 'ingress', ...more });
  const make = (more: Json) => client.make('security-group-rules', rule(more));
  const post = (more: Json) =>
    client.call('POST', '/v2.0/security-group-rules', { security_group_rule: rule(more) });

  const accepted: readonly [string, Json, Json][] = [
    ['nothing but a direction', {}, { ethertype: 'IPv4', protocol: null, remote_ip_prefix: null }],
    ['ethertype in any case', { ethertype: 'ipv6' }, { ethertype: 'IPv6' }],
    ['any', { protocol: 'any' }, { protocol: null }],
    ['names in any case', { protocol: 'TCP' }, { protocol: 'tcp' }],
    ['numbers', { protocol: 99 }, { protocol: '99' }],
    ['protocol 0', { protocol: 0 }, { protocol: '0' }],
    ['IPv6 names under IPv6', { protocol: 'ipv6-frag', ethertype: 'IPv6' }, { protocol: 'ipv6-frag' }],
    ['ICMPv6 by its old name', { protocol: 'icmpv6', ethertype: 'IPv6' }, { protocol: 'ipv6-icmp' }],
    ['DCCP', { protocol: 'dccp' }, { protocol: 'dccp', port_range_min: null }],
    [
      'all ports of UDP-Lite',
      { protocol: 'udplite', port_range_min: 1, port_range_max: 65535 },
      { protocol: 'udplite', port_range_min: null, port_range_max: null },
    ],
    [
      'a range by number',
      { protocol: '132', port_range_min: 5, port_range_max: 5 },
      { protocol: '132', port_range_min: 5 },
    ],
    [
      'ICMPv6 type and code 0',
      { protocol: 58, ethertype: 'IPv6', port_range_min: 0, port_range_max: 0 },
      { protocol: '58', port_range_min: 0, port_range_max: 0 },
    ],
    ['an empty prefix as none', { remote_ip_prefix: '' }, { remote_ip_prefix: null, normalized_cidr: null }],
    ['ICMP under IPv6', { protocol: 'icmp', ethertype: 'IPv6' }, { protocol: 'ipv6-icmp' }],
    ['number 1 under IPv6', { protocol: '1', ethertype: 'IPv6' }, { protocol: '58' }],
    [
      'a range',
      { protocol: 'tcp', port_range_min: 80, port_range_max: '90' },
      { port_range_min: 80, port_range_max: 90 },
    ],
    [
      'the whole range as none',
      { protocol: 'udp', port_range_min: 1, port_range_max: 65535 },
      { port_range_min: null, port_range_max: null },
    ],
    ['ICMP type 0', { protocol: 'icmp', port_range_min: 0 }, { port_range_min: 0, port_range_max: null }],
    [
      'ICMP code 0',
      { protocol: 'icmp', port_range_min: 3, port_range_max: 0 },
      { port_range_min: 3, port_range_max: 0 },
    ],
    [
      'host bits',
      { remote_ip_prefix: '10.1.2.3/8' },
      { remote_ip_prefix: '10.1.2.3/8', normalized_cidr: '10.0.0.0/8' },
    ],
    [
      'a host',
      { remote_ip_prefix: '10.1.2.3' },
      { remote_ip_prefix: '10.1.2.3/32', normalized_cidr: '10.1.2.3/32' },
    ],
    [
      'an IPv6 prefix',
      { ethertype: 'IPv6', remote_ip_prefix: 'FD00:0::/64' },
      { remote_ip_prefix: 'fd00::/64', normalized_cidr: 'fd00::/64' },
    ],
  ];
  it.each(accepted)('accept %s', async (_, sent, shown) => {
    expect(await make(sent)).toMatchObject(shown);
    expect((await client.show('security-groups', group['id']))['revision_number']).toBe(2);
  });

  it.each(Object.entries(protocolNumbers))('know protocol %s as %d', async (name, number) => {
    const ethertype = ipv6OnlyNumbers.has(number) ? 'IPv6' : 'IPv4';
    const stored = name === 'icmpv6' ? 'ipv6-icmp' : name;
    expect(await make({ protocol: name, ethertype })).toMatchObject({ protocol: stored });
    expectRefusal(await post({ protocol: number, ethertype }), 409, 'SecurityGroupRuleExists');
    if (ethertype === 'IPv6') {
      for (const protocol of [name, number])
        expectRefusal(await post({ protocol }), 400, 'SecurityGroupEthertypeConflictWithProtocol');
    }
  });

  it('know every protocol by number', async () => {
    const rules = Array.from({ length: 256 }, (_, protocol) => rule({ protocol, ethertype: 'IPv6' }));
    // Number 1 is number 58 under IPv6, and one of both is enough.
    const all = rules.filter((_, protocol) => protocol !== 1);
    const reply = await client.call('POST', '/v2.0/security-group-rules', { security_group_rules: all });
    expect(reply.status).toBe(201);
    expectRefusal(await post({ protocol: 1, ethertype: 'IPv6' }), 409, 'SecurityGroupRuleExists');
  });

  const refused: readonly [string, number, string, string, Json][] = [
    ['a wrong direction', 400, 'HTTPBadRequest', 'in is not in valid_values', { direction: 'in' }],
    ['a wrong ethertype', 400, 'SecurityGroupRuleInvalidEtherType', 'IPv5', { ethertype: 'IPv5' }],
    ['a wrong protocol', 400, 'SecurityGroupRuleInvalidProtocol', 'bogus', { protocol: 'bogus' }],
    ['protocol 256', 400, 'SecurityGroupRuleInvalidProtocol', '256', { protocol: 256 }],
    [
      'an IPv6 protocol for IPv4',
      400,
      'SecurityGroupEthertypeConflictWithProtocol',
      'ipv6-icmp',
      { protocol: 'ipv6-icmp' },
    ],
    [
      'an IPv6 protocol for IPv4, by number',
      400,
      'SecurityGroupEthertypeConflictWithProtocol',
      '58',
      { protocol: 58 },
    ],
    [
      'ports without protocol',
      400,
      'SecurityGroupProtocolRequiredWithPorts',
      '',
      { port_range_min: 1, port_range_max: 2 },
    ],
    [
      'ports of GRE',
      400,
      'SecurityGroupInvalidProtocolForPort',
      '47',
      { protocol: 'gre', port_range_min: 1, port_range_max: 2 },
    ],
    [
      'ports of DCCP',
      400,
      'SecurityGroupInvalidProtocolForPort',
      'dccp for port range: the switch cannot match its ports',
      { protocol: 'dccp', port_range_min: 1, port_range_max: 2 },
    ],
    [
      'ports of UDP-Lite by number',
      400,
      'SecurityGroupInvalidProtocolForPort',
      '136 for port range: the switch cannot match its ports',
      { protocol: 136, port_range_min: 80, port_range_max: 80 },
    ],
    [
      'ports of DCCP upside down',
      400,
      'SecurityGroupInvalidPortRange',
      '',
      { protocol: 'dccp', port_range_min: 9, port_range_max: 8 },
    ],
    [
      'an ICMPv6 code without type',
      400,
      'SecurityGroupMissingIcmpType',
      'ICMP type (port-range-min) is missing',
      { protocol: 'ipv6-icmp', ethertype: 'IPv6', port_range_max: 4 },
    ],
    ['a negative protocol', 400, 'SecurityGroupRuleInvalidProtocol', '-1', { protocol: -1 }],
    ['a protocol that is no word', 400, 'SecurityGroupRuleInvalidProtocol', 'True', { protocol: true }],
    [
      'a range upside down',
      400,
      'SecurityGroupInvalidPortRange',
      'port_range_min must be <= port_range_max',
      { protocol: 'tcp', port_range_min: 9, port_range_max: 8 },
    ],
    ['half a range', 400, 'SecurityGroupInvalidPortRange', '', { protocol: 'tcp', port_range_min: 9 }],
    [
      'port 0',
      400,
      'SecurityGroupInvalidPortValue',
      'port 0',
      { protocol: 'tcp', port_range_min: 0, port_range_max: 8 },
    ],
    [
      'port -16',
      400,
      'SecurityGroupInvalidPortValue',
      'Invalid value for port -16',
      { protocol: 'tcp', port_range_min: -16, port_range_max: 8 },
    ],
    [
      'port 65536',
      400,
      'SecurityGroupInvalidPortValue',
      'Invalid value for port 65536',
      { protocol: 'tcp', port_range_min: 1, port_range_max: 65536 },
    ],
    [
      'ICMP type 256',
      400,
      'SecurityGroupInvalidIcmpValue',
      'Invalid value for ICMP type',
      { protocol: 'icmp', port_range_min: 256 },
    ],
    [
      'ICMP code 256',
      400,
      'SecurityGroupInvalidIcmpValue',
      'Invalid value for ICMP code',
      { protocol: 'icmp', port_range_min: 3, port_range_max: 256 },
    ],
    [
      'a code without type',
      400,
      'SecurityGroupMissingIcmpType',
      'ICMP type (port-range-min) is missing',
      { protocol: 'icmp', port_range_max: 0 },
    ],
    [
      'a prefix of the other family',
      400,
      'SecurityGroupRuleParameterConflict',
      'IPv4',
      { remote_ip_prefix: 'fd00::/64' },
    ],
    [
      'a prefix that is none',
      400,
      'InvalidCIDR',
      'Invalid CIDR 10.0.0.0/40',
      { remote_ip_prefix: '10.0.0.0/40' },
    ],
    ['an unknown remote group', 404, 'SecurityGroupNotFound', unknownId, { remote_group_id: unknownId }],
    ['an unknown group', 404, 'SecurityGroupNotFound', unknownId, { security_group_id: unknownId }],
    [
      'two remotes',
      400,
      'SecurityGroupMultipleRemoteEntites',
      '',
      { remote_group_id: unknownId, remote_ip_prefix: '10.0.0.0/8' },
    ],
    [
      'a prefix beside an address group',
      400,
      'SecurityGroupMultipleRemoteEntites',
      'remote_address_group_id',
      { remote_address_group_id: unknownId, remote_ip_prefix: '10.0.0.0/8' },
    ],
    [
      'a group beside an address group',
      400,
      'SecurityGroupMultipleRemoteEntites',
      '',
      { remote_address_group_id: unknownId, remote_group_id: unknownId },
    ],
    [
      'an unknown address group',
      404,
      'AddressGroupNotFound',
      unknownId,
      { remote_address_group_id: unknownId },
    ],
    ['an address group that is no id', 404, 'AddressGroupNotFound', 'x', { remote_address_group_id: 'x' }],
    ['a remote group that is no id', 404, 'SecurityGroupNotFound', 'x', { remote_group_id: 'x' }],
  ];
  it.each(refused)('refuse %s', async (_, status, type, part, more) => {
    const before = await under.content();
    expect(expectRefusal(await post(more), status, type)).toContain(part);
    expect(await under.content()).toEqual(before);
  });

  it('are not repeated, however they are put', async () => {
    const first = await make({ protocol: 'tcp', port_range_min: 80, port_range_max: 80, description: 'a' });
    const again = await post({
      protocol: 6,
      port_range_min: '80',
      port_range_max: 80,
      remote_ip_prefix: '0.0.0.0/0',
    });
    expect(expectRefusal(again, 409, 'SecurityGroupRuleExists')).toContain(String(first['id']));
    const twins = { security_group_rules: [rule({ protocol: 'udp' }), rule({ protocol: '17' })] };
    expectRefusal(
      await client.call('POST', '/v2.0/security-group-rules', twins),
      409,
      'DuplicateSecurityGroupRuleInPost',
    );
  });

  it('in one request are for one group and one project', async () => {
    const other = await client.make('security-groups', { name: 'o' });
    const bulk = (rules: Json[]) =>
      client.call('POST', '/v2.0/security-group-rules', { security_group_rules: rules });
    const apart = [rule({}), rule({ security_group_id: other['id'] })];
    expectRefusal(await bulk(apart), 400, 'SecurityGroupNotSingleGroupRules');
    const owners = [rule({ project_id: 'a' }), rule({ project_id: 'b', protocol: 'tcp' })];
    expectRefusal(await bulk(owners), 400, 'SecurityGroupRulesNotSingleProject');
    const good = await bulk([rule({ protocol: 'tcp' }), rule({ protocol: 'udp' })]);
    expect(good.status).toBe(201);
    expect(good.body['security_group_rules']).toHaveLength(2);
  });

  it('are removed but never changed', async () => {
    const { id } = await make({ protocol: 'tcp' });
    const reply = await client.call('PUT', `/v2.0/security-group-rules/${String(id)}`, {
      security_group_rule: {},
    });
    expectRefusal(reply, 405, 'HTTPMethodNotAllowed');
    await client.remove('security-group-rules', id);
    const shown = await client.show('security-groups', group['id']);
    expect(shown['revision_number']).toBe(3);
    expect(rulesOf(shown)).toHaveLength(2);
  });
});
