/** The guards on real frames from a real guest: each forged frame is dropped and counted under its reason. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatCidr, lastOf, linkLocalOf } from '../../src/net/cidr.ts';
import { broadcastMac } from '../../src/net/mac.ts';
import { neighbourMessage, targetOption } from '../../src/net/packet/icmpv6.ts';
import {
  arpRequest,
  dhcpFrame,
  echoFrame,
  groupMac,
  icmpFrame,
  ip,
  mac,
  tagged,
  udpFrame,
  withSource,
} from '../lib/frames.ts';
import { describeRoot } from '../lib/netns.ts';
import { until } from '../lib/wait.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';

const foreignMac = mac('02:00:00:00:be:ef');
const marker = Buffer.from('portcullis marker');

let cloud: Cloud;
let strict: Member;
let macOnly: Member;
let off: Member;
let witness: Member;
let wide: Member;

/**
 * Frames of `sender` that arrive at the witness. A frame that is known to pass follows them. The switch
 * forwards in order, so frames that have not come by then are dropped.
 */
async function arrivals(sender: Member, frames: readonly Buffer[]): Promise<Buffer[]> {
  const link = { from: mac(sender.mac), to: mac(witness.mac), src: ip(sender.ip), dst: ip(witness.ip) };
  const nonce = Buffer.concat([marker, Buffer.from(String(Math.random()))]);
  await witness.probe.sniffed();
  await sender.probe.send(...frames, udpFrame(link, 4000, 4000, nonce));
  const seen: Buffer[] = [];
  await until(
    async () => {
      seen.push(...(await witness.probe.sniffed()).map(({ frame }) => frame));
      return seen.some((frame) => frame.includes(nonce));
    },
    { what: 'the marker arrives' },
  );
  return seen.filter((frame) => frames.some((sent) => frame.equals(sent)));
}

