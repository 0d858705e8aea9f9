/**
 * Nothing that the evaluator forbids is missed by what a difference of flows marks. Generated worlds change; connections
 * that the evaluator admitted live until their network is marked and judged, as the agent does it. No switch is needed.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tunnelTypes } from '../../src/model/vtep.ts';
import { Pipeline } from '../../src/pipeline/flow-derivation.ts';
import type { ChangedFlow } from '../../src/pipeline/tightening/losses.ts';
import { type ConnectionOfPorts, stands } from '../../src/policy/standing.ts';
import type { NetworkId, PortId, World } from '../../src/policy/world.ts';
import { type Change, changeArbitrary, changed, historicWorldArbitrary } from './arbitrary-histories.ts';
import { worldArbitrary } from './arbitrary-worlds.ts';
import { Driver } from './driver.ts';
import { removalsOf, settingsOf } from './facts-of.ts';
import { admitted, hasFallen, isAwayIn, networksOf } from './live-connections.ts';
import { worldText } from './telling.ts';
import { host, vtepsOf } from './worlds.ts';

const histories = Number(process.env.PORTCULLIS_PROOF_TIGHTENINGS ?? 60);
const seed = Number(process.env.PORTCULLIS_PROOF_SEED ?? 1);

/** By kind of change: networks that it marked, and those where it forbade a connection. */
const tallies = new Map<string, { changes: number; marked: number; needed: number }>();

/** A host whose ports keep their interfaces while they stay. */
class Host {
  readonly pipeline: Pipeline;
  #ofports = new Map<PortId, number>();

  constructor(maxCountedApart: number) {
    this.pipeline = new Pipeline({ host, abilities: { answersNd: true, meterSpread: 1 }, maxCountedApart });
  }

  /** The networks that the change to a world marks. */
  hold(world: World): ReadonlySet<NetworkId> {
    const { pipeline } = this;
    const { desired, tightening } = pipeline;
    const locals = Driver.localPorts(world);
    const kept = new Map([...this.#ofports].filter(([id]) => locals.includes(id)));
    const taken = new Set(kept.values());
    const free = Array.from({ length: 32 }, (_, at) => at + 1).filter((number) => !taken.has(number));
    for (const id of locals) if (!kept.has(id)) kept.set(id, free.shift() ?? 0);
    this.#ofports = kept;
    for (const setting of [...removalsOf(pipeline, world, kept), ...settingsOf(world, kept)])
      setting(pipeline);
    pipeline.run();
    const changes: ChangedFlow[] = [];
    for (const [key, before] of desired.takeChanged())
      changes.push({ key, before, after: desired.get(key) ?? null });
    tightening.note(changes);
    return tightening.take();
  }
}

function live(first: World, steps: readonly (readonly Change[])[], counted: number, offset: number): void {
  const here = new Host(counted);
  here.hold(first);
  let world = first;
  let connections = admitted(world, offset, 17);
  for (const changes of steps) {
    const before = world;
    for (const change of changes) world = changed(world, first, change);
    const marked = here.hold(world);
    const fallen = connections.filter((connection) => hasFallen(world, connection));
    const [missed] = fallen.filter(({ network }) => !marked.has(network));
    if (missed !== undefined) {
      const told = changes.map(({ kind }) => kind).join(', ');
      const text = JSON.stringify(missed, (_, value: unknown) =>
        typeof value === 'bigint' ? value.toString(16) : value,
      );
      throw new Error(
        [`missed after ${told}: ${text}`, worldText(before), '-- behind it', worldText(world)].join('\n'),
      );
    }
    if (changes.length === 1) count(changes[0]?.kind ?? '', marked, fallen);
    connections = connections.filter(
      (connection) => !marked.has(connection.network) || stands(world, connection),
    );
    for (const { network, originator, responder } of connections)
      for (const id of marked.has(network) ? [originator, responder] : [])
        if (isAwayIn(world, id)) here.pipeline.tightening.isAway(id, network);
    connections.push(...admitted(world, offset, 31));
  }
}

function count(kind: string, marked: ReadonlySet<NetworkId>, fallen: readonly ConnectionOfPorts[]): void {
  const tally = tallies.get(kind) ?? { changes: 0, marked: 0, needed: 0 };
  tallies.set(kind, tally);
  tally.changes++;
  tally.marked += marked.size;
  tally.needed += networksOf(fallen).size;
}

/** The ports of the other host send through a tunnel. */
const tunnelledWorld = fc
  .tuple(worldArbitrary, fc.constantFrom(...tunnelTypes))
  .map(([world, type]) => ({ ...world, vteps: vtepsOf([host, 'elsewhere'], type) }));

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: changeArbitrary.map((change) => [change]) },
    { weight: 1, arbitrary: fc.array(changeArbitrary, { minLength: 2, maxLength: 4 }) },
  ),
  { minLength: 3, maxLength: 8 },
);

test(`no forbidden connection is missed (${histories} histories, seed ${seed})`, {
  timeout: 3_600_000,
}, () => {
  fc.assert(
    fc.property(
      fc.oneof(worldArbitrary, historicWorldArbitrary, tunnelledWorld),
      steps,
      fc.constantFrom(0, 5, 2048),
      fc.nat(16),
      live,
    ),
    { numRuns: histories, seed, endOnFailure: process.env.PORTCULLIS_PROOF_SHRINK === undefined },
  );
  if (process.env.PORTCULLIS_PROOF_TALLY !== undefined) console.table(Object.fromEntries(tallies));
  const needed = [...tallies.values()].reduce((sum, tally) => sum + tally.needed, 0);
  expect(needed).toBeGreaterThan(histories / 10);
  // What only allows more marks next to nothing.
  for (const kind of ['rule comes back', 'QoS policy']) {
    const { marked, changes } = tallies.get(kind) ?? { marked: 0, changes: 0 };
    expect(marked, kind).toBeLessThan(Math.max(1, changes / 50));
  }
});
