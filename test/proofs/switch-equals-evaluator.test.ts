/**
 * The proof of the pipeline: for generated worlds and traffic, what the real switch does is what the reference
 * evaluator says. One switch for all worlds, so each world is also an incremental change from the one before.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stepsArbitrary } from './arbitrary-steps.ts';
import { worldArbitrary } from './arbitrary-worlds.ts';
import { differences } from './comparison.ts';
import { type Driver, startDriver } from './driver.ts';
import { pipelineInstall } from './installation.ts';

const worlds = Number(process.env.PORTCULLIS_PROOF_WORLDS ?? 60);
// The same worlds each time, so that a change is judged by what it changed; explore with other seeds and more worlds.
const seed = Number(process.env.PORTCULLIS_PROOF_SEED ?? 1);
const pipeline = pipelineInstall();
let driver: Driver;

beforeAll(async () => {
  driver = await startDriver(pipeline.install);
});
afterAll(async () => {
  await pipeline.close();
  await driver.stop();
});

const worldAndSteps = worldArbitrary.chain((world) =>
  stepsArbitrary(world, 60).map((steps) => ({ world, steps })),
);

test(`the switch does what the evaluator says (${worlds} worlds, seed ${seed})`, {
  timeout: 600_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(worldAndSteps, async ({ world, steps }) => {
      await driver.enter(world);
      const seen = await driver.run(steps);
      const [first] = differences(world, steps, seen);
      if (first === undefined) return;
      const { step, expected, observed, verdict, frames } = first;
      expect.fail(
        JSON.stringify(
          {
            sender: step.sender,
            expected,
            observed,
            frames,
            verdict: verdict.sender,
            receivers: [...verdict.receivers],
          },
          null,
          1,
        ),
      );
    }),
    { numRuns: worlds, seed, endOnFailure: process.env.PORTCULLIS_PROOF_SHRINK === undefined },
  );
});
