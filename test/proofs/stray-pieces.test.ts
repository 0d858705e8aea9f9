/**
 * Fragments of datagrams that never become whole. The switch holds them, and releases them after a timeout
 * with any packet that it looks up. They must reach no port, in any network.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { broadcastMac } from '../../src/net/mac.ts';
import { buildUdp } from '../../src/net/packet/transport.ts';
import type { Direction } from '../../src/policy/world.ts';
import { fragmentsOf, ip, ipFrame, mac, udpFrame } from '../lib/frames.ts';
import { until } from '../lib/wait.ts';
import { type Driver, startDriver } from './driver.ts';
import { pipelineInstall } from './installation.ts';
import { type PortText, type RuleText, worldFrom } from './worlds.ts';

const pipeline = pipelineInstall();
let driver: Driver;

beforeAll(async () => {
  driver = await startDriver(pipeline.install, 4);
});
afterAll(async () => {
  await pipeline.close();
  await driver.stop();
});

const macs = {
  a: mac('02:00:00:00:00:0a'),
  b: mac('02:00:00:00:00:0b'),
  c: mac('02:00:00:00:00:0c'),
  d: mac('02:00:00:00:00:0d'),
};
const vmac = mac('00:00:5e:00:01:07');
const addresses = {
  4: { a: ip('10.0.0.1'), b: ip('10.0.0.2'), vip: ip('10.0.0.77') },
  6: { a: ip('2001:db8::1'), b: ip('2001:db8::2'), vip: ip('2001:db8::77') },
};
const families = [4, 6] as const;
const any = (group: string, direction: Direction): RuleText[] =>
  families.map((family) => ({ group, direction, family }));
/** A port with everything allowed both ways is not tracked; with everything allowed one way it is. */
const rules = [
  ...any('open', 'egress'),
  ...any('open', 'ingress'),
  ...any('out', 'egress'),
  ...any('in', 'ingress'),
];
const off = { mode: 'off', groups: [] } as const;
const senders = { unguarded: off, untracked: { groups: ['open'] }, tracked: { groups: ['out'] } };

async function held(): Promise<number> {
  const status = await driver.at.appctl('dpctl/ipf-get-status', 'dummy@ovs-dummy');
  return Number(/num frag: (\d+)/.exec(status)?.[1]);
}

const cases = families.flatMap((family) =>
  [broadcastMac, vmac, macs.d].flatMap((to) =>
    Object.entries(senders).map(([kind, sender]) => ({ family, to, kind, sender })),
  ),
);

test.each(cases)(
  'fragments of another network do not leave with a packet to $to whose sender is $kind (IPv$family)',
  async ({ family, to, sender }) => {
    const names = addresses[family];
    const shared = { network: 'n2', pairs: [[family === 4 ? '10.0.0.77' : '2001:db8::77', vmac]] } as const;
    const ports: PortText[] = [
      { id: 'a', mac: macs.a, ips: ['10.0.0.1', '2001:db8::1'], groups: ['out'] },
      { id: 'b', network: 'n2', mac: macs.b, ips: ['10.0.0.2', '2001:db8::2'], ...sender },
      { id: 'c', mac: macs.c, ...shared, ...off },
      // It uses its other address with its own MAC too.
      { id: 'd', mac: macs.d, ...shared, groups: ['in'], mode: 'mac-only' },
    ];
    await driver.enter(worldFrom({ ports, rules }));
    const seen = ports.map((_, at) => driver.at.capture(`dummy${at + 1}`));
    for (const tail of seen) tail.take();
    const datagram = buildUdp(names.a, names.vip, 1000, 2000, Buffer.alloc(2600));
    // No port in their own network has these destinations.
    for (const [id, victim] of [macs.c, macs.d].entries()) {
      const whole = ipFrame({ from: macs.a, to: victim, src: names.a, dst: names.vip }, 17, datagram);
      await driver.at.inject('dummy1', fragmentsOf(whole, [1248, 2496], id).slice(0, 2));
    }
    expect(await held()).toBe(4);
    // Longer than the switch keeps them.
    await driver.at.appctl('time/warp', '16000');
    const packet = udpFrame({ from: macs.b, to, src: names.b, dst: names.vip }, 1000, 2000);
    await until(
      async () => {
        await driver.at.inject('dummy2', [packet]);
        return (await held()) === 0;
      },
      { what: 'the switch releases the held fragments', interval: 0 },
    );
    const strays = seen.map((tail) => tail.take().filter((frame) => !frame.equals(packet)).length);
    expect(strays).toEqual([0, 0, 0, 0]);
  },
);
