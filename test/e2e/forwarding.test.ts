/**
 * One connection that crosses the bridge more than once in a network. Guests forward it (one-armed router,
 * firewall, load balancer whose servers answer directly), or several holders of a MAC get copies. Answers
 * pass for the ports that admitted the connection, and for no others.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';
import { openDialogue } from './dialogue.ts';
import { type Exchange, isRefused, passes, ping, tcp, udp } from './traffic.ts';

const families = [4, 6] as const;
type Family = (typeof families)[number];
const [port, other] = [80, 81];
const sharedMac = '00:00:5e:00:01:07';
/** Of the load balancer's servers, and of the holders of one MAC. */
const vips = { 4: '192.0.2.100', 6: '2001:db8:7::100' } as const;
const sharedVips = { 4: '192.0.2.101', 6: '2001:db8:7::101' } as const;
const width = { 4: 32, 6: 128 } as const;

let cloud: Cloud;
let client: Member;
let server: Member;
let router: Member;
let firewall: Member;
let holders: readonly [Member, Member, Member];
/** Allows dialogues; resolves with the rule. */
let talks: (family: Family) => Promise<string>;

const ipRoute = (member: Member, family: Family, ...words: readonly string[]) =>
  member.run('ip', family === 4 ? '-4' : '-6', 'route', ...words);

/** From now on `member` sends packets for `address` through these. */
async function goesBy(member: Member, via: Member, address: string, family: Family): Promise<void> {
  await ipRoute(member, family, 'replace', `${address}/${width[family]}`, 'via', via.address(family));
}

/** `member` sends to `address` from one of its addresses that is not its first. */
async function saysAs(member: Member, own: string, address: string, family: Family): Promise<void> {
  await ipRoute(member, family, 'replace', `${address}/${width[family]}`, 'dev', 'eth0', 'src', own);
}

/** Removes all routes that tests made. */
async function goesDirectly(family: Family): Promise<void> {
  for (const member of [client, server, router, firewall, ...holders])
    await member.runAnyway('ip', [family === 4 ? '-4' : '-6', 'route', 'flush', 'proto', 'boot']);
}

/** A redirect would send the packets the short way; a Linux router sends them in both families. */
async function forwards(member: Member): Promise<void> {
  await member.run(
    'sysctl',
    '-qw',
    'net.ipv4.ip_forward=1',
    'net.ipv6.conf.all.forwarding=1',
    'net.ipv4.conf.all.send_redirects=0',
    'net.ipv4.conf.eth0.send_redirects=0',
    'net.ipv4.conf.all.rp_filter=0',
    'net.ipv4.conf.eth0.rp_filter=0',
  );
}
const stays = (member: Member): Promise<string> =>
  member.run(
    'sysctl',
    '-qw',
    'net.ipv4.conf.all.accept_redirects=0',
    'net.ipv4.conf.eth0.accept_redirects=0',
    'net.ipv6.conf.eth0.accept_redirects=0',
  );

const forwarded = async (member: Member): Promise<number> => {
  const text = await member.run('cat', '/proc/net/snmp', '/proc/net/snmp6');
  const four = /^Ip: \d+ \d+ \d+ \d+ \d+ (\d+)/m.exec(text)?.[1];
  const six = /^Ip6OutForwDatagrams\s+(\d+)/m.exec(text)?.[1];
  return Number(four) + Number(six);
};

const exchanges = (family: Family): Exchange[] => [
  ping(client, server, family),
  ping(client, server, family, 3000),
  tcp(client, server, port, family),
  udp(client, server, port, { family }),
  udp(client, server, port, { family, size: 3000 }),
];

/** The same with an address that is not a port's first. */
async function answersAt(address: string): Promise<void> {
  const told = async () => ({
    ping: await client.pings(address),
    tcp: await client.probe.tcp(address, port),
    udp: await client.probe.udp(address, port),
  });
  expect(await told()).toEqual({ ping: true, tcp: 'ok', udp: 'ok' });
}

/** Traffic of the test passes through these. */
async function throughAll(members: readonly Member[], what: () => Promise<void>): Promise<void> {
  const before = await Promise.all(members.map(forwarded));
  await what();
  for (const [at, member] of members.entries())
    expect(await forwarded(member), member.port.name).toBeGreaterThan(before[at] ?? 0);
}

