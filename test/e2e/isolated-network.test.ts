/**
 * An isolated network with real guests. First the scenario of Neutron's `pvlan`, three guests in four phases of roles; then what
 * leads through the router, DHCP, and an isolated network without port security.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { dropTimeout } from '../lib/probe.ts';
import { type Attributes, type Cloud, type Member, startCloud } from './cloud.ts';
import { LeaseServer, lease } from './leases.ts';

let cloud: Cloud;
let net: string;
let router: string;
let a: Member;
let b: Member;
let c: Member;

/** An answer of the switch and a router takes a few milliseconds. */
const briefly = ['-c', '1', '-W', '0.5'] as const;

const becomes = (member: Member, attributes: Attributes) => cloud.update('port', member.id, attributes);
const neighbour = (member: Member, address: string) =>
  member.run('ip', 'neigh', 'show', address).then((text) => /lladdr (\S+)/.exec(text)?.[1]);

describeRoot('an isolated network', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    net = await cloud.network({ pvlan: true }, { cidr: '192.0.2.0/24', enable_dhcp: false });
    const { body } = await cloud.api('GET', `/v2.0/subnets?network_id=${net}`);
    const [subnet] = (body as { subnets: { id: string }[] }).subnets;
    router = (await cloud.create('router', { name: 'edge' })).id;
    const interfaces = `/v2.0/routers/${router}/add_router_interface`;
    expect((await cloud.api('PUT', interfaces, { subnet_id: subnet?.id })).status).toBe(200);
    const rules = [{ protocol: 'icmp' }, { protocol: 'tcp' }];
    const security_groups = [await cloud.group('open', { out: true, rules })];
    [a, b, c] = (await cloud.guests(net, {
      a: { security_groups, pvlan_type: 'promiscuous' },
      b: { security_groups, pvlan_type: 'community', pvlan_community: 'community_1' },
      c: { security_groups, pvlan_type: 'isolated' },
    })) as [Member, Member, Member];
    await b.probe.serve([80]);
    await cloud.sync();
  });
  afterAll(() => cloud?.stop());

  test('keeps ports apart by role in four phases, and cuts what a new role forbids', async () => {
    expect(await a.pings(c.ip)).toBe(true);
    expect(await a.pings(b.ip)).toBe(true);
    expect(await b.pings(c.ip, ...briefly)).toBe(false);
    await a.probe.hold('held', b.ip, 80);
    expect(await a.probe.through('held')).toBe('ok');

    await becomes(a, { pvlan_type: 'isolated' });
    expect(await a.probe.through('held', dropTimeout)).toBe('timeout');
    expect(await a.pings(b.ip, ...briefly)).toBe(false);
    expect(await a.pings(c.ip, ...briefly)).toBe(false);

    await becomes(a, { pvlan_type: 'community', pvlan_community: 'community_1' });
    expect(await a.pings(b.ip)).toBe(true);
    expect(await a.pings(c.ip, ...briefly)).toBe(false);

    await becomes(a, { pvlan_community: 'community_2' });
    expect(await a.pings(b.ip, ...briefly)).toBe(false);
    expect(await a.pings(c.ip, ...briefly)).toBe(false);
  });

  test('answers for neighbours with the MAC of the gateway, which sends nothing back but by its setting', async () => {
    expect(await c.pings('192.0.2.1')).toBe(true);
    const gateway = await neighbour(c, '192.0.2.1');
    await c.run('ip', 'neigh', 'flush', 'all');
    expect(await c.pings(b.ip, ...briefly)).toBe(false);
    expect(await neighbour(c, b.ip)).toBe(gateway);
    const told = JSON.parse(await cloud.cli('explain', c.id, 'icmp', b.ip, '--json'));
    expect(told).toMatchObject({ result: 'dropped' });
    expect(told.steps.at(-1)).toMatchObject({
      reason: 'isolated',
      roles: 'isolated to community community_1',
    });
    expect(told.changes).toMatchObject([{ attributes: { pvlan_type: 'community' } }]);

    await cloud.update('network', net, { isolated_hairpin: true });
    expect(await c.pings(b.ip)).toBe(true);
    expect(await b.pings(c.ip)).toBe(true);
    await cloud.update('network', net, { isolated_hairpin: false });
    expect(await c.pings(b.ip, ...briefly)).toBe(false);
  });

  test('gives leases by a DHCP port, and by the host, without port security too', async () => {
    const lan = await cloud.network({ isolated: true }, { cidr: '198.51.100.0/24', enable_dhcp: true });
    const [loose] = (await cloud.guests(
      lan,
      { loose: { port_security_enabled: false } },
      '--no-addresses',
    )) as [Member];
    expect(await lease(cloud, loose)).toMatch(loose.ip);

    const own = await cloud.network({ isolated: true }, { cidr: '192.0.2.0/24', enable_dhcp: false });
    const [server] = (await cloud.guests(own, { server: { device_owner: 'network:dhcp' } })) as [Member];
    const [asking, other] = (await cloud.guests(
      own,
      { asking: {}, other: { port_security_enabled: false } },
      '--no-addresses',
    )) as [Member, Member];
    const leases = new LeaseServer(cloud, server);
    await leases.start(asking);
    const before = await received(other);
    expect(await lease(cloud, asking)).toBe(`${asking.ip} by ${server.ip}`);
    expect(await received(other)).toBe(before);
    await leases.stop();
  });
});

/** Frames that a guest's kernel has got. */
async function received(member: Member): Promise<number> {
  return Number(await member.run('cat', '/sys/class/net/eth0/statistics/rx_packets'));
}
