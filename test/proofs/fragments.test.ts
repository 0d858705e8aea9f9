/**
 * Fragmented datagrams, case by case: a dropped datagram is dropped whole, in whatever table the drop
 * happens and with whatever other receivers.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { broadcastMac } from '../../src/net/mac.ts';
import { buildUdp } from '../../src/net/packet/transport.ts';
import type { PortId } from '../../src/policy/world.ts';
import { fragmentsOf, ip, ipFrame, mac } from '../lib/frames.ts';
import { differences, differenceText } from './comparison.ts';
import { type Driver, type Step, startDriver } from './driver.ts';
import { pipelineInstall } from './installation.ts';
import { type RuleText, type WorldText, worldFrom } from './worlds.ts';

const pipeline = pipelineInstall();
let driver: Driver;

beforeAll(async () => {
  driver = await startDriver(pipeline.install, 4);
});
afterAll(async () => {
  await pipeline.close();
  await driver.stop();
});

const names = ['a', 'b', 'c'] as const;
type Name = (typeof names)[number];
const macs = { a: mac('02:00:00:00:00:0a'), b: mac('02:00:00:00:00:0b'), c: mac('02:00:00:00:00:0c') };
const vmac = mac('00:00:5e:00:01:07');
const ips = { a: ip('10.0.0.1'), b: ip('10.0.0.2'), c: ip('10.0.0.3'), vip: ip('10.0.0.77') };
const off = { mode: 'off', groups: [] } as const;
const port = (id: Name) => ({ id, mac: macs[id], ips: [`10.0.0.${names.indexOf(id) + 1}`] });

let datagrams = 100;
function pieces(from: Name, to: Name | 'vip', dst: number, src = 1000): Step {
  const layer = { from: macs[from], to: to === 'vip' ? vmac : macs[to], src: ips[from], dst: ips[to] };
  const frame = ipFrame(layer, 17, buildUdp(layer.src, layer.dst, src, dst, Buffer.alloc(2600)));
  return { sender: from as PortId, frames: fragmentsOf(frame, [1248, 2496], ++datagrams) };
}

async function heard(text: WorldText, steps: readonly Step[]): Promise<string[]> {
  const world = worldFrom(text);
  await driver.enter(world);
  const seen = await driver.run(steps);
  expect(differences(world, steps, seen).map(differenceText)).toEqual([]);
  return seen.map(({ delivered }) => [...delivered].sort().join(' '));
}

const udp2000 = { kind: 'ports', protocol: 17, min: 2000, max: 2000 } as const;
const egress = (group: string): RuleText => ({ group, direction: 'egress', l4: udp2000 });
const ingress = (group: string): RuleText => ({ group, direction: 'ingress', l4: udp2000 });

test.each(['strict', 'off'] as const)(
  'a drop at the sender keeps all fragments from holders of a shared MAC (%s)',
  async (mode) => {
    const shared = { pairs: [['10.0.0.77', vmac]] as const, mode };
    const groups = mode === 'off' ? [] : ['any'];
    const ports = [
      { ...port('a'), groups: ['a'] },
      { ...port('b'), ...shared, groups },
      { ...port('c'), ...shared, groups },
    ];
    const rules: RuleText[] = [egress('a'), { group: 'any', direction: 'ingress' }];
    const steps = [pieces('a', 'vip', 2001), pieces('a', 'vip', 2000), pieces('a', 'vip', 2001)];
    expect(await heard({ ports, rules }, steps)).toEqual(['', 'b c', '']);
  },
);

test('a drop at the receiver does too, and fragmented answers follow their request', async () => {
  const ports = [
    { ...port('a'), groups: ['a'] },
    { ...port('b'), groups: ['b'] },
  ];
  const rules = [egress('a'), ingress('b')];
  const steps = [
    pieces('a', 'b', 2000),
    pieces('b', 'a', 1000, 2000),
    pieces('b', 'a', 1001, 2000),
    pieces('b', 'a', 2000, 1000),
  ];
  expect(await heard({ ports, rules }, steps)).toEqual(['b', 'a', '', '']);
});

test('fragments to a shared MAC are judged without ports, the first one too', async () => {
  const shared = { pairs: [['10.0.0.77', vmac]] as const, groups: ['b'] };
  const ports = [
    { ...port('a'), groups: ['a'] },
    { ...port('b'), ...shared },
    { ...port('c'), ...shared },
  ];
  const out: RuleText = { group: 'a', direction: 'egress' };
  const whole: RuleText = { ...ingress('b'), l4: { kind: 'protocol', protocol: 17 } };
  expect(await heard({ ports, rules: [out, ingress('b')] }, [pieces('a', 'vip', 2000)])).toEqual(['']);
  expect(await heard({ ports, rules: [out, whole] }, [pieces('a', 'vip', 2000)])).toEqual(['b c']);
  const stateless = { ports, rules: [out, ingress('b')], stateless: ['b'] };
  expect(await heard(stateless, [pieces('a', 'vip', 2000)])).toEqual(['']);
});

test('a single fragment of an unguarded sender waits for the others where one lookup serves several', async () => {
  const ports = [
    { ...port('a'), ...off },
    { ...port('b'), ...off, pairs: [['10.0.0.77', vmac]] as const },
    { ...port('c'), groups: ['c'], pairs: [['10.0.0.77', vmac]] as const },
  ];
  const alone = (to: Name | 'vip'): Step => {
    const { sender, frames } = pieces('a', to, 2000);
    return { sender, frames: frames.slice(0, 1) };
  };
  expect(await heard({ ports }, [alone('vip'), alone('b'), pieces('a', 'vip', 2000)])).toEqual([
    '',
    'b',
    'b',
  ]);
});

test('unguarded ports get fragments to several ports whole or not at all, too small ones included', async () => {
  const shared = { ...off, pairs: [['10.0.0.77', vmac]] as const };
  const ports = [
    { ...port('a'), ...off },
    { ...port('b'), ...shared },
    { ...port('c'), ...shared },
  ];
  const cut = (to: typeof vmac, cuts: readonly number[], dst = 2000): Step => {
    const layer = { from: macs.a, to, src: ips.a, dst: ips.vip };
    const frame = ipFrame(layer, 17, buildUdp(ips.a, ips.vip, 1000, dst, Buffer.alloc(1800)));
    return { sender: 'a' as PortId, frames: fragmentsOf(frame, cuts, ++datagrams) };
  };
  const steps = [vmac, broadcastMac].flatMap((to) => [cut(to, [384]), cut(to, [376]), cut(to, [384], 0)]);
  expect(await heard({ ports }, steps)).toEqual(['b c', '', '', 'b c', '', '']);
});
