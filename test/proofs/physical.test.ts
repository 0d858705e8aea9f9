/**
 * The proof of physical networks: for generated worlds whose ports are on several hosts, and whose networks are of all types,
 * real switches do what the evaluator says: of what guests send, and of what a physical neighbour sends.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Trackers, type Walk, walk, walkFromPhysical } from '../../src/policy/walk.ts';
import type { Network, NetworkId, PhysicalSegment, World } from '../../src/policy/world.ts';
import { stepsArbitrary } from './arbitrary-steps.ts';
import { worldArbitrary } from './arbitrary-worlds.ts';
import { type Carriages, carried, physicalCarriages, physicalNetwork } from './carriages.ts';
import { textOfObservation } from './comparison.ts';
import type { Step } from './driver.ts';
import { stepText, worldText } from './telling.ts';
import { hostNames, TunnelledHosts } from './tunnelled-hosts.ts';
import { host } from './worlds.ts';

const worlds = Number(process.env.PORTCULLIS_PHYSICAL_WORLDS ?? 8);
const seed = Number(process.env.PORTCULLIS_PROOF_SEED ?? 1);

let hosts: TunnelledHosts;
beforeAll(async () => {
  hosts = await TunnelledHosts.start({ type: 'geneve', family: 4 });
});
afterAll(() => hosts.stop());

const placed = (world: World, places: readonly boolean[], carriages: Carriages): World => ({
  ...carried(world, carriages),
  ports: new Map(
    [...world.ports.values()].map((port, at) => [
      port.id,
      port.host === host && places[at] === true ? { ...port, host: 'there' } : port,
    ]),
  ),
});

const worldAndSteps = worldArbitrary.chain((world) =>
  fc.record({
    steps: stepsArbitrary(world, 40),
    /** Who sends the step's frames: the port, a neighbour with its MAC, or a neighbour with a MAC of its own. */
    senders: fc.array(fc.constantFrom('port', 'port', 'port', 'twin', 'neighbour', 'neighbour'), {
      minLength: 40,
      maxLength: 40,
    }),
    tags: fc.array(fc.constantFrom('right', 'right', 'right', 'right', 'other', 'two', 'none'), {
      minLength: 40,
      maxLength: 40,
    }),
    world: fc
      .tuple(fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }), fc.constantFrom(...physicalCarriages))
      .map(([places, carriages]) => placed(world, places, carriages)),
  }),
);

function tagsOf({ vlan }: PhysicalSegment, how: string): readonly number[] {
  const right = vlan === null ? [] : [vlan];
  if (how === 'other') return [vlan === 9 ? 10 : 9];
  if (how === 'two') return [...right, 7, 8];
  return how === 'none' ? [] : right;
}

function tagged(frame: Buffer, tags: readonly number[]): Buffer {
  const tci = tags.map((vlan) => Buffer.from([0x81, 0x00, vlan >> 8, vlan & 0xff]));
  return Buffer.concat([frame.subarray(0, 12), ...tci, frame.subarray(12)]);
}

const strangersMac = Buffer.from('02fe000000fe', 'hex');
const fromStranger = (frame: Buffer): Buffer =>
  Buffer.concat([frame.subarray(0, 6), strangersMac, frame.subarray(12)]);

const passedOf = ({ receivers }: Pick<Walk, 'receivers'>): readonly string[] =>
  [...receivers].flatMap(([id, { outcome }]) => (outcome === 'passed' ? [id] : []));

const counts = { crossed: 0, left: 0, entered: 0, forged: 0 };

