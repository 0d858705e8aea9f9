/**
 * A state's flows are the same however the store reports it. Events of different keys come in any order,
 * doubled, in any batches, with intermediate and unreadable values, and with new listings in between.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Topology } from '../../src/agent/interest/topology.ts';
import { tunnelTypes } from '../../src/model/vtep.ts';
import { canonicalBody } from '../../src/openflow/index.ts';
import { Pipeline } from '../../src/pipeline/flow-derivation.ts';
import type { World } from '../../src/policy/world.ts';
import type { Entry, Snapshot, StoreEvent } from '../../src/store/contract.ts';
import { zone } from '../lib/keys.ts';
import { tunnelledWorld } from './arbitrary-tunnels.ts';
import { Driver } from './driver.ts';
import { recordsOf } from './world-records.ts';
import { host } from './worlds.ts';

/** The values of a key over time; null is none. The last one is the world's. */
type Life = readonly (string | null)[];

interface Fed {
  readonly pipeline: Pipeline;
  readonly topology: Topology;
}

function newFed(): Fed {
  const pipeline = new Pipeline({ host, abilities: { answersNd: true, meterSpread: 1 } });
  return { pipeline, topology: new Topology(pipeline.facts, () => undefined) };
}

function plug({ pipeline: { facts } }: Fed, world: World): void {
  for (const [at, id] of Driver.localPorts(world).entries()) facts.ofports.set(id, at + 1);
  for (const [at, id] of [...world.networks.keys()].entries()) facts.zones.set(id, zone(at + 1));
  for (const [at, type] of tunnelTypes.entries()) facts.tunnels.set(type, 900 + at);
}

const entryOf = (key: string, value: string): Entry => ({ key, value, modRevision: 1, createRevision: 1 });
const snapshotOf = (state: ReadonlyMap<string, string>): Snapshot => ({
  revision: 1,
  entries: [...state].map(([key, value]) => entryOf(key, value)),
});

function flowsOf({ pipeline: { desired } }: Fed): Map<string, string> {
  return new Map(
    [...desired.keys()].map((key) => {
      const flow = desired.get(key);
      return [key, flow === undefined ? 'none' : `${flow.cookie} ${canonicalBody(flow)}`];
    }),
  );
}

const unreadable = [
  '',
  '{',
  '[]',
  'null',
  '{"id":1}',
  '{"addresses":7}',
  '{"tunnel_ip":"::"}',
  '{"tunnel_ip":7}',
];

/** Intermediate values of a key: of another world, of no holder, or invalid. */
function livesOf(last: World, other: World): fc.Arbitrary<[string, Life][]> {
  const [wanted, former] = [recordsOf(last), recordsOf(other)];
  // A record with an id keeps its network or group.
  const named = (key: string): string => `${key.split('/')[0]} ${key.split('/').at(-1)}`;
  const known = new Set([...wanted.keys()].map(named));
  const all = [...wanted.keys(), ...[...former.keys()].filter((key) => !known.has(named(key)))];
  const life = (key: string): fc.Arbitrary<Life> => {
    const before = fc.constantFrom(former.get(key) ?? null, wanted.get(key) ?? null, null, ...unreadable);
    return fc.array(before, { maxLength: 2 }).map((values) => [...values, wanted.get(key) ?? null]);
  };
  return fc.tuple(...all.map(life)).map((lives) => all.map((key, at) => [key, lives[at] ?? []]));
}

const told = fc
  .tuple(tunnelledWorld, tunnelledWorld)
  .chain(([last, other]) => livesOf(last, other).map((lives) => ({ last, lives })));

test('reordered, doubled and split events, and listings between them, end in the same flows', () => {
  fc.assert(
    fc.property(told, fc.infiniteStream(fc.nat()), ({ last, lives }, chance) => {
      const draw = (most: number): number => (chance.next().value ?? 0) % most;
      const live = newFed();
      const state = new Map<string, string>();
      const pending = lives
        .map(([key, life]) => ({ key, life: [...life] }))
        .filter(({ life }) => life.length > 0);
      let batch: StoreEvent[] = [];
      const flush = () => {
        live.topology.apply({ revision: 1, events: batch });
        batch = [];
      };
      const plugged = draw(pending.length + 1);
      while (pending.length > 0) {
        if (pending.length === plugged) plug(live, last);
        const at = draw(pending.length);
        const { key, life } = pending[at] ?? { key: '', life: [] };
        const value = life.shift() ?? null;
        if (life.length === 0) pending.splice(at, 1);
        const event: StoreEvent =
          value === null ? { type: 'delete', key } : { type: 'put', entry: entryOf(key, value) };
        if (value === null) state.delete(key);
        else state.set(key, value);
        batch.push(...(draw(5) === 0 ? [event, event] : [event]));
        if (draw(4) === 0) flush();
        if (draw(8) === 0) live.pipeline.run();
        if (draw(40) === 0) {
          flush();
          live.topology.reset(snapshotOf(state));
        }
      }
      flush();
      plug(live, last);
      live.pipeline.run();

      const fresh = newFed();
      fresh.topology.reset(snapshotOf(recordsOf(last)));
      plug(fresh, last);
      fresh.pipeline.run();
      expect(flowsOf(live)).toEqual(flowsOf(fresh));
      expect(fresh.pipeline.relations.locals.size).toBe(Driver.localPorts(last).length);
    }),
    {
      numRuns: Number(process.env.PORTCULLIS_PROOF_EVENTS ?? 60),
      seed: Number(process.env.PORTCULLIS_PROOF_SEED ?? 1),
    },
  );
}, 600_000);
