/** ICMP errors of routers: about what, from which address, and about what never. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  echoFrame,
  fragmentsOf,
  icmpFrame,
  ip,
  ipFrame,
  mac,
  type Network,
  udpFrame,
} from '../../../test/lib/frames.ts';
import { pipelineOf } from '../../../test/proofs/pipeline-of.ts';
import { host, worldFrom } from '../../../test/proofs/worlds.ts';
import { formatIp } from '../../net/cidr.ts';
import { parseFrame } from '../../net/packet/frame.ts';
import { icmpv6Types } from '../../net/packet/icmpv6.ts';
import { buildUdp, protocols } from '../../net/packet/transport.ts';
import { register } from '../../pipeline/registers.ts';
import { mtuShift, type RoutingFault, routingFaults } from '../../pipeline/routing-faults.ts';
import type { PortId } from '../../policy/world.ts';
import { routerErrors } from './router-errors.ts';

const routerPort = (id: string, network: string, ips: readonly string[]) =>
  ({
    id,
    network,
    mac: `02:00:00:00:01:0${id.slice(1)}`,
    ips,
    mode: 'off',
    service: true,
    host: null,
  }) as const;
const own = '02:00:00:00:00:0a';
const pipeline = pipelineOf(
  worldFrom({
    subnets: ['10.1.0.0/24', '2001:db8:1::/64'],
    subnetsOf: { n2: ['10.2.0.0/24'] },
    ports: [
      { id: 'guest', mac: own, ips: ['10.1.0.10', '2001:db8:1::a'], host },
      routerPort('r1', 'n1', ['10.1.0.1', '2001:db8:1::1']),
      routerPort('r2', 'n2', ['10.2.0.1']),
    ],
    routers: { r: { ports: ['r1', 'r2'], routes: [['10.3.0.0/16', '10.2.0.9']] } },
  }),
  100,
);
const local = pipeline.relations.locals.get('guest' as PortId) ?? expect.unreachable();
const [number = 0] = [...pipeline.relations.portsOfNumber.entries()].map(([key]) => key);
const link = { from: mac(own), to: mac('02:00:00:00:01:01'), hopLimit: 1 };
const to = (dst: string, src = dst.includes(':') ? '2001:db8:1::a' : '10.1.0.10'): Network => ({
  ...link,
  src: ip(src),
  dst: ip(dst),
});

const handle = (data: Buffer, fault: number = routingFaults['ttl-exceeded'], router = number) =>
  routerErrors.handle(
    { data, local, fields: { [register.fault]: fault, [register.router]: router } },
    pipeline,
  );

function said(data: Buffer, fault: RoutingFault = 'ttl-exceeded'): string {
  const outcome = handle(data, routingFaults[fault]);
  if (outcome.kind !== 'router-sends') return outcome.kind;
  const type = outcome.family === 4 ? '0800' : '86dd';
  const answer = parseFrame(Buffer.concat([Buffer.from(`${'00'.repeat(12)}${type}`, 'hex'), outcome.packet]));
  const upper = answer?.ip?.upper;
  if (answer?.ip?.sound !== true || upper?.kind !== 'icmp' || !upper.sound) return 'unsound';
  // The packet as it came, from its IP header on.
  expect(data.subarray(14, 14 + upper.body.length)).toEqual(upper.body);
  const { family, src, dst } = answer.ip;
  return `${formatIp(family, src.bits)} to ${formatIp(family, dst.bits)} ${upper.type}/${upper.code}`;
}

test('name the fault, in both families, from the address on the side of the sender', () => {
  const four = udpFrame(to('10.9.0.1'), 5000, 53);
  const six = udpFrame(to('2001:db8:9::1'), 5000, 53);
  const faults = ['ttl-exceeded', 'no-route', 'unresolved'] as const;
  expect(faults.map((fault) => said(four, fault))).toEqual([
    '10.1.0.1 to 10.1.0.10 11/0',
    '10.1.0.1 to 10.1.0.10 3/0',
    '10.1.0.1 to 10.1.0.10 3/1',
  ]);
  expect(faults.map((fault) => said(six, fault))).toEqual([
    '2001:db8:1::1 to 2001:db8:1::a 3/0',
    '2001:db8:1::1 to 2001:db8:1::a 1/0',
    '2001:db8:1::1 to 2001:db8:1::a 1/3',
  ]);
  // Behind another router.
  expect(said(udpFrame(to('10.9.0.1', '10.3.0.7'), 5000, 53))).toBe('10.2.0.1 to 10.3.0.7 11/0');
});

test('name the MTU that a packet exceeds', () => {
  for (const [dst, head] of [
    ['10.9.0.1', '0304'],
    ['2001:db8:9::1', '0200'],
  ] as const) {
    const outcome = handle(udpFrame(to(dst), 1, 2), routingFaults['too-big'] | (1400 << mtuShift));
    const packet = outcome.kind === 'router-sends' ? Buffer.from(outcome.packet) : Buffer.of();
    const message = packet.subarray(dst.includes(':') ? 40 : 20);
    expect(message.toString('hex', 0, 2)).toBe(head);
    expect(message.readUInt32BE(4)).toBe(1400);
  }
});

test('fit every link', () => {
  for (const [dst, size] of [
    ['10.9.0.1', 576],
    ['2001:db8:9::1', 1280],
  ] as const) {
    const layer = to(dst);
    const long = ipFrame(layer, protocols.udp, buildUdp(layer.src, layer.dst, 1, 2, Buffer.alloc(1400)));
    const outcome = handle(long);
    expect(outcome.kind === 'router-sends' && outcome.packet.length).toBe(size);
  }
});

test('are about echo and its answers, and the first piece of a datagram', () => {
  for (const dst of ['10.9.0.1', '2001:db8:9::1']) {
    expect(said(echoFrame(to(dst), 'request'))).toContain(' to ');
    expect(said(echoFrame(to(dst), 'reply'))).toContain(' to ');
    const layer = to(dst);
    const long = ipFrame(layer, protocols.udp, buildUdp(layer.src, layer.dst, 1, 2, Buffer.alloc(1400)));
    const [first, second = Buffer.of()] = fragmentsOf(long, [800], 9);
    expect(said(first)).toContain(' to ');
    expect(said(second)).toBe('ignored');
  }
});

test('are never about errors, redirects, broadcasts, or who is nowhere', () => {
  const message = { code: 0, rest: 0, body: Buffer.alloc(40) };
  for (const type of [3, 4, 5, 11, 12, 99])
    expect(said(icmpFrame(to('10.9.0.1'), { type, ...message })), String(type)).toBe('ignored');
  for (const type of [1, 2, 3, 4, 100, icmpv6Types.redirect])
    expect(said(icmpFrame(to('2001:db8:9::1'), { type, ...message })), String(type)).toBe('ignored');
  expect(said(udpFrame(to('10.2.0.255'), 1, 2), 'unresolved')).toBe('ignored');
  expect(said(udpFrame(to('10.9.0.1', '192.0.2.1'), 1, 2))).toBe('ignored');
});

test('need a fault and a router of this host', () => {
  const frame = udpFrame(to('10.9.0.1'), 1, 2);
  expect(handle(frame, 0).kind).toBe('ignored');
  expect(handle(frame, 1, number + 1).kind).toBe('ignored');
});

test('are never thrown by what a guest sends', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), (data) => void handle(Buffer.from(data))));
  for (const frame of [echoFrame(to('10.9.0.1'), 'request'), echoFrame(to('2001:db8:9::1'), 'request')])
    for (let length = 0; length < frame.length; length++) handle(frame.subarray(0, length));
});
