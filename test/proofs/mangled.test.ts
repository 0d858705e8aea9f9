/**
 * Frames of the spoof matrix with bytes changed, cut off or added. Whatever the switch makes of invalid
 * headers, nothing passes that the evaluator drops. The reverse may happen: guests ignore some frames that
 * only one of the two drops.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GuardMode, PortId, World } from '../../src/policy/world.ts';
import { differences, differenceText } from './comparison.ts';
import { type Driver, type Step, startDriver } from './driver.ts';
import { pipelineInstall } from './installation.ts';
import { ipMatrix } from './matrix/ip-matrix.ts';
import { type Entry, matrixWorld, type Tracking, trackings } from './matrix/matrix.ts';
import { ndMatrix } from './matrix/nd-matrix.ts';

const frames = Number(process.env.PORTCULLIS_PROOF_MANGLED ?? 1000);
const seed = Number(process.env.PORTCULLIS_PROOF_SEED ?? 1);
const pipeline = pipelineInstall();
const self = 'self' as PortId;
let driver: Driver;

beforeAll(async () => {
  driver = await startDriver(pipeline.install, 2);
  await driver.at.appctl('dpctl/ipf-set-max-nfrags', '5000');
});
afterAll(async () => {
  await pipeline.close();
  await driver.stop();
});

/** Values with a meaning in some header. */
const telling = [0, 1, 4, 6, 17, 43, 44, 51, 58, 59, 60, 132, 255];
type Mangling = (frame: Buffer) => Buffer;
const manglingArbitrary: fc.Arbitrary<Mangling> = fc.oneof(
  fc.nat(1400).map(
    (at): Mangling =>
      (frame) =>
        frame.subarray(0, 14 + (at % (frame.length - 14))),
  ),
  fc.nat(300).map(
    (more): Mangling =>
      (frame) =>
        Buffer.concat([frame, Buffer.alloc(more)]),
  ),
  fc.tuple(fc.nat(60), fc.oneof(fc.nat(255), fc.constantFrom(...telling))).map(([at, value]): Mangling => {
    return (frame) => {
      const copy = Buffer.from(frame);
      copy[12 + (at % (frame.length - 12))] = value;
      return copy;
    };
  }),
);

/** All entries of one frame; answers of the switch itself cannot be told apart. */
const originals = [...ndMatrix(), ...ipMatrix()].filter(({ frames }) => frames.length === 1);
const framesOf = (expected: Entry['expected']): Buffer[] =>
  originals.filter((entry) => entry.expected === expected).map(({ frames }) => frames[0]);
/** Allowed frames are a small part of the matrix, and only those close to them could pass. */
const originalArbitrary = fc.oneof(
  fc.constantFrom(...framesOf('pass')),
  fc.constantFrom(...framesOf('drop')),
);
const frameArbitrary = fc
  .tuple(originalArbitrary, fc.array(manglingArbitrary, { minLength: 1, maxLength: 3 }))
  .map(([frame, manglings]) =>
    manglings.reduce((bytes, mangle) => (bytes.length > 20 ? mangle(bytes) : bytes), frame),
  )
  .filter(({ length }) => length >= 20 && length <= 1500);

function worldOf(tracking: Tracking, mode: GuardMode): World {
  const world = matrixWorld(tracking);
  const port = world.ports.get(self);
  if (port === undefined) throw new Error('the matrix has a sender');
  return { ...world, ports: new Map(world.ports).set(self, { ...port, mode }) };
}

const cases = trackings.flatMap((tracking) =>
  (['strict', 'mac-only'] as const).map((mode) => [tracking, mode] as const),
);

test.each(cases)(
  `nothing escapes from a port that is %s and %s (${frames} frames)`,
  async (tracking, mode) => {
    const world = worldOf(tracking, mode);
    await driver.enter(world);
    const drawn = fc.sample(frameArbitrary, { numRuns: frames, seed });
    const steps = drawn.map((frame): Step => ({ sender: self, frames: [frame] }));
    const seen = (await driver.runBatch(steps)).map((each) => ({ ...each, answers: [] }));
    const escapes = differences(world, steps, seen).filter(({ observed }) => observed !== '');
    expect(escapes.map(differenceText)).toEqual([]);
    expect(seen.filter(({ delivered }) => delivered.size > 0).length).toBeGreaterThan(frames / 100);
  },
);