describeRoot('port security', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({}, '192.0.2.0/24', '2001:db8:7::/64');
    const rules = ['IPv4', 'IPv6'].map((ethertype) => ({ ethertype }));
    const open = await cloud.group('open', { out: true, rules });
    const security_groups = [open];
    const everything = [{ ip_address: '0.0.0.0/0' }, { ip_address: '::/0' }];
    [strict, macOnly, off, witness, wide] = (await cloud.guests(net, {
      strict: { security_groups },
      'mac-only': { security_groups, port_security_mode: 'mac-only' },
      off: { port_security_enabled: false },
      // It receives all frames for its MAC, so that the receiver's own guard hides nothing.
      witness: { port_security_enabled: false },
      wide: { security_groups, allowed_address_pairs: everything },
    })) as [Member, Member, Member, Member, Member];
    await witness.probe.sniff();
  });
  afterAll(() => cloud?.stop());

  /** One forged frame of each kind: reason, frame. */
  function lies(from: Member): Record<string, readonly [reason: string, frame: Buffer]> {
    const own = mac(from.mac);
    const to = mac(witness.mac);
    const link = { from: own, to, src: ip(from.ip), dst: ip(witness.ip) };
    const v6 = { from: own, to, src: ip(from.ip6), dst: ip(witness.ip6) };
    const all = ip('ff02::1');
    const toAll = { from: own, to: groupMac(all) ?? to, src: ip('fe80::1'), dst: all, hopLimit: 255 };
    const honest = echoFrame(link, 'request');
    return {
      'foreign MAC': ['mac-spoof', withSource(honest, foreignMac)],
      'foreign IPv4 address': ['ip-spoof', echoFrame({ ...link, src: ip('192.0.2.200') }, 'request')],
      'foreign IPv6 address': ['ip-spoof', echoFrame({ ...v6, src: ip('2001:db8:7::bad') }, 'request')],
      'foreign ARP sender': ['arp-spoof', arpRequest(own, ip('192.0.2.200'), ip(witness.ip))],
      'gratuitous ARP': ['arp-spoof', arpRequest(own, ip(witness.ip), ip(witness.ip))],
      'router advertisement': [
        'ra',
        icmpFrame(toAll, { type: 134, code: 0, rest: 0x40000708, body: Buffer.alloc(8) }),
      ],
      'DHCP server': ['dhcp-server', dhcpFrame({ ...link, to: broadcastMac }, 'server', own)],
      'VLAN tag': ['vlan-tagged', tagged(honest)],
      'EtherType of its own': [
        'ethertype',
        Buffer.concat([honest.subarray(0, 12), Buffer.from('88b5', 'hex'), Buffer.alloc(50)]),
      ],
      'multicast source': ['multicast-source', withSource(honest, mac('03:00:00:00:00:01'))],
    };
  }

  test('an honest packet of a strict port passes', async () => {
    const link = { from: mac(strict.mac), to: mac(witness.mac), src: ip(strict.ip), dst: ip(witness.ip) };
    const honest = echoFrame(link, 'request');
    expect(await arrivals(strict, [honest])).toEqual([honest]);
    expect(await strict.pings(witness.ip)).toBe(true);
    expect(await strict.pings(witness.ip6)).toBe(true);
  });

  test('every forged frame of a strict port is dropped and counted under its reason', async () => {
    const told = Object.entries(lies(strict));
    expect(
      await arrivals(
        strict,
        told.map(([, [, frame]]) => frame),
      ),
    ).toEqual([]);
    const before = await cloud.drops(strict.id);
    const count = 7;
    for (const [, [, frame]] of told) await strict.probe.send(...Array.from({ length: count }, () => frame));
    const of = (drops: typeof before, reason: string) =>
      drops.find((drop) => drop.direction === 'egress' && drop.reason === reason)?.packets ?? 0;
    const expected = Object.fromEntries(told.map(([, [reason]]) => [reason, 0]));
    for (const [, [reason]] of told) expected[reason] = (expected[reason] ?? 0) + count;
    const reasons = Object.keys(expected);
    await until(
      async () => {
        const after = await cloud.drops(strict.id);
        return reasons.every((reason) => of(after, reason) - of(before, reason) >= (expected[reason] ?? 0));
      },
      { what: 'all lies are counted', interval: 100 },
    );
    const after = await cloud.drops(strict.id);
    const counted = Object.fromEntries(
      reasons.map((reason) => [reason, of(after, reason) - of(before, reason)]),
    );
    expect(counted).toEqual(expected);

    const printed = await cloud.cli('counters', strict.id);
    for (const reason of reasons)
      expect(printed).toMatch(new RegExp(`^egress +${reason} +- +${of(after, reason)} +\\d+$`, 'm'));
  });

  test('a mac-only port may use any address, with its own MAC alone', async () => {
    const link = { from: mac(macOnly.mac), to: mac(witness.mac), src: ip('10.99.0.1'), dst: ip(witness.ip) };
    const own = [
      echoFrame(link, 'request'),
      echoFrame({ ...link, src: ip('2001:db8:99::1'), dst: ip(witness.ip6) }, 'request'),
      arpRequest(link.from, ip('10.99.0.1'), ip('10.99.0.2')),
    ];
    expect(await arrivals(macOnly, own)).toEqual(own);
    const told = lies(macOnly);
    const forbidden = ['foreign MAC', 'router advertisement', 'DHCP server', 'VLAN tag', 'multicast source'];
    const frames = forbidden.map((kind) => told[kind]?.[1] ?? Buffer.alloc(0));
    expect(await arrivals(macOnly, frames)).toEqual([]);
    const foreignSender = withSource(arpRequest(foreignMac, ip('10.99.0.1'), ip('10.99.0.2')), link.from);
    expect(await arrivals(macOnly, [foreignSender])).toEqual([]);
  });

  test('a port without port security may send anything', async () => {
    // The switch itself drops frames with a multicast source.
    const told = Object.entries(lies(off)).filter(([kind]) => kind !== 'multicast source');
    const arrived = await arrivals(
      off,
      told.map(([, [, frame]]) => frame),
    );
    const kinds = told.filter(([, [, frame]]) => arrived.some((seen) => seen.equals(frame)));
    expect(kinds.map(([kind]) => kind)).toEqual(told.map(([kind]) => kind));
    expect(arrived).toHaveLength(told.length);
    expect((await cloud.drops(off.id)).filter(({ packets }) => packets > 0)).toEqual([]);
  });

  test('a strict port without port security for a while is judged by the present rules', async () => {
    const [, frame] = lies(strict)['foreign IPv4 address'] ?? [];
    const sent = frame ?? Buffer.alloc(0);
    const { security_groups } = strict.port;
    await cloud.update('port', strict.id, { security_groups: [], port_security_enabled: false });
    expect(await arrivals(strict, [sent])).toEqual([sent]);
    await cloud.update('port', strict.id, { security_groups, port_security_enabled: true });
    expect(await arrivals(strict, [sent])).toEqual([]);
    await cloud.update('port', strict.id, { port_security_mode: 'mac-only' });
    expect(await arrivals(strict, [sent])).toEqual([sent]);
    await cloud.update('port', strict.id, { port_security_mode: 'strict' });
    expect(await arrivals(strict, [sent])).toEqual([]);
  });

  test('a pair of every address gives only addresses that a guest can have and nobody else holds', async () => {
    const own = mac(wide.mac);
    const to = mac(witness.mac);
    const from = (text: string) =>
      udpFrame(
        { from: own, to, src: ip(text), dst: ip(text.includes(':') ? witness.ip6 : witness.ip) },
        7,
        7,
      );
    const spoken = (text: string) => {
      const address = ip(text);
      const hint = { from: own, to, src: linkLocalOf(own), dst: ip(witness.ip6), hopLimit: 255 };
      if (address.family === 4) return [from(text), arpRequest(own, address, ip(witness.ip))];
      return [from(text), icmpFrame(hint, neighbourMessage(136, 0x20000000, address, [targetOption(own)]))];
    };
    const free = ['203.0.113.9', '192.0.2.200', '2001:db8:ffff::9', '2001:db8:7::200', 'fe80::dead'];
    const truths = free.flatMap(spoken);
    expect(await arrivals(wide, truths)).toHaveLength(truths.length);
    const nobodys = ['224.0.0.18', '127.0.0.1', '0.0.0.0', '255.255.255.255', '192.0.2.255'];
    const nobodys6 = ['ff02::1', '::1', '::', '::ffff:10.0.0.1'];
    const gateways = ['192.0.2.1', '2001:db8:7::1', '169.254.169.254', 'fe80::a9fe:a9fe'];
    const others = [strict.ip, strict.ip6, formatCidr(linkLocalOf(mac(strict.mac)))];
    const told = [...nobodys, ...nobodys6, ...gateways, ...others].flatMap(spoken);
    // Without a sender address, the request is a probe for the witness's own address: not the port's either.
    expect(await arrivals(wide, told)).toEqual([]);
  });

  test('a subnet broadcast of a strict port reaches the others and is not echoed', async () => {
    const subnet = ip('192.0.2.255');
    expect(lastOf(subnet)).toBe(subnet.bits);
    const frame = udpFrame(
      { from: mac(strict.mac), to: broadcastMac, src: ip(strict.ip), dst: subnet },
      5000,
      5000,
    );
    await strict.probe.sniff();
    expect(await arrivals(strict, [frame])).toEqual([frame]);
    expect((await strict.probe.sniffed()).filter((seen) => seen.frame.equals(frame))).toEqual([]);
  });
});
