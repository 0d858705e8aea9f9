/**
 * Connections of protocols other than TCP and UDP end with the rule that let them in, and no others do. On
 * kernels the switch cannot flush them, although it accepts the request without an error.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildSctp, protocols } from '../../src/net/packet/transport.ts';
import { describeRoot } from '../lib/netns.ts';
import { datapath } from '../lib/switch.ts';
import { until } from '../lib/wait.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';

type Family = 4 | 6;

let cloud: Cloud;
let client: Member;
let other: Member;
let server: Member;

const families = [4, 6] as const;
/** GRE, ESP and an unassigned protocol: only addresses identify their connections. */
const raw = [protocols.gre, 50, 99] as const;

function crc32c(data: Buffer): number {
  let rest = 0xffffffff;
  for (const byte of data) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? 0x82f63b78 : 0);
  }
  return ~rest >>> 0;
}

/** A packet of one chunk; the receiver chose its `tag`. */
function sctp(from: number, to: number, tag: number, chunk: Buffer): Buffer {
  const packet = buildSctp(from, to, chunk);
  packet.writeUInt32BE(tag, 4);
  packet.writeUInt32LE(crc32c(packet), 8);
  return packet;
}

function chunk(type: number, body: Buffer): Buffer {
  const head = Buffer.from([type, 0, 0, 4 + body.length]);
  return Buffer.concat([head, body]);
}

/** INIT or its acknowledgement: the sender's tag, a window, one stream each way, a first number. */
const beginning = (type: number, tag: number): Buffer => {
  const body = Buffer.alloc(16);
  for (const [value, at] of [
    [tag, 0],
    [65_535, 4],
    [0x00010001, 8],
    [1, 12],
  ] as const)
    body.writeUInt32BE(value, at);
  return chunk(type, body);
};

/** The four packets that establish an association (RFC 9260 5.1), and the sender of each. */
const handshake = (from: number): readonly [asks: boolean, packet: Buffer][] => [
  [true, sctp(from, 80, 0, beginning(1, 11))],
  [false, sctp(80, from, 11, beginning(2, 22))],
  [true, sctp(from, 80, 22, chunk(10, Buffer.alloc(4)))],
  [false, sctp(80, from, 11, chunk(11, Buffer.alloc(0)))],
];

/** Connections of a guest with the server that the switch tracks, one text each. */
async function live(member: Member): Promise<string[]> {
  const dump = await cloud.switch.appctl('dpctl/dump-conntrack', datapath);
  const ends = families.map((family) => `orig=(src=${member.address(family)},dst=${server.address(family)},`);
  return dump.split('\n').filter((line) => ends.some((end) => line.includes(end)));
}

/** Each packet has arrived before its answer is sent, because connection tracking depends on the order. */
async function carry(from: Member, to: Member, family: Family, protocol: number, packet: Buffer) {
  await to.probe.sniffed();
  await from.probe.sendProtocol(to.address(family), protocol, packet);
  const arrived = async () => (await to.probe.sniffed()).some(({ frame }) => frame.includes(packet));
  await until(arrived, {
    what: `protocol ${protocol} from ${from.port.name} over IPv${family}`,
    interval: 20,
  });
}

async function talk(member: Member): Promise<void> {
  for (const family of families) {
    for (const protocol of raw) {
      // For GRE this is a header with its payload (RFC 2784).
      const packet = Buffer.from([0, 0, 8, 0, ...Buffer.from(`${member.port.name} talks ${protocol}`)]);
      await carry(member, server, family, protocol, packet);
      await carry(server, member, family, protocol, packet);
    }
    for (const [asks, packet] of handshake(4000))
      if (asks) await carry(member, server, family, protocols.sctp, packet);
      else await carry(server, member, family, protocols.sctp, packet);
    expect(await member.pings(server.address(family))).toBe(true);
    expect(await member.probe.udp(server.address(family), 80)).toBe('ok');
  }
}

/** The metrics of the connection table. */
async function fullness(): Promise<{ readonly connections: number; readonly max: number }> {
  const page = String((await cloud.api('GET', '/metrics')).body);
  const figure = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(page)?.[1]);
  return { connections: figure('portcullis_connections'), max: figure('portcullis_connections_max') };
}

/** For each family: the raw protocols, SCTP, UDP and a ping. */
const each = families.length * (raw.length + 3);

describeRoot('connections of all protocols', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({}, '192.0.2.0/24', '2001:db8:7::/64');
    const out = await cloud.group('out', { out: true });
    [client, other, server] = (await cloud.guests(net, {
      client: { security_groups: [out] },
      other: { security_groups: [out] },
      server: { security_groups: [] },
    })) as [Member, Member, Member];
    await server.probe.serve([], [80]);
    for (const { probe } of [client, other, server]) await probe.sniff();
  });
  afterAll(() => cloud?.stop());

  test('exactly those that lost their rule are cut and counted', async () => {
    const inward = await cloud.group('inward');
    await cloud.groupsOf(server, inward);
    const allow = (member: Member, family: Family) =>
      cloud.rule(inward, {
        ethertype: `IPv${family}`,
        remote_ip_prefix: `${member.address(family)}/${family === 4 ? 32 : 128}`,
      });
    const rules: string[] = [];
    for (const family of families) {
      rules.push(await allow(client, family));
      await allow(other, family);
    }
    await talk(client);
    await talk(other);
    await cloud.sync();
    const before = await live(client);
    const kept = await live(other);
    expect([before.length, kept.length]).toEqual([each, each]);
    const room = await fullness();
    expect(room.connections).toBeGreaterThanOrEqual(2 * each);
    expect(room.max).toBeGreaterThan(room.connections);

    for (const rule of rules) await cloud.api('DELETE', `/v2.0/security-group-rules/${rule}`);
    const { cut } = (await cloud.sync()) as { cut: number };
    const after = await live(client);
    expect(after).toEqual([]);
    expect(cut).toBe(before.length - after.length);
    const withoutState = (lines: readonly string[]) =>
      lines.map((line) => line.replace(/,protoinfo=.*/, '')).sort();
    expect(withoutState(await live(other))).toEqual(withoutState(kept));
    expect(await cloud.sync()).toMatchObject({ cut: 0 });
  });
});
