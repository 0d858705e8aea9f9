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
let second: string;
let reachable: string;
let client: Member;
let server: Member;
let closed: Member;
const subnets = new Map<string, string>();

async function network(name: string, at: number, mtu = 1500): Promise<string> {
  const { id } = await cloud.create('network', { name, mtu });
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

/** Joins the networks `two` and `three`; the first router and this one have routes to each other's networks. */
async function secondRouter(): Promise<string> {
  const far = (await cloud.create('router', { name: 'far' })).id;
  const addresses = [
    { subnet_id: subnets.get('two4'), ip_address: '10.22.0.200' },
    { subnet_id: subnets.get('two6'), ip_address: '2001:db8:22::200' },
  ];
  const port = await cloud.create('port', {
    network_id: second,
    fixed_ips: addresses,
    port_security_enabled: false,
  });
  for (const body of [
    { port_id: port.id },
    { subnet_id: subnets.get('three4') },
    { subnet_id: subnets.get('three6') },
  ])
    expect((await cloud.api('PUT', `/v2.0/routers/${far}/add_router_interface`, body)).status).toBe(200);
  const route = (destination: string, nexthop: string) => ({ destination, nexthop });
  await cloud.write('router', router, {
    routes: [route('10.23.0.0/24', '10.22.0.200'), route('2001:db8:23::/64', '2001:db8:22::200')],
  });
  await cloud.write('router', far, {
    routes: [route('10.21.0.0/24', '10.22.0.1'), route('2001:db8:21::/64', '2001:db8:22::1')],
  });
  return far;
}

async function routes(member: Member, at: number): Promise<void> {
  await member.run('ip', 'route', 'replace', 'default', 'via', `10.${at}.0.1`);
  await member.run('ip', '-6', 'route', 'replace', 'default', 'via', `2001:db8:${at}::1`);
}

describeRoot('a router', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const one = await network('one', 21);
    second = await network('two', 22, 1400);
    router = (await cloud.create('router', { name: 'edge' })).id;
    const rules = [
      { ethertype: 'IPv4', remote_ip_prefix: '10.21.0.0/24' },
      { ethertype: 'IPv6', remote_ip_prefix: '2001:db8:21::/64' },
    ];
    reachable = await cloud.group('reachable', { out: true, rules });
    const alone = await cloud.group('alone', { out: true, rules: [] });
    [client] = (await cloud.guests(one, { client: { security_groups: [alone] } })) as [Member];
    [server, closed] = (await cloud.guests(second, {
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

  test('says by ICMP what it cannot send on', async () => {
    const said = async (...args: string[]) => (await client.runAnyway('ping', ['-c', '1', ...args])).stdout;
    expect(await said('-t', '1', server.ip)).toContain('From 10.21.0.1 icmp_seq=1 Time to live exceeded');
    expect(await said('-t', '1', server.ip6)).toContain('From 2001:db8:21::1 icmp_seq=1 Time exceeded');
    expect(await said('10.99.0.1')).toContain('From 10.21.0.1 icmp_seq=1 Destination Net Unreachable');
    expect(await said('2001:db8:99::1')).toContain('Destination unreachable: No route');
    expect(await said('10.22.0.250')).toContain('From 10.21.0.1 icmp_seq=1 Destination Host Unreachable');
    expect(await said('2001:db8:22::fa')).toContain('Destination unreachable: Address unreachable');
  });

  test('names the MTU of a narrower network, which its sender then keeps', async () => {
    for (const [target, size, words] of [
      [server.ip, '1400', 'From 10.21.0.1 icmp_seq=1 Frag needed and DF set (mtu = 1400)'],
      [server.ip6, '1400', 'From 2001:db8:21::1 icmp_seq=1 Packet too big: mtu=1400'],
    ] as const) {
      const big = ['-c', '1', '-W', '2', '-M', 'do', '-s', size, target];
      expect((await client.runAnyway('ping', big)).stdout).toContain(words);
      // The sender has learned it.
      expect((await client.runAnyway('ping', big)).stderr).toContain('mtu');
    }
    const { stdout } = await client.runAnyway('tracepath', ['-n', server.ip]);
    expect(stdout).toContain('pmtu 1400');
    expect(stdout).toContain('reached');
  });

  test('is one hop of traceroute, and so is the next router', async () => {
    const third = await network('three', 23);
    const far = await secondRouter();
    const [end] = (await cloud.guests(third, { end: { security_groups: [reachable] } })) as [Member];
    await routes(end, 23);
    await cloud.sync();
    for (const [target, hops] of [
      [end.ip, ['10.21.0.1', '10.22.0.200', end.ip]],
      [end.ip6, ['2001:db8:21::1', '2001:db8:22::200', end.ip6]],
    ] as const) {
      const { stdout } = await client.runAnyway('traceroute', ['-n', '-I', '-q', '1', '-w', '2', target]);
      const lines = stdout.trim().split('\n').slice(1);
      expect(lines.map((line) => line.trim().split(/\s+/)[1])).toEqual(hops);
    }
    await cloud.write('router', far, { routes: [] });
    await cloud.update('router', router, { routes: [] });
  });

  test('without an interface again leads nowhere', async () => {
    expect((await change('remove', 'two4')).status).toBe(200);
    await cloud.sync();
    await until(async () => !(await client.pings(server.ip)), { what: 'the router has left' });
    expect(await client.pings(server.ip6)).toBe(true);
  });
});