/** One step of a port: what all others get, and what a neighbour hears. */
async function sendFromPort(
  world: World,
  step: Step,
  trackers: Trackers,
): Promise<[Trackers, string, string]> {
  const [first, ...others] = step.frames;
  const at = world.ports.get(step.sender)?.host;
  if (first === undefined || at == null) return [trackers, '', ''];
  const walked = walk(world, { host: at, port: step.sender }, trackers, [first, ...others]);
  const [seen] = await hosts.run([step]);
  const heard = hosts.heardOutside();
  const physical = networkOf(world, step)?.physical;
  const out = walked.physical?.outcome === 'passed' && physical !== undefined;
  const server = walked.steps.find(({ reason }) => reason === 'to-dhcp-server')?.address;
  const sent = (frame: Buffer): Buffer =>
    typeof server === 'string'
      ? Buffer.concat([Buffer.from(server.replaceAll(':', ''), 'hex'), frame.subarray(6)])
      : frame;
  const expectedOut = out ? step.frames.map((frame) => tagged(sent(frame), tagsOf(physical, 'right'))) : [];
  const delivered = [...(seen?.delivered ?? [])];
  counts.crossed +=
    physical === undefined ? 0 : delivered.filter((id) => world.ports.get(id)?.host !== at).length;
  counts.left += Number(out);
  const expected = walked.reply === null && walked.sender.outcome === 'passed' ? passedOf(walked) : [];
  const observed = seen === undefined ? '' : textOfObservation({ ...seen, answers: [] });
  const hex = (frames: readonly Buffer[]) =>
    frames
      .map((frame) => frame.toString('hex'))
      .sort()
      .join(' ');
  return [
    walked.trackers,
    `${[...expected].sort().join(' ')} | ${hex(expectedOut)}`,
    `${observed} | ${hex(heard)}`,
  ];
}

/** What a neighbour puts onto the physical network, at both hosts. */
async function sendFromOutside(
  world: World,
  frames: readonly Buffer[],
  tags: readonly number[],
  before: Trackers,
): Promise<[Trackers, string, string]> {
  const outer = frames.map((frame) => tagged(frame, tags));
  const [first, ...others] = outer;
  if (first === undefined) return [before, '', ''];
  let trackers = before;
  const expected: string[] = [];
  for (const name of hostNames) {
    const walked = walkFromPhysical(world, { host: name, physical: physicalNetwork }, trackers, [
      first,
      ...others,
    ]);
    trackers = walked.trackers;
    expected.push(...passedOf(walked));
    counts.forged += Number(walked.sender.outcome === 'dropped' && walked.sender.reason === 'physical-spoof');
  }
  counts.entered += expected.length;
  const seen = await hosts.fromOutside(outer, frames);
  const echo = hosts.heardOutside().map((frame) => ` echo ${frame.toString('hex')}`);
  return [
    trackers,
    expected.sort().join(' '),
    (seen === undefined ? '' : textOfObservation(seen)) + echo.join(''),
  ];
}

const networkOf = (world: World, { sender }: Step): Network | undefined =>
  world.networks.get(world.ports.get(sender)?.network ?? ('' as NetworkId));

test(`switches and a neighbour do what the evaluator says (${worlds} worlds, seed ${seed})`, {
  timeout: 300_000,
}, async () => {
  const result = await fc.check(
    fc.asyncProperty(worldAndSteps, async ({ world: generated, steps, senders, tags }) => {
      const world = await hosts.enter(generated);
      let trackers: Trackers = new Map();
      for (const [at, step] of steps.entries()) {
        const physical = networkOf(world, step)?.physical;
        const who = physical?.network === physicalNetwork ? (senders[at] ?? 'port') : 'port';
        const frames = who === 'neighbour' ? step.frames.map(fromStranger) : step.frames;
        const [after, expected, observed] =
          who === 'port' || physical === undefined
            ? await sendFromPort(world, step, trackers)
            : await sendFromOutside(world, frames, tagsOf(physical, tags[at] ?? 'right'), trackers);
        trackers = after;
        if (expected === observed) continue;
        const places = [...world.ports.values()].map(({ id, host: place }) => `${id}@${place}`).join(' ');
        const carried = [...world.networks.values()].map((one) => JSON.stringify(one)).join('\n');
        throw new Error(
          [
            worldText(world),
            places,
            carried,
            `${who} ${tags[at]}`,
            stepText(step),
            `expected '${expected}'`,
            `observed '${observed}'`,
            ...frames.map((frame) => frame.toString('hex')),
          ].join('\n'),
        );
      }
    }),
    { numRuns: worlds, seed, endOnFailure: true },
  );
  if (result.failed)
    expect.fail(`after ${result.numRuns} worlds of seed ${seed}:\n${String(result.errorInstance)}`);
  for (const [what, count] of Object.entries(counts)) expect(count, what).toBeGreaterThan(0);
});
