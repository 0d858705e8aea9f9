/** A third guest receives no packet between two others, even with port security off. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { macFromBits } from '../../src/net/mac.ts';
import { ip, mac, udpFrame } from '../lib/frames.ts';
import { describeRoot } from '../lib/netns.ts';
import { until } from '../lib/wait.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';
import { passes, ping, tcp, udp } from './traffic.ts';

let cloud: Cloud;
let one: Member;
let two: Member;
let guarded: Member;
let open: Member;

const broadcastBit = 1;

/** Destinations of unicast frames that a guest received, up to and including one that is addressed to it. */
async function unicastSeen(listener: Member): Promise<string[]> {
  const nonce = Buffer.from(`to you alone ${Math.random()}`);
  const link = { from: mac(one.mac), to: mac(listener.mac), src: ip(one.ip), dst: ip(listener.ip) };
  await one.probe.send(udpFrame(link, 4000, 4000, nonce));
  const seen: Buffer[] = [];
  await until(
    async () => {
      seen.push(...(await listener.probe.sniffed()).map(({ frame }) => frame));
      return seen.some((frame) => frame.includes(nonce));
    },
    { what: 'the last frame arrives' },
  );
  return seen
    .filter((frame) => (frame.readUInt8(0) & broadcastBit) === 0)
    .map((frame) => frame.toString('hex', 0, 6));
}

describeRoot('unicast', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({}, '192.0.2.0/24', '2001:db8:7::/64');
    const rules = ['IPv4', 'IPv6'].map((ethertype) => ({ ethertype }));
    const security_groups = [await cloud.group('open', { out: true, rules })];
    [one, two, guarded, open] = (await cloud.guests(net, {
      one: { security_groups },
      two: { security_groups },
      guarded: { security_groups },
      open: { port_security_enabled: false },
    })) as [Member, Member, Member, Member];
    for (const { probe } of [one, two]) await probe.serve([80], [80]);
    for (const { probe } of [guarded, open]) await probe.sniff();
  });
  afterAll(() => cloud?.stop());

  test('a third guest sees none of it, from the first packet on', async () => {
    // No guest knows the others: a learning switch would flood these first packets.
    for (const member of [one, two]) await member.run('ip', 'neigh', 'flush', 'dev', 'eth0');
    for (const listener of [guarded, open]) await listener.probe.sniffed();
    await passes(ping(one, two), ping(two, one, 6), tcp(one, two, 80), udp(two, one, 80, { size: 8000 }));
    for (const listener of [guarded, open]) {
      const seen = await unicastSeen(listener);
      expect(new Set(seen)).toEqual(new Set([listener.mac.replaceAll(':', '')]));
    }
  });

  test('packets to an unknown MAC reach nobody', async () => {
    const nobody = macFromBits(0x02_00_00_00_00_99n);
    for (const listener of [guarded, open]) await listener.probe.sniffed();
    const before = await cloud.dropped(one.id, 'egress', 'unknown-destination');
    const link = { from: mac(one.mac), to: nobody, src: ip(one.ip), dst: ip('192.0.2.99') };
    await one.probe.send(udpFrame(link, 4000, 4000));
    for (const listener of [guarded, open])
      expect(new Set(await unicastSeen(listener))).toEqual(new Set([listener.mac.replaceAll(':', '')]));
    await until(async () => (await cloud.dropped(one.id, 'egress', 'unknown-destination')) === before + 1, {
      what: 'it is counted',
      interval: 50,
    });
  });
});
