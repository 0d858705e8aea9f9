/** Lines that Open vSwitch 3.1 printed, and lines that are no connection. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseIp } from '../net/cidr.ts';
import { parseConntrack, parseConntrackLine } from './conntrack-dump.ts';

const ports = (src: number, dst: number) => ({ kind: 'ports', src, dst });
const lines = [
  [
    'tcp,orig=(src=10.0.0.1,dst=10.0.0.2,sport=1000,dport=80),reply=(src=10.0.0.2,dst=10.0.0.1,sport=80,dport=1000),zone=5,mark=7,labels=0x1234500000007,protoinfo=(state=ESTABLISHED)',
    { protocol: 6, from: '10.0.0.1', to: '10.0.0.2', layer4: ports(1000, 80), zone: 5 },
  ],
  [
    'udp,orig=(src=fd00::1,dst=fd00::2,sport=1001,dport=53),reply=(src=fd00::2,dst=fd00::1,sport=53,dport=1001),zone=65535,labels=0x1234500000007',
    { protocol: 17, from: 'fd00::1', to: 'fd00::2', layer4: ports(1001, 53), zone: 65535 },
  ],
  [
    'icmp,orig=(src=10.0.0.1,dst=10.0.0.2,id=7,type=8,code=0),reply=(src=10.0.0.2,dst=10.0.0.1,id=7,type=0,code=0),zone=5,labels=0x1234500000007',
    {
      protocol: 1,
      from: '10.0.0.1',
      to: '10.0.0.2',
      layer4: { kind: 'icmp', id: 7, type: 8, code: 0 },
      zone: 5,
    },
  ],
  [
    'icmpv6,orig=(src=fd00::1,dst=fd00::2,id=7,type=128,code=0),reply=(src=fd00::2,dst=fd00::1,id=7,type=129,code=0),zone=6,labels=0x1234500000007',
    {
      protocol: 58,
      from: 'fd00::1',
      to: 'fd00::2',
      layer4: { kind: 'icmp', id: 7, type: 128, code: 0 },
      zone: 6,
    },
  ],
  ...(
    [
      ['sctp', 132],
      ['igmp', 2],
      ['udplite', 136],
      ['dccp', 33],
      ['47', 47],
      ['253', 253],
    ] as const
  ).map(
    ([name, protocol]) =>
      [
        `${name},orig=(src=10.0.0.1,dst=10.0.0.2,sport=0,dport=0),reply=(src=10.0.0.2,dst=10.0.0.1,sport=0,dport=0),zone=5,labels=0x1234500000007`,
        { protocol, from: '10.0.0.1', to: '10.0.0.2', layer4: ports(0, 0), zone: 5 },
      ] as const,
  ),
] as const;

describe('a connection of', () => {
  test.each(lines)('%s', (text, { protocol, from, to, layer4, zone }) => {
    expect(parseConntrackLine(text)).toEqual({
      protocol,
      original: { src: parseIp(from), dst: parseIp(to), layer4 },
      zone,
      label: 0x1234500000007n,
      mark: text.includes(',mark=7,') ? 7 : 0,
    });
  });
});

test('without a zone, mark and label in the line, they are 0', () => {
  const bare =
    'udp,orig=(src=10.0.0.1,dst=10.0.0.2,sport=1,dport=2),reply=(src=10.0.0.2,dst=10.0.0.1,sport=2,dport=1)';
  expect(parseConntrackLine(bare)).toMatchObject({ zone: 0, label: 0n, mark: 0 });
  expect(parseConntrackLine(`${bare},zone=5,mark=4294967295,labels=0x1`)).toMatchObject({
    mark: 0xffffffff,
    label: 1n,
  });
});

test("fields of the protocol's own state are not read as the connection's", () => {
  const text = `${lines[1][0]},protoinfo=(zone=9,labels=0x9,state=X),timeout=30`;
  expect(parseConntrackLine(text)).toMatchObject({ zone: 65535, label: 0x1234500000007n });
});

const [good] = lines[0];
test.each([
  ['no connection at all', 'ovs-vswitchd: no such datapath'],
  ['an unknown protocol name', good.replace('tcp', 'quic')],
  ['a protocol number above 255', good.replace('tcp', '256')],
  ['an invalid address', good.replace('src=10.0.0.1', 'src=10.0.0')],
  ['addresses of two families', good.replace('src=10.0.0.1', 'src=fd00::1')],
  ['no destination', good.replace('dst=10.0.0.2,', '')],
  ['a port above 65535', good.replace('sport=1000', 'sport=65536')],
  ['no port', good.replace('sport=1000,', '')],
  ['a zone that is no number', good.replace('zone=5', 'zone=five')],
  ['a label that is no number', good.replace('0x1234500000007', '0xzz')],
  ['a cut line', good.slice(0, 60)],
])('%s is reported and stops no other line', (_, text) => {
  const { entries, unreadable } = parseConntrack(`${good}\n${text}\n\n${good}\n`);
  expect(entries).toHaveLength(2);
  expect(unreadable).toEqual([text]);
});

test('no input makes it throw', () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(good.length), fc.nat(10), (noise, at, length) => {
      parseConntrack(noise);
      parseConntrack(good.slice(0, at) + noise + good.slice(at + length));
    }),
  );
});
