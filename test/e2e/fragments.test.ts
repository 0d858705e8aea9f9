/**
 * Datagrams larger than the MTU: all fragments of an allowed one arrive, no fragment of a forbidden one does,
 * whether the receiver's groups are stateful or not.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { fragmentsOf, ip, mac, udpFrame } from '../lib/frames.ts';
import { describeRoot } from '../lib/netns.ts';
import { datapath, datapathType } from '../lib/switch.ts';
import { until } from '../lib/wait.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';
import { isRefused, passes, ping, udp } from './traffic.ts';

const families = [4, 6] as const;
const kinds = ['stateful', 'stateless'] as const;

let cloud: Cloud;
let client: Member;
let server: Member;
const groups = { stateful: '', stateless: '' };

const wire = (family: 4 | 6) => ({
  from: mac(client.mac),
  to: mac(server.mac),
  src: ip(client.address(family)),
  dst: ip(server.address(family)),
});

/** Frames to the guest with a marker, up to a small datagram that is known to pass after them. */
async function carrying(word: string): Promise<number> {
  const last = Buffer.from(`the last ${Math.random()}`);
  await client.probe.send(udpFrame(wire(4), 4001, 80, last));
  const seen: Buffer[] = [];
  await until(
    async () => {
      seen.push(...(await server.probe.sniffed()).map(({ frame }) => frame));
      return seen.some((frame) => frame.includes(last));
    },
    { what: 'the last frame arrives' },
  );
  return seen.filter((frame) => frame.includes(word)).length;
}

let datagrams = 0;

/** A datagram in three fragments, each with the marker in it. */
function pieces(family: 4 | 6, port: number, word: string, length = 1400): Buffer[] {
  datagrams += 1;
  const payload = Buffer.alloc(2 * length + 600, word.padEnd(16, '.'));
  return fragmentsOf(udpFrame(wire(family), 4000, port, payload), [length, 2 * length], datagrams);
}

/**
 * Fragments that the switch holds because others of their datagram have not come, and fragments that it
 * released after its timeout of 15 s.
 */
async function pending(): Promise<{ held: number; letGo: number }> {
  const status = await cloud.switch.appctl('dpctl/ipf-get-status', datapath);
  const sum = (what: RegExp) =>
    [...status.matchAll(what)].reduce((total, [, count]) => total + Number(count), 0);
  return { held: sum(/num frag: (\d+)/g), letGo: sum(/frags expired: (\d+)/g) };
}

/** A kernel does not report the number of fragments that it holds. */
const testOfUserspace = test.skipIf(datapathType === 'system');

