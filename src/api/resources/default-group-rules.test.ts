import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultProject } from '../identity/caller.ts';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { as, byName } from '../testing/people.ts';

let under: UnderTest;
let client: TestClient;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
});
afterEach(() => under.close());

const path = 'default-security-group-rules';
const unknownId = '3b0a6f4e-5d1a-4a53-8f0c-0d9f3ac5a111';
const ssh = { direction: 'ingress', protocol: 'tcp', port_range_min: 22, port_range_max: 22 };
const post = (attributes: Json) =>
  client.call('POST', `/v2.0/${path}`, { default_security_group_rule: attributes });
const rulesOf = (group: Json | undefined) => group?.['security_group_rules'] as Json[];
const waysOf = (rules: Json[]) =>
  rules.map((rule) => `${String(rule['direction'])} ${String(rule['ethertype'])}`).toSorted();

async function defaultGroupOf(project: string): Promise<Json | undefined> {
  const [group] = await client.list('security-groups', `project_id=${project}&name=default`);
  return group;
}

describe('templates of rules', () => {
  it('are four at first', async () => {
    const egress = { direction: 'egress', remote_group_id: null, used_in_non_default_sg: true };
    const ingress = { direction: 'ingress', remote_group_id: 'PARENT', used_in_non_default_sg: false };
    const nothing = {
      id: '',
      protocol: null,
      port_range_min: null,
      port_range_max: null,
      remote_ip_prefix: null,
      remote_address_group_id: null,
      used_in_default_sg: true,
    };
    const said = (way: string) => `Legacy default SG rule for ${way} traffic`;
    const rules = (await client.list(path)).map((rule) => ({ ...rule, id: '' }));
    expect(rules).toEqual([
      { ...nothing, ...egress, ethertype: 'IPv4', description: said('egress') },
      { ...nothing, ...egress, ethertype: 'IPv6', description: said('egress') },
      { ...nothing, ...ingress, ethertype: 'IPv4', description: said('ingress') },
      { ...nothing, ...ingress, ethertype: 'IPv6', description: said('ingress') },
    ]);
  });

  it('are planted once, whoever starts when', async () => {
    const own = await openUnderTest('memory');
    try {
      const servers = await Promise.all([own.server(), own.server(), own.server()]);
      for (const server of servers) expect(await server.list(path)).toHaveLength(4);
      for (const rule of await servers[0].list(path)) await servers[0].remove(path, rule['id']);
      const later = await own.server();
      expect(await later.list(path)).toEqual([]);
      const group = await later.make('security-groups', { name: 'bare' });
      expect(rulesOf(group)).toEqual([]);
    } finally {
      await own.close();
    }
  });

  it('are made, shown, filtered and removed', async () => {
    const made = await client.make(path, { ...ssh, description: 'ssh', ethertype: 'ipv4', tenant_id: 'p' });
    expect(made).toEqual({
      id: made['id'],
      description: 'ssh',
      ...ssh,
      ethertype: 'IPv4',
      remote_ip_prefix: null,
      remote_group_id: null,
      remote_address_group_id: null,
      used_in_default_sg: false,
      used_in_non_default_sg: true,
    });
    expect(await client.show(path, made['id'])).toEqual(made);
    expect(await client.list(path, 'used_in_default_sg=False')).toEqual([made]);
    expect(await client.list(path, 'used_in_non_default_sg=true')).toHaveLength(3);
    expect(await client.list(path, 'remote_group_id=PARENT&sort_key=ethertype&sort_dir=desc')).toHaveLength(
      2,
    );
    const put = { default_security_group_rule: { description: 'x' } };
    const url = `/v2.0/${path}/${String(made['id'])}`;
    expectRefusal(await client.call('PUT', url, put), 405, 'HTTPMethodNotAllowed');
    await client.remove(path, made['id']);
    const gone = expectRefusal(await client.call('GET', url), 404, 'DefaultSecurityGroupRuleNotFound');
    expect(gone).toBe(`Default Security Group rule ${String(made['id'])} does not exist`);
    expectRefusal(await client.call('DELETE', url), 404, 'DefaultSecurityGroupRuleNotFound');
  });

  it('are what groups begin with from then on', async () => {
    const before = await client.make('security-groups', { name: 'before' });
    const both = { used_in_default_sg: true, used_in_non_default_sg: true };
    await client.make(path, { ...ssh, ...both, description: 'not told' });
    await client.make(path, { direction: 'ingress', protocol: 'icmp', ...both, used_in_default_sg: false });
    const mates = { ethertype: 'IPv6', remote_group_id: 'PARENT', used_in_non_default_sg: true };
    await client.make(path, { direction: 'ingress', ...mates });
    const made = await client.make('security-groups', { name: 'after' });
    expect(waysOf(rulesOf(made))).toEqual([
      'egress IPv4',
      'egress IPv6',
      'ingress IPv4',
      'ingress IPv4',
      'ingress IPv6',
    ]);
    const rule = rulesOf(made).find((one) => one['protocol'] === 'tcp');
    expect(rule).toMatchObject({ ...ssh, description: '', project_id: defaultProject });
    expect(
      rulesOf(made).find((one) => one['ethertype'] === 'IPv6' && one['direction'] === 'ingress'),
    ).toMatchObject({
      remote_group_id: made['id'],
    });
    expect(rulesOf(await client.show('security-groups', before['id']))).toHaveLength(2);
    await client.make('networks', { project_id: 'p9' });
    expect(waysOf(rulesOf(await defaultGroupOf('p9')))).toEqual([
      'egress IPv4',
      'egress IPv6',
      'ingress IPv4',
      'ingress IPv4',
      'ingress IPv6',
    ]);
  });

  it('say nothing twice to one kind of group', async () => {
    const kind = (first: boolean, other: boolean) => ({
      used_in_default_sg: first,
      used_in_non_default_sg: other,
    });
    const made = await client.make(path, { ...ssh, ...kind(true, true) });
    for (const used of [kind(true, true), kind(true, false), kind(false, true)]) {
      const text = expectRefusal(
        await post({ ...ssh, protocol: '6', ...used }),
        409,
        'DefaultSecurityGroupRuleExists',
      );
      expect(text).toBe(`Default Security group rule already exists. Rule id is ${String(made['id'])}.`);
    }
    const web = { ...ssh, port_range_min: 80, port_range_max: 80 };
    await client.make(path, { ...web, ...kind(true, false) });
    await client.make(path, { ...web, ...kind(false, true) });
    const twice = [443, 443].map((port) => ({ ...ssh, port_range_min: port, port_range_max: port }));
    const bulk = await client.call('POST', `/v2.0/${path}`, { default_security_group_rules: twice });
    expectRefusal(bulk, 409, 'DuplicateDefaultSgRuleInPost');
    expect(await client.list(path)).toHaveLength(7);
  });

  it('are refused for what rules are refused for', async () => {
    const cases: [attributes: Json, status: number, type: string][] = [
      [{}, 400, 'HTTPBadRequest'],
      [{ direction: 'up' }, 400, 'HTTPBadRequest'],
      [{ ...ssh, security_group_id: unknownId }, 400, 'HTTPBadRequest'],
      [{ ...ssh, remote_group_id: 'parent' }, 400, 'HTTPBadRequest'],
      [{ ...ssh, remote_group_id: unknownId }, 404, 'SecurityGroupNotFound'],
      [{ ...ssh, remote_address_group_id: unknownId }, 404, 'AddressGroupNotFound'],
      [{ ...ssh, protocol: 'carrier-pigeon' }, 400, 'SecurityGroupRuleInvalidProtocol'],
      [{ ...ssh, port_range_max: 21 }, 400, 'SecurityGroupInvalidPortRange'],
      [{ ...ssh, remote_ip_prefix: 'fe80::/10' }, 400, 'SecurityGroupRuleParameterConflict'],
      [
        { ...ssh, remote_ip_prefix: '10.0.0.0/8', remote_group_id: 'PARENT' },
        400,
        'SecurityGroupMultipleRemoteEntites',
      ],
      [{ ...ssh, used_in_default_sg: 'perhaps' }, 400, 'InvalidInput'],
    ];
    for (const [attributes, status, type] of cases) expectRefusal(await post(attributes), status, type);
    expect(await client.list(path)).toHaveLength(4);
  });

  it('that name what has gone are passed over', async () => {
    const friends = await client.make('security-groups', { name: 'friends' });
    const addresses = await client.make('address-groups', { addresses: ['10.0.0.0/8'] });
    await client.make(path, { ...ssh, remote_group_id: friends['id'] });
    await client.make(path, { ...ssh, remote_address_group_id: addresses['id'] });
    const made = await client.make('security-groups', { name: 'one' });
    const remotes = rulesOf(made).map((rule) => rule['remote_group_id'] ?? rule['remote_address_group_id']);
    expect(remotes).toContain(friends['id']);
    expect(remotes).toContain(addresses['id']);
    await client.remove('security-groups', made['id']);
    await client.remove('security-groups', friends['id']);
    await client.remove('address-groups', addresses['id']);
    expect(rulesOf(await client.make('security-groups', { name: 'two' }))).toHaveLength(2);
  });

  it('are made by administrators and read by everybody', async () => {
    const told = await under.server({ authenticator: byName });
    const [rule] = await client.list(path);
    const url = `/v2.0/${path}`;
    for (const person of ['owner', 'reader', 'stranger'] as const) {
      const caller = as(told.api, person);
      expect(await caller.list(path)).toHaveLength(4);
      const made = await caller.call('POST', url, { default_security_group_rule: ssh });
      expectRefusal(made, 403, 'PolicyNotAuthorized');
      const removed = await caller.call('DELETE', `${url}/${String(rule?.['id'])}`);
      expectRefusal(removed, 403, 'PolicyNotAuthorized');
    }
    await as(told.api, 'admin').make(path, ssh);
  });

  it('made by many at once are made once', async () => {
    const other = await under.server();
    const replies = await Promise.all(
      Array.from({ length: 8 }, (_, at) =>
        (at % 2 === 0 ? client : other).call('POST', `/v2.0/${path}`, { default_security_group_rule: ssh }),
      ),
    );
    expect(replies.filter((reply) => reply.status === 201)).toHaveLength(1);
    expect(replies.filter((reply) => reply.status === 409)).toHaveLength(7);
  });
});
