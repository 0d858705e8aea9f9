/**
 * The limit of a port's ARP requests and neighbour solicitations that the switch answers. A flood is dropped
 * in the datapath and affects no other port.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatIp, linkLocalOf } from '../../src/net/cidr.ts';
import { neighbourMessage, solicitedNode, sourceOption } from '../../src/net/packet/icmpv6.ts';
import type { PortId } from '../../src/policy/world.ts';
import { arpRequest, groupMac, icmpFrame, ip, mac } from '../lib/frames.ts';
import { type Driver, startDriver } from './driver.ts';
import { pipelineInstall } from './installation.ts';
import { wideGroup, worldFrom } from './worlds.ts';

const pipeline = pipelineInstall();
const askers = {
  loud: { mac: mac('02:00:00:00:00:0a'), ip: ip('10.0.0.10') },
  shrill: { mac: mac('02:00:00:00:00:0d'), ip: ip('10.0.0.13') },
  quiet: { mac: mac('02:00:00:00:00:0b'), ip: ip('10.0.0.11') },
};
let driver: Driver;

beforeAll(async () => {
  driver = await startDriver(pipeline.install, 3);
  await driver.enter(
    worldFrom({
      ports: [
        ...Object.entries(askers).map(([id, { mac, ip }]) => ({
          id,
          mac,
          ips: [formatIp(4, ip.bits)],
          groups: ['all'],
        })),
        { id: 'known', mac: '02:00:00:00:00:0c', ips: ['10.0.0.12', '2001:db8::c'], host: 'there' },
      ],
      rules: wideGroup('all'),
    }),
  );
});
afterAll(async () => {
  await pipeline.close();
  await driver.stop();
});

type Asker = keyof typeof askers;

const questions = {
  ARP: (asker: Asker) => arpRequest(askers[asker].mac, askers[asker].ip, ip('10.0.0.12')),
  ND: (asker: Asker) => {
    const target = ip('2001:db8::c');
    const dst = solicitedNode(target);
    const from = askers[asker].mac;
    const layer = { from, to: groupMac(dst) ?? from, src: linkLocalOf(from), dst, hopLimit: 255 };
    return icmpFrame(layer, neighbourMessage(135, 0, target, [sourceOption(from)]));
  },
} as const;

async function answersTo(asker: Asker, question: Buffer, times: number): Promise<number> {
  const frames = Array.from({ length: times }, () => question);
  const [seen] = await driver.run([{ sender: asker as PortId, frames }]);
  return seen?.answers.length ?? 0;
}

/** Packets that the datapath sent to ovs-vswitchd because of a megaflow that says so. */
async function slowPackets(): Promise<number> {
  const dump = await driver.at.appctl('dpctl/dump-flows');
  const counts = dump.split('\n').map((line) => /packets:(\d+).*actions:userspace/.exec(line)?.[1] ?? '0');
  return counts.reduce((sum, count) => sum + Number(count), 0);
}

// One port each: a port's ARP requests and solicitations share its limit.
describe.each([
  ['ARP', 'loud'],
  ['ND', 'shrill'],
] as const)('%s', (kind, flooding) => {
  test('a flood is answered up to the limit and costs no more than its answers', async () => {
    await driver.at.appctl('revalidator/purge');
    const began = performance.now();
    const answered = await answersTo(flooding, questions[kind](flooding), 3000);
    const seconds = (performance.now() - began) / 1000;
    // The meter's bucket holds 400 and gets 200 a second; it counts in steps of some milliseconds.
    expect(answered).toBeGreaterThanOrEqual(400);
    expect(answered).toBeLessThanOrEqual(400 + 200 * (seconds + 0.1));
    expect(await slowPackets()).toBeLessThanOrEqual(answered);
  });

  test('others are answered meanwhile', async () => {
    expect(await answersTo('quiet', questions[kind]('quiet'), 50)).toBe(50);
  });
});
