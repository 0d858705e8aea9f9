import { expect, test } from 'vitest';
import { readMegaflowMasks } from './megaflow-masks.ts';

const line = (port: string, rest: string): string =>
  `ufid:8eb4c8a6-83e5-4ddb-a82f-8f15ab8678d9, skb_priority(0/0),ct_state(0x21/0x3d),recirc_id(0x6),in_port(${port}),` +
  `eth(src=02:00:00:00:00:0a/00:00:00:00:00:00,dst=02:00:00:00:00:0b),eth_type(0x0800),${rest}, packets:3, bytes:9, ` +
  'used:0.1s, actions:clone(ct(commit,zone=1,label=0x1/0xff)),dummy2';
const ipv4 = 'ipv4(src=10.0.0.1,dst=10.0.0.2/0.0.0.0,proto=17,tos=0/0,ttl=64/0,frag=no)';

test('megaflows that differ only in values have one mask, whatever the protocol', () => {
  const dump = [
    'flow-dump from the main thread:',
    line('p1', `${ipv4},udp(src=1/0,dst=1370/0xfc00)`),
    line('p1', `${ipv4.replace('10.0.0.1', '10.0.0.9')},udp(src=7/0,dst=9000/0xfc00)`),
    line('p2', `${ipv4.replace('17', '6')},tcp(src=1/0,dst=80/0xfc00),tcp_flags(0/0)`),
  ];
  expect(readMegaflowMasks(dump.join('\n'))).toEqual({
    megaflows: 3,
    masks: 1,
    masksOfPort: new Map([
      ['p1', 1],
      ['p2', 1],
    ]),
  });
});

test.each([
  ['a prefix of ports', 'udp(src=1/0,dst=1370/0xf800)'],
  ['all of the port', 'udp(src=1/0,dst=1370)'],
  ['no port', 'udp(src=1/0,dst=1370/0)'],
  ['types, which are not ports', 'icmp(type=8,code=0/0)'],
])('%s is another mask', (_, ports) => {
  const dump = [line('p1', `${ipv4},udp(src=1/0,dst=1370/0xfc00)`), line('p1', `${ipv4},${ports}`)];
  expect(readMegaflowMasks(dump.join('\n')).masks).toBe(2);
});
