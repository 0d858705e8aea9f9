/**
 * Live connections through changes: whatever happens to rules, groups, members, addresses and ports, behind each
 * change the switch lets pass exactly what the evaluator lets pass whose tracker has lost the connections that no
 * longer stand. The real cutter ends them in the real switch.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { emptyTracker, type Tracker } from '../../src/policy/conntrack.ts';
import { historyArbitrary, type Phase } from './arbitrary-histories.ts';
import { differences, differenceText, standing, verdictsOn } from './comparison.ts';
import { type Driver, startDriver } from './driver.ts';
import { pipelineInstall } from './installation.ts';
import { stepText, worldText } from './telling.ts';

const histories = Number(process.env.PORTCULLIS_PROOF_HISTORIES ?? 40);
const seed = Number(process.env.PORTCULLIS_PROOF_SEED ?? 1);
const pipeline = pipelineInstall();
let driver: Driver;

beforeAll(async () => {
  driver = await startDriver(pipeline.install);
  await driver.at.appctl('dpctl/ipf-set-max-nfrags', '5000');
});
afterAll(async () => {
  await pipeline.close();
  await driver.stop();
});

/** Fails with the history up to the first packet on which they disagree. */
async function live(phases: readonly Phase[]): Promise<void> {
  let tracker: Tracker = emptyTracker;
  const told: string[] = [];
  for (const [at, { world, changes, steps }] of phases.entries()) {
    if (at === 0) await driver.enter(world);
    else await driver.change(world, pipeline.change);
    tracker = standing(world, tracker);
    told.push(`-- ${changes.join(', ') || 'the beginning'}`, worldText(world));
    const seen = await driver.run(steps);
    const [first] = differences(world, steps, seen, tracker);
    if (first !== undefined) {
      const before = steps.slice(0, steps.indexOf(first.step)).map(stepText);
      throw new Error([...told, ...before, '', differenceText(first)].join('\n'));
    }
    tracker = verdictsOn(world, steps, tracker).at(-1)?.tracker ?? tracker;
    told.push(...steps.map(stepText));
  }
}

test(`connections live and end as the evaluator says (${histories} histories, seed ${seed})`, {
  timeout: 1_200_000,
}, async () => {
  const result = await fc.check(fc.asyncProperty(historyArbitrary, live), {
    numRuns: histories,
    seed,
    endOnFailure: process.env.PORTCULLIS_PROOF_SHRINK === undefined,
  });
  if (result.failed)
    expect.fail(`after ${result.numRuns} histories of seed ${seed}:\n${String(result.errorInstance)}`);
});
