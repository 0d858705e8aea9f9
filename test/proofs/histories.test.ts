/**
 * Live connections through changes: whatever happens to rules, groups, members, addresses and ports, behind each
 * change the switch lets pass exactly what the evaluator lets pass whose tracker has lost the connections that no
 * longer stand. The real cutter ends them in the real switch.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cidr, formatIp } from '../../src/net/cidr.ts';
import { parseConntrack } from '../../src/ovsdb/index.ts';
import { preferredId } from '../../src/pipeline/ids.ts';
import { emptyTracker, type Tracker } from '../../src/policy/conntrack.ts';
import { type Connection, stands } from '../../src/policy/standing.ts';
import type { PortId, World } from '../../src/policy/world.ts';
import { historyArbitrary, type Phase } from './arbitrary-histories.ts';
import { differences, differenceText, liveConnection, verdictsOn } from './comparison.ts';
import { type Driver, startDriver } from './driver.ts';
import { pipelineInstall } from './installation.ts';
import { stepText, worldText } from './telling.ts';
import { host } from './worlds.ts';

const histories = Number(process.env.PORTCULLIS_PROOF_HISTORIES ?? 40);
const seed = Number(process.env.PORTCULLIS_PROOF_SEED ?? 1);
const pipeline = pipelineInstall({ mostCountedApart: 5 });
let driver: Driver;

beforeAll(async () => {
  driver = await startDriver(pipeline.install);
  await driver.at.appctl('dpctl/ipf-set-max-nfrags', '5000');
});
afterAll(async () => {
  await pipeline.close();
  await driver.stop();
});

const half = 0xffffffffn;
const ends = (src: Cidr, dst: Cidr): string =>
  [src, dst].map(({ family, bits }) => formatIp(family, bits)).join(' > ');

/** The switch's connections, with the ports that admitted each, one a line. */
async function connections(): Promise<string[]> {
  const { entries, unreadable } = parseConntrack(await driver.at.control.dumpConntrack());
  expect(unreadable).toEqual([]);
  return entries
    .map(({ zone, protocol, original: { src, dst, layer4 }, label }) => {
      const details = layer4.kind === 'icmp' ? [layer4.type, layer4.code] : [layer4.src, layer4.dst];
      return `${zone}: ${protocol} ${ends(src, dst)} ${details.join(' ')} ${label & half} ${label >> 32n}`;
    })
    .sort();
}

/** One of the evaluator's, in the same words. */
function lineOf({ network, protocol, src, dst, detail, originator, responder }: Connection): string {
  const details =
    detail === null ? [0, 0] : detail.kind === 'icmp' ? [detail.type, detail.code] : [detail.src, detail.dst];
  const owners = [originator, responder].map((id) => preferredId(id ?? ''));
  return `${pipeline.zoneOf(network)}: ${protocol} ${ends(src, dst)} ${details.join(' ')} ${owners.join(' ')}`;
}

const isHere = (world: World, id: PortId | null): boolean =>
  id !== null && world.ports.get(id)?.host === host;

/**
 * Whether it is left open when a connection ends that does not stand. What only a port refuses that is not here waits
 * until that comes back, since nothing here can reach it. And who takes over an address and speaks first, as if it
 * answered, has a connection that its rules let it begin but would not let others begin with it.
 */
function isOpen(connection: Connection, world: World, before: World): boolean {
  const { originator, responder } = connection;
  const owners = [originator, responder];
  const away = (id: PortId | null): boolean =>
    !isHere(world, id) && ((id !== null && world.ports.has(id)) || !isHere(before, id));
  if (owners.some(away)) {
    const [from, to] = owners.map((id) => (away(id) ? null : id));
    return stands(world, { ...connection, originator: from ?? null, responder: to ?? null });
  }
  return owners.every((id) => isHere(before, id)) && !stands(before, connection);
}

/** What is left of a tracker behind a change: the connections that stand, and of those left open what the switch has. */
function standing(tracker: Tracker, world: World, before: World, left: ReadonlySet<string>): Tracker {
  const kept = [...tracker].filter(([key, record]) => {
    const connection = liveConnection(key, record);
    return stands(world, connection) || (isOpen(connection, world, before) && left.has(lineOf(connection)));
  });
  return new Map(kept);
}

/** Fails with the history up to the first packet on which they disagree. */
async function live(phases: readonly Phase[]): Promise<void> {
  let tracker: Tracker = emptyTracker;
  const told: string[] = [];
  for (const [at, { world, changes, steps }] of phases.entries()) {
    if (at === 0) await driver.enter(world);
    else await driver.change(world, pipeline.change);
    told.push(`-- ${changes.join(', ') || 'the beginning'}`, worldText(world));
    const left = await connections();
    tracker = standing(tracker, world, phases[at - 1]?.world ?? world, new Set(left));
    const wanted = [...tracker].map(([key, record]) => lineOf(liveConnection(key, record))).sort();
    if (left.join() !== wanted.join())
      throw new Error([...told, 'left:', ...left, 'expected to be left:', ...wanted].join('\n'));
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
