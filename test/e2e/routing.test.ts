/**
 * Guests of two networks behind a router, which carries packets as soon as it has interfaces on both: echo and TCP in both
 * families, as the rules of the receivers say. The guests' kernels resolve the router by themselves.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { until } from '../lib/wait.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';

let cloud: Cloud;
let router: string;
let client: Member;
let server: Member;
let closed: Member;
const subnets = new Map<string, string>();

async function network(name: string, at: number): Promise<string> {
  const { id } = await cloud.create('network', { name });
  for (const [version, cidr] of [
    [4, `10.${at}.0.0/24`],
    [6, `2001:db8:${at}::/64`],
  ] as const) {
    const subnet = await cloud.create('subnet', {
      network_id: id,
      ip_version: version,
      cidr,
      enable_dhcp: false,
    });
    subnets.set(`${name}${version}`, subnet.id);
  }
  return id;
}

const change = (action: string, subnet: string) =>
  cloud.api('PUT', `/v2.0/routers/${router}/${action}_router_interface`, {
    subnet_id: subnets.get(subnet),
  });

async function routes(member: Member, at: number): Promise<void> {
  await member.run('ip', 'route', 'replace', 'default', 'via', `10.${at}.0.1`);
  await member.run('ip', '-6', 'route', 'replace', 'default', 'via', `2001:db8:${at}::1`);
}

describeRoot('a router', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const [one, two] = [await network('one', 21), await network('two', 22)];
    router = (await cloud.create('router', { name: 'edge' })).id;
    const rules = [
      { ethertype: 'IPv4', remote_ip_prefix: '10.21.0.0/24' },
      { ethertype: 'IPv6', remote_ip_prefix: '2001:db8:21::/64' },
    ];
    const reachable = await cloud.group('reachable', { out: true, rules });
    const alone = await cloud.group('alone', { out: true, rules: [] });
    [client] = (await cloud.guests(one, { client: { security_groups: [alone] } })) as [Member];
    [server, closed] = (await cloud.guests(two, {
      server: { security_groups: [reachable] },
      closed: { security_groups: [alone] },
    })) as [Member, Member];
    await routes(client, 21);
    await routes(server, 22);
    await routes(closed, 22);
    await cloud.sync();
  });
  afterAll(() => cloud?.stop());

  test('without interfaces leads nowhere', async () => {
    expect(await client.pings(server.ip)).toBe(false);
  });

  test('carries echo between its networks in both families, and refuses what no rule admits', async () => {
    for (const subnet of ['one4', 'one6', 'two4', 'two6'])
      expect((await change('add', subnet)).status).toBe(200);
    await cloud.sync();
    const { body } = await cloud.api('GET', `/v2.0/ports?device_id=${router}`);
    expect(body).toMatchObject({ ports: Array.from({ length: 4 }, () => ({ status: 'ACTIVE' })) });
    expect(await client.pings(server.ip)).toBe(true);
    expect(await client.pings(server.ip6)).toBe(true);
    expect(await client.pings(closed.ip)).toBe(false);
    expect(await closed.pings(client.ip6)).toBe(false);
    expect(await cloud.dropped(closed.id, 'ingress', 'ingress-rules')).toBeGreaterThan(0);
  });

  test('answers echo at all its addresses', async () => {
    for (const address of ['10.21.0.1', '10.22.0.1', '2001:db8:21::1', '2001:db8:22::1'])
      expect(await client.pings(address), address).toBe(true);
  });

  test('takes one hop from the TTL, and drops what has none left', async () => {
    const { stdout } = await client.runAnyway('ping', ['-c', '1', '-W', '2', server.ip]);
    expect(stdout).toContain('ttl=63');
    expect(await client.pings(server.ip, '-t', '1')).toBe(false);
  });

  test('without an interface again leads nowhere', async () => {
    expect((await change('remove', 'two4')).status).toBe(200);
    await cloud.sync();
    await until(async () => !(await client.pings(server.ip)), { what: 'the router has left' });
    expect(await client.pings(server.ip6)).toBe(true);
  });
});
