/** Tests the driver on flows that need no pipeline: its reports must match the switch. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PortId } from '../../src/policy/world.ts';
import { fragmentsOf, ip, mac, udpFrame } from '../lib/frames.ts';
import { type Driver, type Install, startDriver } from './driver.ts';
import { worldFrom } from './worlds.ts';

const [a, b, c] = ['a', 'b', 'c'] as [PortId, PortId, PortId];
const world = worldFrom({
  ports: [
    { id: 'a', mac: '02:00:00:00:00:0a' },
    { id: 'away', mac: '02:00:00:00:00:0d', host: null },
    { id: 'b', mac: '02:00:00:00:00:0b' },
    { id: 'c', mac: '02:00:00:00:00:0c' },
  ],
});
const link = { from: mac('02:00:00:00:00:0a'), to: mac('02:00:00:00:00:0b') };
const layer = { ...link, src: ip('10.0.0.1'), dst: ip('10.0.0.2') };

/** From a: UDP to port 1 goes to b, to port 2 to b and c, to port 3 back, fragments but the first to b. */
const install: Install = async ({ at, bridge, ports }) => {
  const [from, one, two] = [a, b, c].map((id) => ports.get(id));
  await at.ofctl('del-flows', bridge);
  for (const flow of [
    `priority=3,in_port=${from},udp,nw_frag=later,actions=output:${one}`,
    `priority=2,in_port=${from},udp,nw_frag=no,tp_dst=1,actions=output:${one}`,
    `priority=2,in_port=${from},udp,nw_frag=no,tp_dst=2,actions=output:${one},output:${two}`,
    `priority=2,in_port=${from},udp,nw_frag=no,tp_dst=3,actions=in_port`,
  ])
    await at.ofctl('add-flow', bridge, flow);
};

let driver: Driver;
beforeAll(async () => {
  driver = await startDriver(install, 4);
  await driver.enter(world);
});
afterAll(() => driver.stop());

const step = (dst: number, src = 1000) => ({ sender: a, frames: [udpFrame(layer, src, dst)] });
const pieces = { sender: a, frames: fragmentsOf(udpFrame(layer, 1, 1, Buffer.alloc(64)), [32]) };

test('frames one by one: complete receivers, partial receivers, answers', async () => {
  const steps = [step(1), step(2), step(3), step(4), pieces, { ...step(1), sender: 'away' as PortId }];
  const seen = await driver.run(steps);
  expect(seen.map(({ delivered }) => [...delivered].join())).toEqual(['b', 'b,c', '', '', '', '']);
  expect(seen.map(({ partial }) => [...partial].join())).toEqual(['', '', '', '', 'b', '']);
  expect(seen.map(({ answers }) => answers.length)).toEqual([0, 0, 1, 0, 0, 0]);
});

test('batches report the same, with repeated frames and changing senders', async () => {
  const steps = Array.from({ length: 700 }, (_, at) => step((at % 4) + 1, 2000 + at));
  const mixed = [...steps, step(1), step(1), { ...step(1), sender: b }, step(2)];
  const seen = await driver.runBatch(mixed);
  const expected = [...steps.map((_, at) => ['b', 'b,c', '', ''][at % 4]), 'b', 'b', '', 'b,c'];
  expect(seen.map(({ delivered }) => [...delivered].join())).toEqual(expected);
});
