import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Cidr, parseIp } from '../cidr.ts';
import { type Mac, macFromBits, parseMac } from '../mac.ts';
import { buildArp, parseArp } from './arp.ts';
import { checksum } from './checksum.ts';
import { buildDhcp, parseDhcp } from './dhcp.ts';
import { buildEthernet, etherTypes, parseEthernet } from './ethernet.ts';
import { parseFrame, parseQuoted } from './frame.ts';
import { buildIcmp } from './icmp.ts';
import { neighbourMessage, parseNeighbour, solicitedNode, sourceOption, targetOption } from './icmpv6.ts';
import { buildIpv4, type Ipv4, parseIpv4 } from './ipv4.ts';
import { buildIpv6, type Extension, type Ipv6, parseIpv6 } from './ipv6.ts';
import { buildTcp, buildUdp } from './transport.ts';

function ip(text: string): Cidr {
  const parsed = parseIp(text);
  if (parsed === null) throw new Error(`no address: ${text}`);
  return parsed;
}
const mac = (text: string): Mac => parseMac(text) ?? macFromBits(0n);
const a = mac('02:00:00:00:00:0a');
const b = mac('02:00:00:00:00:0b');
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((data) => Buffer.from(data));

const ipv4 = (over: Partial<Ipv4> = {}): Ipv4 => ({
  src: ip('192.168.0.1'),
  dst: ip('192.168.0.199'),
  protocol: 17,
  ttl: 64,
  tos: 0,
  id: 0,
  dontFragment: true,
  moreFragments: false,
  fragmentOffset: 0,
  options: Buffer.alloc(0),
  ...over,
});

const ipv6 = (over: Partial<Ipv6> = {}): Ipv6 => ({
  src: ip('2001:db8::1'),
  dst: ip('2001:db8::2'),
  hopLimit: 64,
  trafficClass: 0,
  flowLabel: 0,
  extensions: [],
  protocol: 17,
  ...over,
});

const framed = (type: number, payload: Uint8Array) =>
  buildEthernet({ dst: b, src: a, tags: [], type }, payload);

describe('checksums', () => {
  test('an IPv4 header as published has the published sum', () => {
    const built = buildIpv4(ipv4(), Buffer.alloc(0x73 - 20));
    expect(built.subarray(0, 20).toString('hex')).toBe(
      '450000730000400040 11b861c0a80001c0a800c7'.replace(' ', ''),
    );
  });

  test('parts of odd length sum like one string', () => {
    fc.assert(fc.property(bytes(9), bytes(9), (x, y) => checksum(x, y) === checksum(Buffer.concat([x, y]))));
  });

  test('a flipped bit of a segment is noticed', () => {
    fc.assert(
      fc.property(bytes(40), fc.nat(27), fc.nat(7), (data, at, bit) => {
        const good = buildUdp(ip('10.0.0.1'), ip('10.0.0.2'), 1000, 2000, data);
        const frame = (segment: Buffer) =>
          parseFrame(
            framed(etherTypes.ipv4, buildIpv4(ipv4({ src: ip('10.0.0.1'), dst: ip('10.0.0.2') }), segment)),
          );
        const upper = frame(good)?.ip?.upper;
        expect(upper).toMatchObject({ kind: 'segment', srcPort: 1000, dstPort: 2000, sound: true });
        const bad = Buffer.from(good);
        const index = at % bad.length;
        // A flip in bytes 6 and 7 may make the sum zero, which means "no checksum".
        if (index === 6 || index === 7) return;
        bad.writeUInt8(bad.readUInt8(index) ^ (1 << bit), index);
        expect(frame(bad)?.ip?.upper).toMatchObject({ sound: false });
      }),
    );
  });
});

