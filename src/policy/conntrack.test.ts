/** A connection that several ports of one side admit: guests forward it, or several ports get copies. */
import { expect, test } from 'vitest';
import { echoFrame, icmpFrame, ip, mac, udpFrame } from '../../test/lib/frames.ts';
import { host, type PortText, type RuleText, worldFrom } from '../../test/proofs/worlds.ts';
import { emptyTracker } from './conntrack.ts';
import { evaluate } from './evaluator.ts';
import type { PortId } from './world.ts';

const vip = '10.0.0.77';
const vmac = '00:00:5e:00:01:07';
const ports: readonly PortText[] = [
  { id: 'client', mac: '02:00:00:00:00:01', ips: ['10.0.0.1'], groups: ['out'] },
  { id: 'server', mac: '02:00:00:00:00:02', ips: ['10.0.0.2'], groups: ['in'] },
  { id: 'router', mac: '02:00:00:00:00:03', ips: ['10.0.0.3'], mode: 'off' },
  { id: 'gate1', mac: '02:00:00:00:00:04', ips: ['10.0.0.4'], mode: 'mac-only', groups: ['gate'] },
  { id: 'gate2', mac: '02:00:00:00:00:05', ips: ['10.0.0.5'], mode: 'mac-only', groups: ['gate'] },
  { id: 'other', mac: '02:00:00:00:00:06', ips: ['10.0.0.6'], groups: ['out'] },
  ...[1, 2, 3].map((n) => ({
    id: `holder${n}`,
    mac: `02:00:00:00:00:1${n}`,
    ips: [`10.0.0.1${n}`],
    pairs: [[vip, vmac]] as const,
    groups: ['in'],
  })),
];
const rules: readonly RuleText[] = [
  { group: 'out', direction: 'egress' },
  { group: 'in', direction: 'ingress' },
  { group: 'gate', direction: 'ingress', remote: '10.0.0.1' },
  { group: 'gate', direction: 'egress', remote: '10.0.0.2' },
];
const world = worldFrom({ ports, rules });
const macOf = (id: string) => mac(ports.find((port) => port.id === id)?.mac ?? vmac);
const [client, server] = ['10.0.0.1', '10.0.0.2'];

/** Sends datagrams in turn, each from a guest to the MAC of another, and says which ports get it. */
function conversation() {
  let tracker = emptyTracker;
  const say = (from: string, frame: Buffer): string => {
    const verdict = evaluate(world, host, tracker, from as PortId, frame);
    tracker = verdict.tracker;
    const got = [...verdict.receivers].filter(([, { outcome }]) => outcome === 'passed');
    return got.map(([id]) => id).join(' ');
  };
  const there = (from: string, to: string, dst = server): string =>
    say(from, udpFrame({ from: macOf(from), to: macOf(to), src: ip(client), dst: ip(dst) }, 1000, 2000));
  const back = (from: string, to: string, src = server, own = macOf(from)): string =>
    say(from, udpFrame({ from: own, to: macOf(to), src: ip(src), dst: ip(client) }, 2000, 1000));
  return { say, there, back };
}

test('answers of a forwarded connection pass in both directions', () => {
  const { there, back } = conversation();
  expect([there('client', 'router'), there('router', 'server')]).toEqual(['router', 'server']);
  expect(back('server', 'client')).toBe('client');
  expect([back('server', 'router'), back('router', 'client')]).toEqual(['router', 'client']);
  expect(there('client', 'server')).toBe('server');
});

test('a guarded guest may forward both ways, with packets in flight on each pass', () => {
  const { there, back } = conversation();
  expect([there('client', 'gate1'), there('client', 'gate1')]).toEqual(['gate1', 'gate1']);
  expect([there('gate1', 'server'), there('client', 'gate1')]).toEqual(['server', 'gate1']);
  expect([back('server', 'gate1'), back('gate1', 'client')]).toEqual(['gate1', 'client']);
});

test('the record keeps the first and the latest pass; rules judge those between again', () => {
  const { there, back } = conversation();
  expect(there('client', 'gate1')).toBe('gate1');
  expect(there('gate1', 'gate2')).toBe('gate2');
  expect(there('gate2', 'server')).toBe('server');
  expect(back('server', 'gate2')).toBe('gate2');
  expect(back('gate2', 'gate1')).toBe('');
  expect(back('server', 'client')).toBe('client');
});

test('a port that is not on the record inherits nothing', () => {
  const { there, back } = conversation();
  expect(back('router', 'client')).toBe('');
  there('client', 'router');
  expect(back('router', 'other')).toBe('');
  there('router', 'server');
  expect(back('gate1', 'client')).toBe('');
  expect(back('server', 'other')).toBe('');
});

test('each holder of a MAC that got a copy may answer, and no other port', () => {
  const holders = ['holder1', 'holder2', 'holder3'];
  for (const one of holders) {
    const { there, back } = conversation();
    expect(there('client', vmac, vip)).toBe(holders.join(' '));
    expect(back(one, 'client', vip, mac(vmac))).toBe('client');
    for (const each of holders) expect(back(each, 'client', vip, mac(vmac))).toBe('client');
    expect(back('gate1', 'client', vip)).toBe('');
  }
});

test('holders may answer when a router forwarded to them', () => {
  const { there, back } = conversation();
  expect(there('client', 'router', vip)).toBe('router');
  expect(there('router', vmac, vip)).toBe('holder1 holder2 holder3');
  for (const one of ['holder1', 'holder3']) expect(back(one, 'client', vip, mac(vmac))).toBe('client');
});

test('an ICMP error about a connection does not change its record', () => {
  const { say, there, back } = conversation();
  there('client', 'server');
  const quoted = udpFrame(
    { from: macOf('client'), to: macOf('server'), src: ip(client), dst: ip(server) },
    1000,
    2000,
  );
  const layer = { from: macOf('other'), to: macOf('client'), src: ip('10.0.0.6'), dst: ip(client) };
  expect(say('other', icmpFrame(layer, { type: 3, code: 1, rest: 0, body: quoted.subarray(14) }))).toBe(
    'client',
  );
  expect(back('server', 'client')).toBe('client');
  expect(say('other', echoFrame({ ...layer, to: macOf('server'), dst: ip(server) }, 'request'))).toBe(
    'server',
  );
});