describeRoot('a connection that crosses the bridge more than once', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({}, '192.0.2.0/24', '2001:db8:7::/64');
    const out = await cloud.group('clients', { out: true });
    const service = (family: Family) => ({ ethertype: `IPv${family}`, direction: 'ingress' });
    const ports = { port_range_min: port, port_range_max: port };
    const dialogues = { protocol: 'tcp', port_range_min: 5000, port_range_max: 5999 };
    const served = await cloud.group('servers', {
      rules: families.flatMap((family) => [
        { ...service(family), protocol: 'udp', ...ports },
        { ...service(family), protocol: 'tcp', ...ports },
        { ...service(family), protocol: family === 4 ? 'icmp' : 'ipv6-icmp' },
      ]),
    });
    talks = (family) => cloud.rule(served, { ...service(family), ...dialogues });
    // It allows the traffic that its own rules would allow, and answers by its connections.
    const through = await cloud.group('firewalls', {
      rules: families.flatMap((family) =>
        ['ingress', 'egress'].map((direction) => ({
          ethertype: `IPv${family}`,
          direction,
          remote_ip_prefix: family === 4 ? '192.0.2.0/24' : '2001:db8:7::/64',
        })),
      ),
    });
    const shared = { allowed_address_pairs: Object.values(vips).map((ip_address) => ({ ip_address })) };
    const sameMac = {
      allowed_address_pairs: Object.values(sharedVips).map((ip_address) => ({
        ip_address,
        mac_address: sharedMac,
      })),
    };
    const made = await cloud.guests(net, {
      client: { security_groups: [out] },
      server: { security_groups: [served], ...shared },
      router: { port_security_enabled: false },
      firewall: { security_groups: [through], port_security_mode: 'mac-only' },
      holder1: { security_groups: [served], ...sameMac },
      holder2: { security_groups: [served], ...sameMac },
      holder3: { security_groups: [served], ...sameMac },
    });
    [client, server, router, firewall] = made as [Member, Member, Member, Member];
    holders = made.slice(4) as [Member, Member, Member];
    for (const member of [router, firewall]) await forwards(member);
    for (const member of [client, server]) await stays(member);
    for (const member of [server, ...holders]) await member.probe.serve([port, other], [port]);
    await cloud.sync();
  });
  afterAll(() => cloud?.stop());
  beforeEach(async () => {
    for (const family of families) await goesDirectly(family);
    await cloud.switch.appctl('dpctl/flush-conntrack');
  });

  describe.each(families)('over IPv%i', (family) => {
    test.each<[string, () => Member, (() => Member) | null]>([
      ['a one-armed router on the way there', () => router, null],
      ['a one-armed router on both ways', () => router, () => router],
      ['a firewall on the way there', () => firewall, null],
      ['a firewall on both ways', () => firewall, () => firewall],
      ['a router there and a firewall back', () => router, () => firewall],
      ['a firewall there and a router back', () => firewall, () => router],
    ])('answers come by way of %s', async (_, there, back) => {
      await goesBy(client, there(), server.address(family), family);
      if (back !== null) await goesBy(server, back(), client.address(family), family);
      const forwarders = [there(), ...(back === null ? [] : [back()])];
      await throughAll(forwarders, () => passes(...exchanges(family)));
      // Again, so that records of the same addresses exist, from several sides at once.
      await passes(...exchanges(family), ...exchanges(family));
    });

    test('a server answers directly for the address of its load balancer', async () => {
      const vip = vips[family];
      await server.run('ip', 'address', 'replace', `${vip}/${width[family]}`, 'dev', 'lo');
      await goesBy(client, router, vip, family);
      await goesBy(router, server, vip, family);
      await saysAs(server, vip, client.address(family), family);
      await throughAll([router], () => answersAt(vip));
    });

    test('forwarders let in only traffic that the rules allow', async () => {
      await goesBy(client, router, server.address(family), family);
      await goesBy(server, router, client.address(family), family);
      await isRefused(cloud, 'ingress', tcp(client, server, other, family));
      await isRefused(cloud, 'egress', ping(server, client, family));
    });

    test('forbidden traffic ends on every pass, and goes on when it is allowed again', async () => {
      await goesBy(client, router, server.address(family), family);
      await goesBy(server, firewall, client.address(family), family);
      const rule = await talks(family);
      const dialogue = await openDialogue(client, server, server.address(family));
      await dialogue.flows();
      await cloud.delete('security_group_rule', rule);
      await dialogue.stalls(cloud, 'client', { at: server, direction: 'ingress' });
      await dialogue.stalls(cloud, 'server', { at: server, direction: 'egress' });
      await talks(family);
      await dialogue.flows();
    });

    test.each([0, 1, 2])('holder %i of three of one MAC answers for its address', async (at) => {
      const vip = sharedVips[family];
      const active = holders[at] as Member;
      const prefix = `${vip}/${family === 4 ? 24 : 64}`;
      await active.run('ip', 'link', 'set', 'eth0', 'address', sharedMac);
      await active.run('ip', 'address', 'add', prefix, 'dev', 'eth0', ...(family === 6 ? ['nodad'] : []));
      try {
        await saysAs(active, vip, client.address(family), family);
        await client.runAnyway('ip', ['neighbour', 'flush', 'to', vip]);
        await answersAt(vip);
      } finally {
        await active.run('ip', 'address', 'del', prefix, 'dev', 'eth0');
        await active.run('ip', 'link', 'set', 'eth0', 'address', active.mac);
      }
    });
  });
});
