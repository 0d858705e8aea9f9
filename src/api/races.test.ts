import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type TestReply,
  type UnderTest,
} from './testing/api-under-test.ts';

const times = <T>(count: number, make: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => make(n));
const typeOf = (reply: TestReply) => (reply.body['NeutronError'] as { type: string } | undefined)?.type;

describe.each(['memory', 'embedded'] as const)('many clients at once on a store that is %s', (kind) => {
  let under: UnderTest;
  let servers: TestClient[];
  let client: TestClient;
  beforeEach(async () => {
    under = await openUnderTest(kind);
    servers = [await under.server(), await under.server(), await under.server()];
    [client] = servers as [TestClient];
  });
  afterEach(() => under.close());

  const serverOf = (n: number): TestClient => servers[n % servers.length] ?? client;
  const post = (path: string, name: string, attributes: Json, n = 0) =>
    serverOf(n).call('POST', `/v2.0/${path}`, { [name]: attributes });

  it('get an address each, through one server and through several', async () => {
    const network = await client.make('networks', {});
    await client.make('subnets', { network_id: network['id'], ip_version: 4, cidr: '10.0.0.0/26' });
    const port = { network_id: network['id'] };
    const one = await Promise.all(times(32, () => post('ports', 'port', port)));
    expect(one.map(({ status }) => status)).toEqual(times(32, () => 201));
    // 61 addresses for hosts: 29 are left for 32 clients of three servers.
    const several = await Promise.all(times(32, (n) => post('ports', 'port', port, n)));
    const refused = several.filter(({ status }) => status !== 201);
    expect(refused.map((reply) => typeOf(reply))).toEqual(times(3, () => 'IpAddressGenerationFailure'));
    const ports = await client.list('ports');
    expect(ports).toHaveLength(61);
    const addresses = ports.flatMap((item) => item['fixed_ips'] as { ip_address: string }[]);
    expect(new Set(addresses.map((ip) => ip.ip_address)).size).toBe(61);
    expect(new Set(ports.map((item) => item['mac_address'])).size).toBe(61);
    expect(await client.list('security-groups')).toHaveLength(1);
  });

  it('share one address and one MAC between none', async () => {
    const network = await client.make('networks', {});
    await client.make('subnets', { network_id: network['id'], ip_version: 4, cidr: '10.0.0.0/24' });
    const named = { network_id: network['id'], fixed_ips: [{ ip_address: '10.0.0.9' }] };
    const byIp = await Promise.all(times(12, (n) => post('ports', 'port', named, n)));
    expect(byIp.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(new Set(byIp.map((reply) => typeOf(reply)))).toEqual(
      new Set([undefined, 'IpAddressAlreadyAllocated']),
    );
    const mac = { network_id: network['id'], mac_address: 'fa:16:3e:00:00:01' };
    const byMac = await Promise.all(times(12, (n) => post('ports', 'port', mac, n)));
    expect(byMac.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(new Set(byMac.map((reply) => typeOf(reply)))).toEqual(new Set([undefined, 'MacAddressInUse']));
  });

  it('leave no port without its network', async () => {
    for (const round of times(6, (n) => n)) {
      const network = await client.make('networks', {});
      await client.make('subnets', { network_id: network['id'], ip_version: 4, cidr: '10.0.0.0/24' });
      const url = `/v2.0/networks/${String(network['id'])}`;
      const [gone, ...ports] = await Promise.all([
        serverOf(round).call('DELETE', url),
        ...times(6, (n) => post('ports', 'port', { network_id: network['id'] }, n)),
      ]);
      const made = ports.filter(({ status }) => status === 201);
      if (gone.status === 204) expect(made).toEqual([]);
      else expectRefusal(gone, 409, 'NetworkInUse');
      const kept = (await under.content()).filter(([key]) => key.includes(String(network['id'])));
      expect(kept.some(([key]) => key.startsWith('networks/'))).toBe(gone.status !== 204);
      expect(kept.filter(([key]) => key.startsWith('ports/'))).toHaveLength(made.length);
      if (gone.status === 204) expect(kept).toEqual([]);
    }
  });

  it('leave no port and no rule without its group', async () => {
    const network = await client.make('networks', {});
    for (const round of times(6, (n) => n)) {
      const group = await client.make('security-groups', { name: 'g' });
      const other = await client.make('security-groups', { name: 'o' });
      const url = `/v2.0/security-groups/${String(group['id'])}`;
      const rule = { security_group_id: other['id'], direction: 'ingress', remote_group_id: group['id'] };
      const [gone] = await Promise.all([
        serverOf(round).call('DELETE', url),
        post('ports', 'port', { network_id: network['id'], security_groups: [group['id']] }, round),
        post('ports', 'port', { network_id: network['id'], security_groups: [group['id']] }, round + 1),
        post('security-group-rules', 'security_group_rule', rule, round + 2),
      ]);
      const naming = (await under.content()).filter(([, value]) => value.includes(String(group['id'])));
      if (gone.status === 204) expect(naming).toEqual([]);
      else expectRefusal(gone, 409, 'SecurityGroupInUse');
    }
  });

  it('make one default group, add one rule once and lose no change', async () => {
    await Promise.all(times(12, (n) => serverOf(n).list('security-groups')));
    const [group, ...more] = await client.list('security-groups');
    expect(more).toEqual([]);
    const rule = { security_group_id: group?.['id'], direction: 'ingress', protocol: 'tcp' };
    const rules = await Promise.all(
      times(9, (n) => post('security-group-rules', 'security_group_rule', rule, n)),
    );
    expect(rules.filter(({ status }) => status === 201)).toHaveLength(1);
    const network = await client.make('networks', {});
    await Promise.all(
      times(9, (n) =>
        serverOf(n).change('networks', network['id'], n < 5 ? { mtu: 1400 + n } : { name: `n${n}` }),
      ),
    );
    const shown = await client.show('networks', network['id']);
    expect(shown['revision_number']).toBe(10);
    expect(shown['mtu']).not.toBe(1500);
    expect(shown['name']).not.toBe('');
  });

  it('add their rules to one group, each once, and refuse the wrong ones beside them', async () => {
    const group = await client.make('security-groups', { name: 'g' });
    const absent = 'ffffffff-0000-4000-8000-000000000000';
    for (const [through, protocol] of [
      [1, 'tcp'],
      [servers.length, 'sctp'],
    ] as const) {
      const about = { security_group_id: group['id'], direction: 'ingress', protocol };
      const asked = times(60, (n) => {
        if (n % 3 === 2) return { ...about, remote_group_id: absent };
        const port = 1 + (n % 3 === 1 ? 0 : n);
        return { ...about, port_range_min: port, port_range_max: port };
      });
      const replies = await Promise.all(
        asked.map((rule, n) => post('security-group-rules', 'security_group_rule', rule, n % through)),
      );
      const types = replies.map((reply) => typeOf(reply));
      const rules = await client.list('security-group-rules', `protocol=${protocol}`);
      const ports = rules.flatMap((rule) => rule['port_range_min'] ?? []) as number[];
      expect(ports.toSorted((a, b) => a - b)).toEqual(times(20, (n) => 1 + 3 * n));
      expect(types.filter((type) => type === 'SecurityGroupNotFound')).toHaveLength(20);
      expect(types.filter((type) => type === 'SecurityGroupRuleExists')).toHaveLength(20);
      // A refusal names the rule that is there, not one that another request was about to make.
      for (const reply of replies.filter((one) => typeOf(one) === 'SecurityGroupRuleExists')) {
        const { message } = reply.body['NeutronError'] as { message: string };
        expect(rules.some((rule) => message.includes(String(rule['id'])))).toBe(true);
      }
    }
    const kept = await under.content();
    expect(kept.filter(([key, value]) => `${key} ${value}`.includes(absent))).toEqual([]);
    const shown = await client.show('security-groups', group['id']);
    expect(shown['security_group_rules']).toHaveLength(42);
    expect(shown['revision_number']).toBeGreaterThan(group['revision_number'] as number);
  });

  it('overlap no subnets', async () => {
    const network = await client.make('networks', {});
    const subnet = { network_id: network['id'], ip_version: 4, cidr: '10.0.0.0/24' };
    const replies = await Promise.all(times(9, (n) => post('subnets', 'subnet', subnet, n)));
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(new Set(replies.map((reply) => typeOf(reply)))).toEqual(new Set([undefined, 'InvalidInput']));
  });

  it('read what they wrote', async () => {
    const network = await client.make('networks', {});
    await Promise.all(
      times(20, async (n) => {
        const port = await client.make('ports', { network_id: network['id'], name: `p${n}` });
        expect(await client.list('ports', `name=p${n}`)).toHaveLength(1);
        expect((await client.change('ports', port['id'], { name: `q${n}` }))['name']).toBe(`q${n}`);
        expect((await client.show('ports', port['id']))['name']).toBe(`q${n}`);
        await client.remove('ports', port['id']);
        expectRefusal(await client.call('GET', `/v2.0/ports/${String(port['id'])}`), 404, 'PortNotFound');
      }),
    );
  });
});
