/** Security groups as tenants use them, with the kernel's own TCP, UDP, ICMP and fragments between guests. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { dropTimeout } from '../lib/probe.ts';
import { until } from '../lib/wait.ts';
import { type Attributes, type Cloud, type Member, startCloud } from './cloud.ts';

const quick = { timeout: dropTimeout };
const experimental = 253;

let cloud: Cloud;
let one: Member;
let two: Member;
let stranger: Member;
let bare: Member;
/** Makes names of groups unique. */
let fresh = 0;

const groupsOf = (member: Member, ...groups: readonly string[]) =>
  cloud.update('port', member.id, { security_groups: groups });

/** `to` gets a group with exactly these rules; `from` may send anything. */
async function onlyRules(from: Member, to: Member, ...rules: readonly Attributes[]): Promise<string> {
  fresh += 1;
  const out = await cloud.group(`out-${fresh}`, { out: true });
  const inward = await cloud.group(`in-${fresh}`, { rules });
  await cloud.write('port', from.id, { security_groups: [out] });
  await groupsOf(to, inward);
  return inward;
}

describeRoot('security groups', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({}, '192.0.2.0/24', '2001:db8:7::/64');
    const other = await cloud.group('other', { out: true });
    [one, two, stranger, bare] = (await cloud.guests(net, {
      one: {},
      two: {},
      stranger: { security_groups: [other] },
      bare: { security_groups: [] },
    })) as [Member, Member, Member, Member];
    await Promise.all([one, two, stranger, bare].map(({ probe }) => probe.serve([80, 81, 82], [80, 81, 82])));
  });
  afterAll(() => cloud?.stop());
  beforeEach(async () => {
    const group = await cloud.defaultGroup();
    for (const { id } of [one, two]) await cloud.write('port', id, { security_groups: [group] });
    await cloud.sync();
  });

  test('members of the default group reach each other, others do not reach them', async () => {
    for (const address of [two.ip, two.ip6]) {
      expect(await one.pings(address)).toBe(true);
      expect(await one.probe.tcp(address, 80)).toBe('ok');
      expect(await one.probe.udp(address, 80)).toBe('ok');
    }
    const before = await cloud.dropped(two.id, 'ingress', 'ingress-rules');
    const refused = [two.ip, two.ip6].flatMap((address) => [
      stranger.probe.tcp(address, 80, quick),
      stranger.probe.udp(address, 80, quick),
      stranger.pings(address),
    ]);
    expect(await Promise.all(refused)).toEqual(['timeout', 'timeout', false, 'timeout', 'timeout', false]);
    await until(async () => (await cloud.dropped(two.id, 'ingress', 'ingress-rules')) >= before + 8, {
      what: 'the refused packets are counted at the receiver',
      interval: 100,
    });
  });

  test('replies pass whatever the rules of the other direction are', async () => {
    // The stranger's group has no ingress rule; the other group lets nothing in from it.
    expect(await one.probe.tcp(stranger.ip, 80, quick)).toBe('timeout');
    await onlyRules(stranger, two, { protocol: 'tcp' }, { protocol: 'udp' }, { protocol: 'icmp' });
    // `two` may begin nothing and `stranger` accepts nothing, so the packets that pass are replies.
    expect(await stranger.probe.tcp(two.ip, 80)).toBe('ok');
    expect(await stranger.probe.udp(two.ip, 80)).toBe('ok');
    expect(await stranger.pings(two.ip)).toBe(true);
    expect(await two.probe.tcp(stranger.ip, 80, quick)).not.toBe('ok');
    expect(await two.pings(stranger.ip)).toBe(false);
  });

  test('--remote-group: only members, and leaving it counts at once', async () => {
    const club = await cloud.group('club', { out: true });
    await onlyRules(one, two, { protocol: 'tcp', remote_group_id: club });
    expect(await one.probe.tcp(two.ip, 80, quick)).toBe('timeout');
    await groupsOf(one, club);
    expect(await one.probe.tcp(two.ip, 80)).toBe('ok');
    await one.probe.hold('club', two.ip, 80);
    expect(await one.probe.through('club')).toBe('ok');
    expect(await stranger.probe.tcp(two.ip, 80, quick)).toBe('timeout');
    await groupsOf(one, await cloud.group('nobody', { out: true }));
    expect(await one.probe.tcp(two.ip, 80, quick)).toBe('timeout');
  });

  test('--remote-ip: an address and a prefix, of both families', async () => {
    await onlyRules(
      one,
      two,
      { protocol: 'tcp', remote_ip_prefix: `${one.ip}/32`, port_range_min: 80, port_range_max: 80 },
      { protocol: 'tcp', remote_ip_prefix: '192.0.2.0/24', port_range_min: 81, port_range_max: 81 },
      { protocol: 'tcp', remote_ip_prefix: '198.51.100.0/24', port_range_min: 82, port_range_max: 82 },
      { protocol: 'udp', ethertype: 'IPv6', remote_ip_prefix: `${one.ip6}/128` },
    );
    expect(await one.probe.tcp(two.ip, 80)).toBe('ok');
    expect(await one.probe.tcp(two.ip, 81)).toBe('ok');
    expect(await stranger.probe.tcp(two.ip, 81)).toBe('ok');
    expect(await one.probe.udp(two.ip6, 80)).toBe('ok');
    expect(
      await Promise.all([
        stranger.probe.tcp(two.ip, 80, quick),
        one.probe.tcp(two.ip, 82, quick),
        stranger.probe.udp(two.ip6, 80, quick),
        one.probe.tcp(two.ip6, 80, quick),
      ]),
    ).toEqual(['timeout', 'timeout', 'timeout', 'timeout']);
  });

  test('port ranges include both ends and exclude the port after them', async () => {
    const range = { port_range_min: 80, port_range_max: 81 };
    await onlyRules(
      one,
      two,
      { protocol: 'tcp', ...range },
      { protocol: 'udp', ethertype: 'IPv6', ...range },
    );
    for (const port of [80, 81]) {
      expect(await one.probe.tcp(two.ip, port)).toBe('ok');
      expect(await one.probe.udp(two.ip6, port)).toBe('ok');
    }
    expect(
      await Promise.all([
        one.probe.tcp(two.ip, 82, quick),
        one.probe.udp(two.ip6, 82, quick),
        one.probe.udp(two.ip, 80, quick),
      ]),
    ).toEqual(['timeout', 'timeout', 'timeout']);
  });

  test('ICMP types, type 0 included', async () => {
    const echo = { protocol: 'icmp', port_range_min: 8, port_range_max: 0 };
    const inward = await onlyRules(one, two, { ...echo, port_range_min: 0 });
    // Type 0 is the answer to an echo: it does not let the request in.
    expect(await one.pings(two.ip)).toBe(false);
    await cloud.rule(inward, echo);
    expect(await one.pings(two.ip)).toBe(true);
    expect(await one.pings(two.ip6)).toBe(false);
    await cloud.rule(inward, { ethertype: 'IPv6', protocol: 'icmpv6', port_range_min: 128 });
    expect(await one.pings(two.ip6)).toBe(true);
    expect(await one.probe.udp(two.ip, 80, quick)).toBe('timeout');
  });

  test('a rule for ICMP type 0 is not one for all types', async () => {
    const inward = await onlyRules(one, two, { protocol: 'icmp', port_range_min: 0, port_range_max: 0 });
    await two.probe.sniff('types');
    const message = (type: number) => {
      const bytes = Buffer.from([type, 0, 0, 0, 0, 7, 0, 1]);
      bytes.writeUInt16BE(0xffff - ((type << 8) + 8), 2);
      return bytes;
    };
    const before = await cloud.dropped(two.id, 'ingress', 'ingress-rules');
    for (const type of [13, 8]) await one.probe.sendProtocol(two.ip, 1, message(type));
    await until(async () => (await cloud.dropped(two.id, 'ingress', 'ingress-rules')) === before + 2, {
      what: 'both are counted',
      interval: 100,
    });
    await cloud.rule(inward, { protocol: 'icmp', port_range_min: 13 });
    for (const type of [8, 13]) await one.probe.sendProtocol(two.ip, 1, message(type));
    const types: number[] = [];
    await until(
      async () => {
        for (const { frame } of await two.probe.sniffed('types'))
          if (frame.readUInt16BE(12) === 0x0800 && frame[23] === 1) types.push(frame[34] ?? -1);
        return types.includes(13);
      },
      { what: 'the type that is allowed arrives' },
    );
    expect(types).toEqual([13]);
  });

  test('protocol numbers', async () => {
    await onlyRules(one, two, { protocol: String(experimental) }, { protocol: '17', ethertype: 'IPv6' });
    await two.probe.sniff('protocols');
    for (const protocol of [experimental + 1, experimental])
      await one.probe.sendProtocol(two.ip, protocol, Buffer.from('payload'));
    const seen: number[] = [];
    await until(
      async () => {
        for (const { frame } of await two.probe.sniffed('protocols'))
          if (frame.readUInt16BE(12) === 0x0800 && frame.includes('payload')) seen.push(frame[23] ?? -1);
        return seen.includes(experimental);
      },
      { what: 'the protocol that is allowed arrives' },
    );
    expect(seen).toEqual([experimental]);
    expect(await one.probe.udp(two.ip6, 80)).toBe('ok');
    expect(await one.probe.tcp(two.ip6, 80, quick)).toBe('timeout');
  });

  test("egress rules restrict a member's packets", async () => {
    const range = { port_range_min: 80, port_range_max: 80 };
    const rules = [{ direction: 'egress', protocol: 'tcp', ...range }];
    await onlyRules(one, two, {});
    await groupsOf(one, await cloud.group('egress', { rules }));
    expect(await one.probe.tcp(two.ip, 80)).toBe('ok');
    const before = await cloud.dropped(one.id, 'egress', 'egress-rules');
    expect(await one.probe.tcp(two.ip, 81, quick)).not.toBe('ok');
    await until(async () => (await cloud.dropped(one.id, 'egress', 'egress-rules')) > before, {
      what: 'counted at the sender',
      interval: 100,
    });
  });

  test('a port with port security and no group gets nothing but ARP and ND', async () => {
    await onlyRules(one, two, {}, { ethertype: 'IPv6' });
    await bare.probe.sniff('bare');
    for (const member of [bare, one]) await member.run('ip', 'neigh', 'flush', 'dev', 'eth0');
    expect(
      await Promise.all([
        one.probe.tcp(bare.ip, 80, quick),
        one.probe.udp(bare.ip, 80, quick),
        one.pings(bare.ip),
        one.pings(bare.ip6),
        bare.pings(two.ip),
        bare.pings(two.ip6),
        bare.probe.tcp(two.ip, 80, quick),
      ]),
    ).toEqual(['timeout', 'timeout', false, false, false, false, 'timeout']);
    // Its neighbours have its MAC in their caches, and it has theirs.
    for (const [who, whom] of [
      [one, bare],
      [bare, two],
    ] as const)
      for (const address of [whom.ip, whom.ip6])
        expect(await who.run('ip', 'neigh', 'show', address)).toContain(whom.mac);
    const types = new Set<string>();
    for (const { frame } of await bare.probe.sniffed('bare')) {
      const type = frame.readUInt16BE(12);
      if (type === 0x0806) types.add('arp');
      else if (type === 0x86dd && frame[20] === 58) types.add(`icmpv6 ${frame[54]}`);
      else if (type === 0x86dd && frame[20] === 0) types.add('hop-by-hop');
      else types.add(frame.toString('hex'));
    }
    for (const type of types) expect(type).toMatch(/^(arp|icmpv6 13[3-6]|hop-by-hop)$/);
  });

  test('a change on a live port is in force when sync returns, and allowed connections live on', async () => {
    const inward = await onlyRules(one, two, { protocol: 'udp' });
    const range = { port_range_min: 80, port_range_max: 80 };
    expect(await one.probe.tcp(two.ip, 80, quick)).toBe('timeout');
    const rule = await cloud.rule(inward, { protocol: 'tcp', ...range });
    expect(await one.probe.tcp(two.ip, 80)).toBe('ok');
    await one.probe.hold('kept', two.ip, 80);
    await cloud.rule(inward, { protocol: 'tcp', remote_ip_prefix: '192.0.2.0/24' });
    await cloud.delete('security_group_rule', rule);
    expect(await one.probe.through('kept')).toBe('ok');
    expect(await one.probe.tcp(two.ip, 81)).toBe('ok');
  });

  test('UDP in fragments passes a port rule, there and back', async () => {
    const range = { port_range_min: 80, port_range_max: 80 };
    await onlyRules(
      one,
      two,
      { protocol: 'udp', ...range },
      { protocol: 'udp', ethertype: 'IPv6', ...range },
    );
    for (const address of [two.ip, two.ip6]) {
      expect(await one.probe.udp(address, 80, { size: 8000 })).toBe('ok');
      expect(await one.probe.udp(address, 81, { size: 8000, ...quick })).toBe('timeout');
    }
  });
});
