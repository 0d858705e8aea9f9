/**
 * The flows of a world do not depend on its history: they equal those of a new pipeline. Worlds follow each
 * other, and facts are set in any order, with derivations in between or not.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Vtep } from '../../src/model/vtep.ts';
import { canonicalBody } from '../../src/openflow/index.ts';
import { Pipeline } from '../../src/pipeline/flow-derivation.ts';
import { tunnelledWorld } from './arbitrary-tunnels.ts';
import { carriedArbitrary } from './carriages.ts';
import { removalsOf, settingsOf } from './facts-of.ts';
import { routedWorld } from './routed-worlds.ts';
import { host } from './worlds.ts';

const newPipeline = () => new Pipeline({ host, abilities: { answersNd: true, meterSpread: 1 } });

function flowsOf({ desired }: Pipeline): Map<string, string> {
  return new Map(
    [...desired.keys()].map((key) => {
      const flow = desired.get(key);
      return [key, flow === undefined ? 'none' : `${flow.cookie} ${canonicalBody(flow)}`];
    }),
  );
}

const worldArbitrary = carriedArbitrary(tunnelledWorld);

const history = fc.record({
  worlds: fc.array(
    fc.oneof({ weight: 4, arbitrary: worldArbitrary }, { weight: 1, arbitrary: routedWorld }),
    { minLength: 1, maxLength: 4 },
  ),
  order: fc.infiniteStream(fc.nat()),
  runs: fc.infiniteStream(fc.nat(3)),
});

test('incremental equals from scratch, in any order of changes', () => {
  fc.assert(
    fc.property(history, ({ worlds, order, runs }) => {
      const live = newPipeline();
      for (const world of worlds) {
        const pending = [...removalsOf(live, world), ...settingsOf(world)];
        while (pending.length > 0) {
          const [setting] = pending.splice((order.next().value ?? 0) % pending.length, 1);
          setting?.(live);
          if (runs.next().value === 0) live.run();
        }
        live.run();
      }
      const fresh = newPipeline();
      const last = worlds.at(-1);
      for (const setting of last === undefined ? [] : settingsOf(last)) setting(fresh);
      fresh.run();
      expect(flowsOf(live)).toEqual(flowsOf(fresh));
    }),
    { numRuns: 150 },
  );
});

test('what changed since the last look is all that differs', () => {
  fc.assert(
    fc.property(fc.tuple(worldArbitrary, worldArbitrary), ([first, second]) => {
      const pipeline = newPipeline();
      for (const setting of settingsOf(first)) setting(pipeline);
      pipeline.run();
      pipeline.desired.takeChanged();
      const before = flowsOf(pipeline);
      for (const setting of [...removalsOf(pipeline, second), ...settingsOf(second)]) setting(pipeline);
      pipeline.run();
      const changed = pipeline.desired.takeChanged();
      const after = flowsOf(pipeline);
      for (const key of new Set([...before.keys(), ...after.keys()]))
        if (before.get(key) !== after.get(key)) expect(changed.has(key)).toBe(true);
    }),
    { numRuns: 100 },
  );
});

test('removed ids and reasons of flows are forgotten', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(worldArbitrary, worldArbitrary, routedWorld), { minLength: 1, maxLength: 3 }),
      (worlds) => {
        const pipeline = newPipeline();
        const { ids, desired } = pipeline;
        const cookies = new Set<bigint>();
        for (const world of worlds) {
          for (const setting of [...removalsOf(pipeline, world), ...settingsOf(world)]) setting(pipeline);
          pipeline.run();
          for (const key of desired.keys()) cookies.add(desired.get(key)?.cookie ?? 0n);
        }
        const empty = {
          networks: new Map(),
          subnets: new Map(),
          ports: new Map(),
          groups: new Map(),
          rules: new Map(),
          addressGroups: new Map(),
          linkLocals: [],
          owners: [],
          routers: new Map(),
          vteps: new Map<string, Vtep>(),
          bridged: new Map<string, ReadonlySet<string>>(),
        };
        for (const removal of removalsOf(pipeline, empty)) removal(pipeline);
        pipeline.run();
        expect([ids.sets, ids.classes, ids.rules, ids.hosts, ids.routers].map(({ size }) => size)).toEqual([
          0, 0, 0, 0, 0,
        ]);
        desired.forgetFormer();
        const left = new Set([...desired.keys()].map((key) => desired.get(key)?.cookie));
        for (const cookie of cookies)
          expect(desired.provenanceOf(cookie) !== undefined).toBe(left.has(cookie));
        expect(desired.size).toBe(newPipeline().desired.size);
      },
    ),
    { numRuns: 60 },
  );
});
