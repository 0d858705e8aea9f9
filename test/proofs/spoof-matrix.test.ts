/** The spoof matrix on the real switch: no escape, and no legitimate frame lost. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PortId } from '../../src/policy/world.ts';
import { type Driver, startDriver } from './driver.ts';
import { pipelineInstall } from './installation.ts';
import { arpMatrix } from './matrix/arp-matrix.ts';
import { ipMatrix } from './matrix/ip-matrix.ts';
import { type Entry, matrixWorld, trackings } from './matrix/matrix.ts';
import { ndMatrix } from './matrix/nd-matrix.ts';

const pipeline = pipelineInstall();
const [self, peer] = ['self', 'peer'] as [PortId, PortId];
let driver: Driver;

beforeAll(async () => {
  driver = await startDriver(pipeline.install, 2);
  // The matrix leaves more torn datagrams behind than the switch keeps by default.
  await driver.at.appctl('dpctl/ipf-set-max-nfrags', '5000');
});
afterAll(async () => {
  await pipeline.close();
  await driver.stop();
});

async function wrong(entries: readonly Entry[]): Promise<string[]> {
  const steps = entries.map(({ frames }) => ({ sender: self, frames }));
  const seen = await driver.runBatch(steps);
  return entries.flatMap(({ name, expected, frames }, at) => {
    const observation = seen[at];
    const passed = observation?.delivered.has(peer) === true || (observation?.answers.length ?? 0) > 0;
    const some = passed || observation?.partial.has(peer) === true;
    const right = expected === 'pass' ? passed : !some;
    return right ? [] : [`${name}: expected ${expected} ${frames.map((f) => f.toString('hex')).join(' ')}`];
  });
}

describe.each(trackings)('of a port that is %s', (tracking) => {
  beforeAll(() => driver.enter(matrixWorld(tracking)));

  test.each([
    ['ARP and RARP', arpMatrix],
    ['neighbour, router and listener discovery', ndMatrix],
    ['IP, DHCP and redirects', ipMatrix],
  ] as const)('%s: zero escapes, zero losses', async (_, matrix) => {
    const entries = matrix();
    expect(entries.length).toBeGreaterThan(50);
    expect(await wrong(entries)).toEqual([]);
  });
});
