/**
 * Of several ports with one MAC, the owner of its addresses alone gets what is for it. The switch and the evaluator
 * agree, and each case says who gets the frame.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PortId } from '../../src/policy/world.ts';
import { ip, mac, udpFrame } from '../lib/frames.ts';
import { differences, differenceText } from './comparison.ts';
import { type Driver, startDriver } from './driver.ts';
import { pipelineInstall } from './installation.ts';
import { type OwnerText, openGroup, type PortText, worldFrom } from './worlds.ts';

const virtualMac = '00:00:5e:00:01:0a';
const vip = '10.0.0.100';
const pipeline = pipelineInstall();
let driver: Driver;

beforeAll(async () => {
  driver = await startDriver(pipeline.install);
});
afterAll(async () => {
  await pipeline.close();
  await driver.stop();
});

const at = (n: number): PortText => ({
  id: `p${n}`,
  mac: `02:00:00:00:00:0${n}`,
  ips: [`10.0.0.1${n}`],
  groups: ['open'],
});
const member = (n: number, changes: Partial<PortText> = {}): PortText => ({
  ...at(n),
  pairs: [[vip, virtualMac]],
  ...changes,
});
const owner = (port: string, address = vip): OwnerText => ({ port, address, mac: virtualMac });

/** Who gets what the client sends to the virtual MAC. */
async function receiversIn(
  ports: readonly PortText[],
  owners: readonly OwnerText[],
  broadcastsPairs = false,
) {
  const drawn = worldFrom({ ports: [at(1), ...ports], rules: openGroup('open'), owners });
  const networks = new Map([...drawn.networks].map(([id, network]) => [id, { ...network, broadcastsPairs }]));
  const world = { ...drawn, networks };
  const layer = {
    from: mac('02:00:00:00:00:01'),
    to: mac(virtualMac),
    src: ip('10.0.0.11'),
    dst: ip(vip),
  };
  const step = { sender: 'p1' as PortId, frames: [udpFrame(layer, 30_000, 2000)] };
  await driver.enter(world);
  const [seen] = await driver.run([step]);
  const [difference] = differences(world, [step], seen === undefined ? [] : [seen]);
  if (difference !== undefined) throw new Error(differenceText(difference));
  return [...(seen?.delivered ?? [])].sort();
}

test('the same virtual MAC at several local ports: the owner alone gets the frame', async () => {
  expect(await receiversIn([member(2), member(3)], [owner('p3')])).toEqual(['p3']);
  expect(await receiversIn([member(2), member(3)], [owner('p2')])).toEqual(['p2']);
});

test('until one is known, and on a network that broadcasts, all candidates get it', async () => {
  expect(await receiversIn([member(2), member(3)], [])).toEqual(['p2', 'p3']);
  expect(await receiversIn([member(2), member(3)], [owner('p3')], true)).toEqual(['p2', 'p3']);
});

test('an owner that lost the pair, is down or was unplugged is none', async () => {
  expect(await receiversIn([member(2), member(3, { pairs: [] })], [owner('p3')])).toEqual(['p2']);
  expect(await receiversIn([member(2), member(4), member(3, { adminUp: false })], [owner('p3')])).toEqual([
    'p2',
    'p4',
  ]);
  expect(await receiversIn([member(2), member(4), member(3, { host: null })], [owner('p3')])).toEqual([
    'p2',
    'p4',
  ]);
  expect(await receiversIn([member(2), member(3)], [owner('p1')])).toEqual(['p2', 'p3']);
});

test('a MAC with addresses of two owners goes to both; an owner on another host takes it from here', async () => {
  const pairs: PortText['pairs'] = [
    [vip, virtualMac],
    ['10.0.0.101', virtualMac],
  ];
  const both = [owner('p2'), owner('p3', '10.0.0.101')];
  expect(await receiversIn([member(2, { pairs }), member(3, { pairs }), member(4)], both)).toEqual([
    'p2',
    'p3',
  ]);
  expect(await receiversIn([member(2), member(3, { host: 'elsewhere' })], [owner('p3')])).toEqual([]);
});

test('no claim takes from a port what is for its own MAC', async () => {
  const own = { ...at(2), mac: virtualMac, ips: [vip] };
  expect(await receiversIn([own, member(3)], [owner('p3')])).toEqual(['p2', 'p3']);
});
