/** Every flow of the proofs' worlds keeps to its table's row, and rows are well-formed. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Flow } from '../../src/openflow/index.ts';
import type { Pipeline } from '../../src/pipeline/flow-derivation.ts';
import { entryTables } from '../../src/pipeline/positions.ts';
import type { TableRow } from '../../src/pipeline/rows.ts';
import { isNeutral, type TableName, tableNames, tables } from '../../src/pipeline/tables.ts';
import type { World } from '../../src/policy/world.ts';
import { aboutToMove } from './arbitrary-tunnels.ts';
import { worldArbitrary } from './arbitrary-worlds.ts';
import { carried, physicalCarriages } from './carriages.ts';
import { pipelineOf } from './pipeline-of.ts';
import { routedWorld } from './routed-worlds.ts';
import { rowFaults } from './row-faults.ts';

const flowsOf = ({ desired }: Pipeline): Flow[] =>
  [...desired.keys()].map((key) => desired.get(key)).filter((flow) => flow !== undefined);

const bandsOf = ({ bands }: TableRow, priority: number): string[] =>
  Object.entries(bands)
    .filter(([, band]) => {
      const [lowest, highest] = typeof band === 'number' ? [band, band] : band;
      return priority >= lowest && priority <= highest;
    })
    .map(([name]) => name);

const moving = (world: World): World => ({
  ...world,
  ports: new Map([...world.ports].map(([id, port], at) => [id, aboutToMove(port, at)])),
});

const worlds = fc.oneof({ weight: 10, arbitrary: worldArbitrary }, { weight: 1, arbitrary: routedWorld });

test('every flow of generated worlds keeps to its row, and every band of every row is used', () => {
  const seen = new Set<string>();
  let checked = 0;
  fc.assert(
    fc.property(worlds, (world) => {
      // With hits counted by port and not: their verdicts stand in different bands. Each kind of tunnel has its own,
      // and so has a physical network.
      const [vlans = []] = physicalCarriages;
      const pipelines = [
        pipelineOf(moving(world), 0, 'geneve'),
        pipelineOf(carried(world, [{}, ...vlans]), 2048, 'vxlan'),
      ];
      for (const pipeline of pipelines)
        for (const flow of flowsOf(pipeline)) {
          expect(rowFaults(flow, pipeline.desired.provenanceOf(flow.cookie))).toEqual([]);
          const table = tableNames.get(flow.table);
          if (table !== undefined)
            for (const band of bandsOf(tables[table], flow.priority)) seen.add(`${table} ${band}`);
          checked++;
        }
    }),
    { numRuns: 220, seed: Number(process.env.PORTCULLIS_PROOF_SEED ?? 1) },
  );
  expect(checked).toBeGreaterThan(10_000);
  const all = Object.entries<TableRow>(tables).flatMap(([table, { bands }]) =>
    Object.keys(bands).map((band) => `${table} ${band}`),
  );
  expect(all.filter((band) => !seen.has(band))).toEqual([]);
});

test('a flow that breaks its row is found', () => {
  const base = { cookie: 0n, priority: 100, match: {}, actions: [] };
  const why = { stage: 'dispatch', reason: 'deliver' } as const;
  const found = (flow: Partial<Flow>) =>
    rowFaults({ ...base, table: tables.dispatch.id, actions: [{ type: 'output', port: 1 }], ...flow }, why);
  expect(found({})).toEqual([]);
  expect(found({ match: { ip_proto: 6 } })).toHaveLength(1);
  expect(found({ priority: 7 })).toHaveLength(1);
  expect(found({ goto: tables.classify.id })).toHaveLength(2);
  expect(found({ actions: [] })).toHaveLength(1);
  const actions: Flow['actions'] = [
    { type: 'set_field', field: 'reg5', value: 1 },
    { type: 'set_field', field: 'eth_src', value: 1n },
    { type: 'resubmit', table: tables.classify.id },
    { type: 'ct', zone: 1, table: tables.classify.id },
    { type: 'clone', actions: [] },
    { type: 'meter', meter: 1 },
    { type: 'dec_ttl' },
    { type: 'group', group: 1 },
    { type: 'conjunction', id: 1, clause: 1, of: 2 },
  ];
  for (const action of actions) expect(found({ actions: [action] })).toHaveLength(1);
});

test('bands go down from the highest, each by itself', () => {
  for (const [name, row] of Object.entries<TableRow>(tables)) {
    const ranges = Object.values(row.bands).map((band) => (typeof band === 'number' ? [band, band] : band));
    ranges.forEach(([lowest = 0, highest = 0], at) => {
      expect(lowest).toBeLessThanOrEqual(highest);
      const [below = 0, above = -1] = ranges[at + 1] ?? [];
      if (at + 1 < ranges.length) expect(above, `${name}, band ${at + 1}`).toBeLessThan(lowest);
      expect(below).toBeGreaterThanOrEqual(0);
    });
  }
});

test('neutral bands are bands of their table, and drop nothing but what a table misses', () => {
  for (const [name, { bands, neutral = [] }] of Object.entries<TableRow>(tables))
    if (neutral !== 'all') expect(Object.keys(bands), name).toEqual(expect.arrayContaining([...neutral]));
  let checked = 0;
  for (const world of fc.sample(worldArbitrary, { numRuns: 40, seed: 1 }))
    for (const { table, priority, actions, goto, match } of flowsOf(pipelineOf(world, 5))) {
      if (!isNeutral(table, priority) || Object.keys(match).length === 0) continue;
      const acts = actions.some(({ type }) => type !== 'move');
      expect(acts || goto !== undefined, `${tableNames.get(table)} ${priority}`).toBe(true);
      checked++;
    }
  expect(checked).toBeGreaterThan(1000);
});

test("tables have numbers of their own, and positions are entered in a packet's order", () => {
  const ids = Object.values(tables).map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const entries = entryTables.map((name) => tables[name as TableName].id);
  expect(entries).toEqual([...entries].sort((a, b) => a - b));
});
