/**
 * Every attribute of the policy's world varies in the generated worlds, and changes in the generated
 * histories. The attributes are read from the worlds themselves, so later attributes are covered too. An
 * attribute of the API affects packets only by being one of these.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { GuardMode, L4Match, Remote, World } from '../../src/policy/world.ts';
import { historyArbitrary } from './arbitrary-histories.ts';
import { worldArbitrary } from './arbitrary-worlds.ts';

type Entity = Readonly<Record<string, unknown>>;

const entitiesOf = (world: World): [kind: string, entities: readonly Entity[]][] =>
  Object.entries(world).map(([kind, held]: [string, ReadonlyMap<string, object> | readonly object[]]) => [
    kind,
    [...held.values()].map((entity) => ({ ...entity })),
  ]);

/** The face of a value: its kind, or whether it is empty, or whether it is present. */
function faceOf(value: unknown): string {
  if (value === null) return 'none';
  if (Array.isArray(value)) return value.length === 0 ? 'empty' : 'filled';
  if (typeof value === 'object') return 'kind' in value ? String(value.kind) : 'some';
  return typeof value === 'boolean' ? String(value) : 'some';
}

const worlds = fc.sample(worldArbitrary, { numRuns: 400, seed: 1 });

/** For each attribute: its faces, and the number of its values. */
function seen(): Map<string, { readonly faces: Set<string>; readonly values: Set<string> }> {
  const all = new Map<string, { readonly faces: Set<string>; readonly values: Set<string> }>();
  for (const [kind, entities] of worlds.flatMap(entitiesOf))
    for (const [name, value] of entities.flatMap((entity) => Object.entries(entity))) {
      const key = `${kind}.${name}`;
      let one = all.get(key);
      if (one === undefined) all.set(key, (one = { faces: new Set(), values: new Set() }));
      one.faces.add(faceOf(value));
      one.values.add(JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `${part}` : part)));
    }
  return all;
}

test('every attribute has more than one value, every boolean both, every list is empty and is not', () => {
  const attributes = seen();
  // All kinds of entities have occurred; otherwise their attributes would not be checked.
  expect(new Set([...attributes.keys()].map((key) => key.split('.')[0])).size).toBe(8);
  const constant = [...attributes].filter(([, { values }]) => values.size < 2).map(([key]) => key);
  expect(constant).toEqual([]);
  const half = [...attributes].filter(
    ([, { faces }]) =>
      faces.size === 1 && ['true', 'false', 'empty', 'filled', 'none'].some((face) => faces.has(face)),
  );
  expect(half.map(([key]) => key)).toEqual([]);
});

test('optional values are present and absent, and every kind occurs', () => {
  const modes: Readonly<Record<GuardMode, true>> = { strict: true, 'mac-only': true, off: true };
  const remotes: Readonly<Record<Remote['kind'], true>> = {
    any: true,
    prefix: true,
    group: true,
    addresses: true,
  };
  const l4Matches: Readonly<Record<L4Match['kind'], true>> = {
    any: true,
    protocol: true,
    ports: true,
    icmp: true,
  };
  const attributes = seen();
  expect([...(attributes.get('ports.mode')?.values ?? [])].sort()).toEqual(
    Object.keys(modes)
      .map((mode) => JSON.stringify(mode))
      .sort(),
  );
  expect([...(attributes.get('rules.remote')?.faces ?? [])].sort()).toEqual(Object.keys(remotes).sort());
  expect([...(attributes.get('rules.l4')?.faces ?? [])].sort()).toEqual(Object.keys(l4Matches).sort());
  for (const nullable of ['networks.qosPolicy', 'ports.qosPolicy', 'ports.host', 'subnets.gateway'])
    expect([...(attributes.get(nullable)?.faces ?? [])].sort()).toEqual(['none', 'some']);
});

/** Names of entities, and attributes that the API does not let change. */
const fixed: ReadonlySet<string> = new Set([
  'networks.id',
  'subnets.id',
  'subnets.network',
  'subnets.cidr',
  'ports.id',
  'ports.network',
  'ports.mac',
  'ports.cloudOwned',
  'groups.id',
  'addressGroups.id',
  'rules.id',
  'rules.group',
  'rules.direction',
  'rules.family',
  'rules.l4',
  'rules.remote',
]);

test('every attribute that may change does so in the histories', () => {
  const changed = new Set<string>();
  for (const phases of fc.sample(historyArbitrary, { numRuns: 300, seed: 1 }))
    for (const [at, { world }] of phases.entries()) {
      const before = phases[at - 1]?.world;
      if (before === undefined) continue;
      for (const kind of ['networks', 'subnets', 'ports', 'groups', 'addressGroups', 'rules'] as const)
        for (const [id, entity] of world[kind] as ReadonlyMap<string, object>) {
          const old = (before[kind] as ReadonlyMap<string, object>).get(id) as Entity | undefined;
          for (const [name, value] of Object.entries(entity))
            if (old !== undefined && old[name] !== value) changed.add(`${kind}.${name}`);
        }
    }
  const still = [...seen().keys()].filter(
    (key) => !fixed.has(key) && !/^(linkLocals|owners)\./.test(key) && !changed.has(key),
  );
  expect(still).toEqual([]);
});
