/** The error that ends a connection in a kernel's table quotes the connection, and comes from where its answers do. */
import { expect, test } from 'vitest';
import { formatIp, parseIp } from '../../net/cidr.ts';
import { parseFrame } from '../../net/packet/frame.ts';
import { parseIpv4 } from '../../net/packet/ipv4.ts';
import { parseIpv6 } from '../../net/packet/ipv6.ts';
import type { PacketOut } from '../../openflow/index.ts';
import { parseConntrackLine } from '../../ovsdb/conntrack-dump.ts';
import { refute } from './refuting.ts';

const line = (name: string, from: string, to: string, ports: string) =>
  `${name},orig=(src=${from},dst=${to},${ports}),reply=(src=${to},dst=${from},${ports}),zone=7,labels=0x1`;

/** What is said to the switch to end the connection of a line. */
function sent(text: string): Omit<PacketOut, 'type' | 'inPort'> {
  const packets: Omit<PacketOut, 'type' | 'inPort'>[] = [];
  const session = { packetOut: (packet: Omit<PacketOut, 'type' | 'inPort'>) => void packets.push(packet) };
  const entry = parseConntrackLine(text);
  if (entry === null) throw new Error(`not a connection: ${text}`);
  refute(session, entry);
  const [packet] = packets;
  if (packet === undefined) throw new Error('nothing was sent');
  return packet;
}

test.each([
  ['47', 47, '10.0.0.1', '10.0.0.2', 'sport=0,dport=0', '0000000000000000'],
  ['sctp', 132, '10.0.0.1', '10.0.0.2', 'sport=258,dport=80', '0102005000000000'],
  ['50', 50, 'fd00::1', 'fd00::2', 'sport=0,dport=0', '0000000000000000'],
  ['dccp', 33, 'fd00::1', 'fd00::2', 'sport=258,dport=80', '0102005000000000'],
  ['icmp', 1, '10.0.0.1', '10.0.0.2', 'id=258,type=8,code=0', '0800000001020000'],
] as const)('%s (%i) from %s to %s, %s', (name, protocol, from, to, ports, beginning) => {
  const { data, actions } = sent(line(name, from, to, ports));
  // Looked up first: only a packet that has met its connection can end it.
  expect(actions).toEqual([
    { type: 'ct', zone: 7 },
    { type: 'ct', zone: 7, commit: true, force: true },
  ]);
  const error = parseFrame(Buffer.from(data))?.ip;
  expect(error).toMatchObject({ src: parseIp(to), dst: parseIp(from), sound: true });
  const upper = error?.upper;
  if (upper?.kind !== 'icmp') throw new Error('not an ICMP message');
  expect(upper).toMatchObject({ type: from.includes(':') ? 1 : 3, sound: true });
  const quoted = from.includes(':') ? parseIpv6(upper.body) : parseIpv4(upper.body);
  const { src, dst } = quoted?.header ?? {};
  expect([src, dst].map((end) => end && formatIp(end.family, end.bits))).toEqual([from, to]);
  expect(upper.body.at(from.includes(':') ? 6 : 9)).toBe(protocol);
  // As long as a TCP header, without which the userspace datapath takes no error over IPv6.
  expect(upper.body.subarray(-20).toString('hex')).toBe(beginning.padEnd(40, '0'));
});