describe('layers survive a round trip', () => {
  test('ethernet with tags, and SNAP read as its ethertype', () => {
    const tags = [
      { tpid: 0x88a8, tci: 5 },
      { tpid: 0x8100, tci: 0 },
    ];
    const header = { dst: b, src: a, tags, type: 0x0800 };
    expect(parseEthernet(buildEthernet(header, Buffer.from('x')))).toEqual({
      header,
      payload: Buffer.from('x'),
    });
    const snap = Buffer.concat([Buffer.from('aaaa030000000806', 'hex'), Buffer.from('x')]);
    expect(parseEthernet(buildEthernet({ ...header, tags: [], type: null }, snap))?.header.type).toBe(0x0806);
    const llc = Buffer.from('424203000000', 'hex');
    expect(parseEthernet(buildEthernet({ ...header, tags: [], type: null }, llc))?.header.type).toBeNull();
  });

  test('arp', () => {
    const arp = { op: 1, sha: a, spa: ip('10.0.0.1'), tha: b, tpa: ip('10.0.0.2') };
    expect(parseArp(buildArp(arp))).toEqual(arp);
    expect(parseArp(buildArp(arp).subarray(0, 27))).toBeNull();
  });

  test('ipv4 with options and fragment fields, padding cut off', () => {
    const header = ipv4({
      fragmentOffset: 1480,
      moreFragments: true,
      options: Buffer.from('94040000', 'hex'),
    });
    const built = Buffer.concat([buildIpv4(header, Buffer.from('payload')), Buffer.alloc(9)]);
    expect(parseIpv4(built)).toEqual({ header, payload: Buffer.from('payload'), checksumOk: true });
  });

  test('ipv6 with every extension header', () => {
    const extensions: Extension[] = [
      { kind: 'plain', header: 0, body: Buffer.from('050200000100', 'hex') },
      { kind: 'plain', header: 60, body: Buffer.alloc(14) },
      { kind: 'plain', header: 43, body: Buffer.alloc(6) },
      { kind: 'fragment', offset: 0, more: false, id: 7 },
      { kind: 'plain', header: 51, body: Buffer.alloc(22) },
    ];
    const header = ipv6({ extensions, trafficClass: 0xb8, flowLabel: 0xabcde });
    expect(parseIpv6(buildIpv6(header, Buffer.from('payload')))).toEqual({
      header,
      payload: Buffer.from('payload'),
      complete: true,
      piece: { protocol: 51, data: expect.any(Buffer) },
    });
  });

  test('dhcp', () => {
    const message = {
      op: 1,
      xid: 0x12345678,
      broadcast: true,
      ciaddr: ip('10.0.0.3'),
      yiaddr: ip('10.0.0.4'),
      siaddr: ip('10.0.0.5'),
      giaddr: ip('10.0.0.6'),
      chaddr: a,
      file: 'pxelinux.0',
      options: [
        { code: 53, data: Buffer.from([1]) },
        { code: 224, data: Buffer.alloc(0) },
      ],
    };
    expect(parseDhcp(buildDhcp(message))).toEqual(message);
  });
});

describe('frames', () => {
  test('atomic fragments are read through, others hide their ports', () => {
    const udp = buildUdp(ip('2001:db8::1'), ip('2001:db8::2'), 1, 2, Buffer.alloc(0));
    const frame = (offset: number, more: boolean) =>
      parseFrame(
        framed(
          etherTypes.ipv6,
          buildIpv6(ipv6({ extensions: [{ kind: 'fragment', offset, more, id: 1 }] }), udp),
        ),
      )?.ip;
    expect(frame(0, false)).toMatchObject({ fragment: null, upper: { srcPort: 1, dstPort: 2, sound: true } });
    expect(frame(0, true)).toMatchObject({ fragment: { offset: 0, more: true }, upper: null });
    expect(frame(8, false)).toMatchObject({ fragment: { offset: 8, more: false }, upper: null });
  });

  test('neighbour messages', () => {
    const target = ip('fe80::1');
    expect(parseNeighbour(neighbourMessage(135, 0, target, [sourceOption(a)]))).toEqual({
      target,
      source: a,
      targetMac: null,
    });
    expect(parseNeighbour(neighbourMessage(136, 0, target, [targetOption(b)]))?.targetMac).toBe(b);
    expect(parseNeighbour(neighbourMessage(135, 0, target, [sourceOption(a), sourceOption(b)]))).toBeNull();
    expect(parseNeighbour({ ...neighbourMessage(135, 0, target, []), code: 1 })).toBeNull();
    expect(solicitedNode(ip('2001:db8::12:3456'))).toEqual(ip('ff02::1:ff12:3456'));
  });

  test('a quoted start of a datagram gives its addresses', () => {
    const tcp = buildTcp(
      ip('192.168.0.1'),
      ip('192.168.0.199'),
      { srcPort: 5, dstPort: 80, seq: 0, ack: 0, flags: 2, window: 0 },
      Buffer.alloc(500),
    );
    const quoted = buildIpv4(ipv4({ protocol: 6 }), tcp).subarray(0, 28);
    expect(parseQuoted(4, quoted)).toMatchObject({ src: ip('192.168.0.1'), payload: tcp.subarray(0, 8) });
  });

  test('garbage never throws, cut or flipped', () => {
    const sample = framed(
      etherTypes.ipv6,
      buildIpv6(
        ipv6({ protocol: 58, extensions: [{ kind: 'plain', header: 0, body: Buffer.alloc(6) }] }),
        buildIcmp(ip('::1'), ip('::2'), neighbourMessage(135, 0, ip('::3'), [sourceOption(a)])),
      ),
    );
    fc.assert(
      fc.property(
        bytes(120),
        fc.nat(sample.length),
        fc.nat(sample.length - 1),
        fc.nat(255),
        (data, cut, at, value) => {
          parseFrame(data);
          const broken = Buffer.from(sample.subarray(0, cut));
          if (at < broken.length) broken.writeUInt8(value, at);
          const upper = parseFrame(broken)?.ip?.upper;
          if (upper?.kind === 'icmp') {
            parseNeighbour(upper);
            parseQuoted(6, upper.body);
          }
          parseDhcp(data);
          parseQuoted(4, data);
        },
      ),
    );
  });
});
