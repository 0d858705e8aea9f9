/**
 * DHCP with dnsmasq and real clients: a trusted port may serve. A strict port may be a client and never a server. Where the
 * subnet has DHCP, the host answers.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { until } from '../lib/wait.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';
import { LeaseServer, lease } from './leases.ts';

let cloud: Cloud;
let trusted: Member;
let vouched: Member;
let rogue: Member;
let asking: Member;
let served: Member;
/** The network of `served`. */
let routed: string;

async function serve(server: Member): Promise<LeaseServer> {
  const made = new LeaseServer(cloud, server);
  await made.start(asking);
  return made;
}

describeRoot('DHCP', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({}, { cidr: '192.0.2.0/24', enable_dhcp: false });
    // A request comes from 0.0.0.0, so a server needs a rule for it.
    const rules = [{ protocol: 'udp', port_range_min: 67, port_range_max: 67 }];
    const security_groups = [await cloud.group('servers', { out: true, rules })];
    [trusted, vouched, rogue] = (await cloud.guests(net, {
      trusted: { port_security_enabled: false },
      vouched: { dhcp_trusted: true, security_groups },
      rogue: { security_groups },
    })) as [Member, Member, Member];
    [asking] = (await cloud.guests(net, { asking: { security_groups: [] } }, '--no-addresses')) as [Member];
    const own = await cloud.network(
      { mtu: 1400 },
      {
        cidr: '198.51.100.0/24',
        dns_nameservers: ['192.0.2.53'],
        host_routes: [{ destination: '203.0.113.0/24', nexthop: '198.51.100.9' }],
      },
      {
        cidr: '2001:db8::/64',
        ipv6_address_mode: 'dhcpv6-stateful',
        ipv6_ra_mode: 'dhcpv6-stateful',
      },
      {
        cidr: '2001:db8:1::/64',
        dns_nameservers: ['2001:db8::53'],
        ipv6_address_mode: 'slaac',
        ipv6_ra_mode: 'slaac',
      },
    );
    routed = own;
    const extra_dhcp_opts = [{ opt_name: 'ntp-server', opt_value: '192.0.2.123' }];
    [served] = (await cloud.guests(
      own,
      { served: { security_groups: [], extra_dhcp_opts } },
      '--no-addresses',
    )) as [Member];
  });
  afterAll(() => cloud?.stop());

  test('a port without port security serves, and a port without any group gets its lease', async () => {
    const server = await serve(trusted);
    expect(await lease(cloud, asking)).toBe(`${asking.ip} by ${trusted.ip}`);
    await server.stop();
  });

  test('a port that is trusted to serve does so under port security', async () => {
    const server = await serve(vouched);
    expect(await lease(cloud, asking)).toBe(`${asking.ip} by ${vouched.ip}`);
    await server.stop();
  });

  test('the host gives udhcpc the address of the port, and all that belongs to it', async () => {
    const script = `${cloud.dataDir}/show`;
    const show =
      '[ "$1" = bound ] && echo "$ip/$mask $router $dns $mtu $ntpsrv $staticroutes by $serverid for $lease"';
    await writeFile(script, `#!/bin/sh\n${show}\nexit 0\n`, { mode: 0o755 });
    const asked = ['26', '42', '121'].flatMap((option) => ['-O', option]);
    const options = ['-i', 'eth0', '-f', '-q', '-n', '-t', '5', '-T', '1', ...asked, '-s', script];
    const { stdout } = await served.runAnyway('udhcpc', options);
    const routes = '203.0.113.0/24 198.51.100.9 0.0.0.0/0 198.51.100.1';
    expect(stdout).toContain(
      `${served.ip}/24 198.51.100.1 192.0.2.53 1400 192.0.2.123 ${routes} by 198.51.100.1 for 86400`,
    );
  });

  test('the host gives dhclient an address, which it renews and gives back', async () => {
    const files = `${cloud.dataDir}/dhclient`;
    const common = ['-4', '-v', '-lf', `${files}.leases`, '-pf', `${files}.pid`, '-sf', '/bin/true', 'eth0'];
    const first = await served.runAnyway('dhclient', ['-1', ...common]);
    expect(first.stderr).toContain(`bound to ${served.ip}`);
    const again = await served.runAnyway('dhclient', ['-1', ...common]);
    expect(again.stderr).toContain(`DHCPACK of ${served.ip} from 198.51.100.1`);
    const released = await served.runAnyway('dhclient', ['-r', ...common]);
    expect(released.stderr).toContain(`DHCPRELEASE of ${served.ip}`);
  });

  test('the host gives dhclient the IPv6 address of the port', async () => {
    const files = `${cloud.dataDir}/dhclient6`;
    const common = ['-6', '-v', '-lf', `${files}.leases`, '-pf', `${files}.pid`, '-sf', '/bin/true', 'eth0'];
    await served.runAnyway('dhclient', ['-1', ...common]);
    const leases = await readFile(`${files}.leases`, 'utf8');
    const port = await cloud.api('GET', `/v2.0/ports/${served.id}`);
    const [, six] = (port.body as { port: { fixed_ips: { ip_address: string }[] } }).port.fixed_ips;
    expect(six?.ip_address).toContain('2001:db8::');
    expect(leases).toContain(`iaaddr ${six?.ip_address} `);
    const { stderr } = await served.runAnyway('dhclient', ['-r', ...common]);
    expect(stderr).toContain('Release on eth0');
  });

  test('the host advertises the network to rdisc6, with a default route while there is a router', async () => {
    const ask = async () => (await served.runAnyway('rdisc6', ['-1', '-w', '3000', 'eth0'])).stdout;
    const alone = await ask();
    for (const line of [
      /Stateful address conf\. *: *Yes/,
      /Router lifetime *: *0 /,
      /Prefix *: 2001:db8::\/64[^]*Autonomous address conf\.: *No/,
      /Prefix *: 2001:db8:1::\/64[^]*Autonomous address conf\.: *Yes/,
      /MTU *: *1400 bytes/,
      /Recursive DNS server *: 2001:db8::53/,
      /from fe80::50:43ff:fe00:43/,
    ])
      expect(alone).toMatch(line);

    const { body } = await cloud.api('GET', `/v2.0/subnets?network_id=${routed}&cidr=2001:db8::/64`);
    const [subnet] = (body as { subnets: { id: string }[] }).subnets;
    const { id } = await cloud.create('router', { name: 'gate' });
    const subnet_id = subnet?.id;
    await cloud.api('PUT', `/v2.0/routers/${id}/add_router_interface`, { subnet_id });
    await until(async () => /Router lifetime *: *300 /.test(await ask()), { what: 'there is a router' });
    await cloud.api('PUT', `/v2.0/routers/${id}/remove_router_interface`, { subnet_id });
    await until(async () => /Router lifetime *: *0 /.test(await ask()), { what: 'it has left' });
  });

  test('a rogue server is cut off and counted', async () => {
    const cutOff = await serve(rogue);
    const before = await cloud.dropped(rogue.id, 'egress', 'dhcp-server');
    expect(await lease(cloud, asking)).toBe(null);
    // It received the request and answered; the answer must not get out.
    const count = await until(
      async () => {
        const now = await cloud.dropped(rogue.id, 'egress', 'dhcp-server');
        return now > before && now - before;
      },
      { what: 'the answers are counted', interval: 100 },
    );
    expect(count).toBeGreaterThanOrEqual(1);
    // It does not win beside an honest server either.
    const honest = await serve(trusted);
    expect(await lease(cloud, asking)).toBe(`${asking.ip} by ${trusted.ip}`);
    await cutOff.stop();
    await honest.stop();
  });
});