describeRoot('fragments', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({}, '192.0.2.0/24', '2001:db8:7::/64');
    const out = await cloud.group('out', { out: true });
    const range = { port_range_min: 80, port_range_max: 80 };
    for (const kind of kinds) {
      const both = ['IPv4', 'IPv6'].flatMap((ethertype) => [
        { ethertype, protocol: 'udp', ...range },
        { ethertype, protocol: 'udp', direction: 'egress' },
        { ethertype, protocol: ethertype === 'IPv4' ? 'icmp' : 'ipv6-icmp', direction: 'egress' },
      ]);
      const stateful = kind === 'stateful';
      groups[kind] = await cloud.group(kind, { stateful, rules: both });
    }
    [client, server] = (await cloud.guests(net, {
      client: { security_groups: [out] },
      server: { security_groups: [groups.stateful] },
    })) as [Member, Member];
    await server.probe.serve([], [80, 81]);
    await server.probe.sniff();
  });
  afterAll(() => cloud?.stop());
  beforeEach(() => server.probe.sniffed());

  test.each(kinds)('%s: large datagrams there and back, and none to a port without a rule', async (kind) => {
    await cloud.groupsOf(server, groups[kind]);
    for (const family of families) {
      await passes(udp(client, server, 80, { family, size: 8000 }), udp(client, server, 80, { family }));
      await isRefused(cloud, 'ingress', udp(client, server, 81, { family, size: 8000 }));
    }
  });

  test.each(kinds)('%s: large pings with a rule for them, and no piece of one without', async (kind) => {
    await cloud.groupsOf(server, groups[kind]);
    const pings = families.map((family) => ping(client, server, family, 3000));
    await isRefused(cloud, 'ingress', ...pings);
    const rules = [
      await cloud.rule(groups[kind], { protocol: 'icmp' }),
      await cloud.rule(groups[kind], { protocol: 'ipv6-icmp', ethertype: 'IPv6' }),
    ];
    await passes(...pings);
    for (const rule of rules) await cloud.delete('security_group_rule', rule);
    await isRefused(cloud, 'ingress', ...pings);
  });

  test.each(kinds.flatMap((kind) => families.map((family) => [kind, family] as const)))(
    '%s: of a forbidden datagram over IPv%i no fragment arrives, in any order',
    async (kind, family) => {
      await cloud.groupsOf(server, groups[kind]);
      for (const length of [1400, 800, 200])
        await client.probe.send(
          ...pieces(family, 81, 'forbidden', length),
          ...pieces(family, 81, 'forbidden', length).reverse(),
          // Fragments without a first one.
          ...pieces(family, 80, 'forbidden', length).slice(1),
        );
      expect(await carrying('forbidden')).toBe(0);
      await client.probe.send(...pieces(family, 80, 'allowed'));
      await client.probe.send(...pieces(family, 80, 'backwards').reverse());
      const arrived = { allowed: 0, backwards: 0 };
      await until(
        async () => {
          for (const { frame } of await server.probe.sniffed())
            for (const word of ['allowed', 'backwards'] as const)
              if (frame.includes(word)) arrived[word] += 1;
          return arrived.allowed >= 3 && arrived.backwards >= 3;
        },
        { what: 'the pieces of the allowed ones arrive' },
      );
    },
  );

  test.each(kinds)('%s: forbidden egress leaves in no fragment', async (kind) => {
    await cloud.groupsOf(server, groups[kind]);
    const blind = await cloud.group(`blind ${kind}`, {
      stateful: kind === 'stateful',
      rules: [{ direction: 'egress', protocol: 'udp', port_range_min: 81, port_range_max: 81 }],
    });
    const { security_groups } = client.port;
    await cloud.groupsOf(client, blind);
    await isRefused(cloud, 'egress', udp(client, server, 80, { size: 8000 }));
    await client.probe.send(...pieces(4, 80, 'unsaid'), ...pieces(4, 80, 'unsaid').reverse());
    await cloud.groupsOf(client, ...security_groups);
    expect(await carrying('unsaid')).toBe(0);
  });

  testOfUserspace(
    'fragments of incomplete datagrams go nowhere, also among packets of another lookup',
    async () => {
      await cloud.groupsOf(server, groups.stateful);
      const { held: before } = await pending();
      for (let times = 0; times < 8; times += 1) {
        const family = times % 2 === 0 ? 4 : 6;
        await client.probe.send(...pieces(family, 81, 'forbidden').slice(0, 2));
        await client.probe.send(...pieces(family, 81, 'forbidden').slice(1));
      }
      const { held, letGo } = await until(
        async () => {
          const now = await pending();
          return now.held >= before + 8 * 2 * 2 && now;
        },
        { what: 'all pieces are held' },
      );
      // Each of these begins a connection; the switch releases timed-out fragments during its lookup.
      await until(
        async () => {
          await Promise.all(families.map((family) => client.probe.udp(server.address(family), 80)));
          return (await pending()).letGo >= letGo + held;
        },
        { what: 'all pieces are let go', timeout: 40_000, interval: 50 },
      );
      expect(await carrying('forbidden')).toBe(0);
    },
  );

  test('a datagram of very many fragments is judged like any other', async () => {
    await cloud.groupsOf(server, groups.stateful);
    for (const family of families) {
      await passes(udp(client, server, 80, { family, size: 40_000 }));
      await isRefused(cloud, 'ingress', udp(client, server, 81, { family, size: 40_000 }));
    }
    await server.probe.sniffed();
    for (const family of families) {
      await isRefused(cloud, 'ingress', udp(client, server, 81, { family, size: 40_000 }));
      await passes(udp(client, server, 80, { family }));
    }
  });

  test('fragments of networks with a small MTU arrive, also after a restart of the switch', async () => {
    const narrow = await cloud.network({ mtu: 1000 }, '198.51.100.0/24');
    const narrowest = await cloud.network({ mtu: 404 }, '203.0.113.0/24');
    const inward = { rules: [{ protocol: 'icmp' }] };
    const both = { security_groups: [await cloud.group('pings', { out: true, ...inward })] };
    const [a, b] = (await cloud.guests(narrow, { a: both, b: both })) as [Member, Member];
    const [c, d] = (await cloud.guests(narrowest, { c: both, d: both })) as [Member, Member];
    const large = [ping(a, b, 4, 2000), ping(b, a, 4, 3000), ping(c, d, 4, 2000)];
    await passes(...large);
    await cloud.switch.restartVswitchd();
    await cloud.sync();
    await passes(...large);
  });

  test('fragments may be smaller than any network requires', async () => {
    await cloud.groupsOf(server, groups.stateful);
    for (const family of families) {
      await client.probe.send(...pieces(family, 80, 'fine', 400));
      await until(
        async () => (await server.probe.sniffed()).filter(({ frame }) => frame.includes('fine')).length >= 3,
        {
          what: `three pieces over IPv${family} arrive`,
        },
      );
      await client.probe.send(...pieces(family, 81, 'forbidden', 400));
    }
    expect(await carrying('forbidden')).toBe(0);
  });
});
