/**
 * Live connections through changes of rules, groups, members, addresses and ports. After each change the
 * switch passes exactly what the evaluator passes with a tracker that lost its forbidden connections. The
 * real cutter cuts them in the real switch.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cidr, formatIp } from '../../src/net/cidr.ts';
import { parseConntrack } from '../../src/ovsdb/index.ts';
import {
  type ConnectionRecord,
  emptyTracker,
  type RecordSlots,
  type Tracker,
} from '../../src/policy/conntrack.ts';
import { type Admission, type ConnectionTuple, standing } from '../../src/policy/standing.ts';
import type { PortId, World } from '../../src/policy/world.ts';
import { portKeyOf } from '../lib/keys.ts';
import { historyArbitrary, type Phase } from './arbitrary-histories.ts';
import { differences, differenceText, liveConnection, verdictsOn } from './comparison.ts';
import { type Driver, startDriver } from './driver.ts';
import { pipelineInstall } from './installation.ts';
import { stepText, worldText } from './telling.ts';
import { host } from './worlds.ts';

const histories = Number(process.env.PORTCULLIS_PROOF_HISTORIES ?? 40);
const seed = Number(process.env.PORTCULLIS_PROOF_SEED ?? 1);
const pipeline = pipelineInstall({ maxCountedApart: 5 });
let driver: Driver;

beforeAll(async () => {
  driver = await startDriver(pipeline.install);
  await driver.at.appctl('dpctl/ipf-set-max-nfrags', '5000');
});
afterAll(async () => {
  await pipeline.close();
  await driver.stop();
});

const ends = (src: Cidr, dst: Cidr): string =>
  [src, dst].map(({ family, bits }) => formatIp(family, bits)).join(' > ');

const lineOf = (
  zone: number,
  { protocol, src, dst, detail }: Pick<ConnectionTuple, 'protocol' | 'src' | 'dst' | 'detail'>,
  places: readonly number[],
): string => {
  const details =
    detail === null ? [0, 0] : detail.kind === 'icmp' ? [detail.type, detail.code] : [detail.src, detail.dst];
  return `${zone}: ${protocol} ${ends(src, dst)} ${details.join(' ')}, ${places.join(' ')}`;
};

/** The switch's connections with the ports that admitted them, one a line. */
async function connections(): Promise<string[]> {
  const { entries, unreadable } = parseConntrack(await driver.at.control.dumpConntrack());
  expect(unreadable).toEqual([]);
  return entries
    .map(({ zone, protocol, original: { src, dst, layer4 }, label, mark }) => {
      const place = (at: bigint): number => Number((label >> at) & 0xffffffffn);
      const places = [place(0n), place(64n), place(32n), place(96n), mark];
      return lineOf(zone, { protocol, src, dst, detail: layer4 }, places);
    })
    .sort();
}

/** A connection of the evaluator, in the same form. */
function lineOfRecord([key, record]: readonly [string, ConnectionRecord]): string {
  const places = [...record.originators, ...record.receivers];
  const tuple = liveConnection(key, record);
  return lineOf(
    pipeline.zoneOf(tuple.network),
    tuple,
    places.map((id) => (id === null ? 0 : portKeyOf({ id, network: tuple.network }))),
  );
}

const isHere = (world: World, id: PortId): boolean => world.ports.get(id)?.host === host;

/**
 * Whether it is left open when a connection ends, or is taken from a port, that does not stand. What only a port
 * refuses that is not here waits until that comes back, since nothing here can reach it. A port may take over
 * an address and speak first, as if it answered. Its rules let it begin that connection, but would not let the peer begin it.
 */
function isOpen(connection: ConnectionTuple & Admission, world: World, before: World): boolean {
  const { originators, responders } = connection;
  const away = (id: PortId): boolean => !isHere(world, id) && (world.ports.has(id) || !isHere(before, id));
  const here = (ids: readonly PortId[]): PortId[] => ids.filter((id) => !away(id));
  const rest = { originators: here(originators), responders: here(responders) };
  const stood = standing(before, connection, rest);
  const fell = standing(world, connection, rest);
  if (stood === null || fell === null) return stood === null;
  // What fails now had failed before.
  return sides.every((side) =>
    rest[side].every((id) => fell[side].includes(id) || !stood[side].includes(id)),
  );
}

const sides = ['originators', 'responders'] as const;

/** A record after a change; null when its connection has ended. */
function recordBehind(key: string, record: ConnectionRecord, world: World): ConnectionRecord | null {
  const connection = liveConnection(key, record);
  const left = standing(world, connection, connection);
  if (left === null) return null;
  const still = (places: RecordSlots, ids: readonly PortId[]): RecordSlots =>
    places.map((id) => (id !== null && ids.includes(id) ? id : null));
  return {
    originators: still(record.originators, left.originators),
    receivers: still(record.receivers, left.responders),
    replied: record.replied,
  };
}

/** The tracker after a change: the allowed connections, and the switch's choice where both are right. */
function standingIn(tracker: Tracker, world: World, before: World, left: ReadonlySet<string>): Tracker {
  const kept = [...tracker].flatMap(([key, record]): [string, ConnectionRecord][] => {
    const behind = recordBehind(key, record, world);
    if (behind !== null && left.has(lineOfRecord([key, behind]))) return [[key, behind]];
    const open = isOpen(liveConnection(key, record), world, before) && left.has(lineOfRecord([key, record]));
    if (open) return [[key, record]];
    return behind === null ? [] : [[key, behind]];
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
    tracker = standingIn(tracker, world, phases[at - 1]?.world ?? world, new Set(left));
    const wanted = [...tracker].map(lineOfRecord).sort();
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
  timeout: 3_600_000,
}, async () => {
  const result = await fc.check(fc.asyncProperty(historyArbitrary, live), {
    numRuns: histories,
    seed,
    endOnFailure: process.env.PORTCULLIS_PROOF_SHRINK === undefined,
  });
  if (result.failed)
    expect.fail(`after ${result.numRuns} histories of seed ${seed}:\n${String(result.errorInstance)}`);
});
