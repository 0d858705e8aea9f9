import { setImmediate as nextTurn } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  defaultRules,
  networkRecord,
  networkWrites,
  type PortText,
  putNetwork,
  putPort,
  putQosPolicy,
  putRule,
  ruleRecord,
  withPortMarks,
} from '../../../test/lib/records.ts';
import { SlowStore } from '../../../test/lib/slow-store.ts';
import { keys } from '../../model/keys.ts';
import { Pipeline } from '../../pipeline/flow-derivation.ts';
import type { PortId } from '../../policy/world.ts';
import type { Write } from '../../store/contract.ts';
import { MemoryStore } from '../../store/memory.ts';
import { PluggedNeeds } from './plugged-needs.ts';
import { Topology } from './topology.ts';

const p1: PortText = { id: 'p1', mac: '02:00:00:00:00:01', ips: ['10.0.0.1'] };
const id = 'p1' as PortId;

let store: MemoryStore;
let slow: SlowStore;
let pipeline: Pipeline;
let topology: Topology;
let needs: PluggedNeeds;
let plugged: PortId[];
beforeEach(async () => {
  store = new MemoryStore();
  slow = new SlowStore(store);
  pipeline = new Pipeline();
  topology = new Topology(pipeline.facts, (key) => expect.unreachable(`unreadable: ${key}`));
  plugged = [id];
  await write(
    ...networkWrites('n1'),
    ...networkWrites('n2', 2),
    ...defaultRules('g').map(putRule),
    putPort(p1),
    putPort({ id: 'far', network: 'n2', mac: '02:00:00:00:00:02' }),
  );
});
afterEach(async () => {
  needs.close();
  await store.close();
});

async function write(...writes: readonly Write[]): Promise<void> {
  await store.txn([], withPortMarks(writes));
  await nextTurn();
}

function begin(lingerTime = 0): void {
  needs = new PluggedNeeds({
    store: slow,
    log: pino({ level: 'silent' }),
    topology,
    facts: pipeline.facts,
    readers: [],
    lingerTime,
    onChange: () => undefined,
  });
}

/** Rounds, as many as it takes where nothing is slow. Ports that are ready become local. */
async function rounds(): Promise<void> {
  for (let round = 0; round < 6; round++) {
    await nextTurn();
    needs.follow(plugged, []);
    plugged.forEach((port, at) => {
      if (needs.isReady(port)) pipeline.facts.ofports.set(port, at + 1);
    });
  }
}

const groupsOf = (port: PortId): readonly string[] | undefined => topology.port(port)?.groups;
const slowly = (...prefixes: readonly string[]): void => slow.hold((prefix) => prefixes.includes(prefix));

test('a plugged port is ready once all that it names is known, not before', async () => {
  slowly(keys.rule.under('g'));
  begin();
  await rounds();
  expect(slow.awaited).toContain(keys.rule.under('g'));
  expect(needs.isReady(id)).toBe(false);
  expect([needs.isComplete, needs.wasComplete, needs.revision]).toEqual([false, false, 0]);
  slow.goOn();
  await rounds();
  expect(needs.isReady(id)).toBe(true);
  expect([needs.isComplete, needs.revision]).toEqual([true, await store.revision()]);
});

test('a port that is created after it was plugged is noticed', async () => {
  plugged = ['late' as PortId];
  begin();
  await rounds();
  expect(needs.isComplete).toBe(true);
  await write(putPort({ ...p1, id: 'late' }));
  await rounds();
  expect(needs.isReady('late' as PortId)).toBe(true);
});

test('nothing of a network without a port here is delivered', async () => {
  begin();
  await rounds();
  await write(putPort({ id: 'far', network: 'n2', mac: '02:00:00:00:00:03' }));
  await write(putRule(ruleRecord('r', 'other', 'ingress')));
  await rounds();
  const belongs = (key: string) => key.includes('/n2') || key.includes('far') || key.includes('other');
  expect(slow.delivered.filter(belongs)).toEqual([]);
  expect(slow.delivered.length).toBeGreaterThan(0);
});

const growing: Readonly<Record<string, [prefix: string, ...Write[]]>> = {
  'another group': [keys.rule.under('web'), putPort({ ...p1, groups: ['web'] })],
  'an address group': [
    keys.addressGroup('list'),
    putRule(ruleRecord('named', 'g', 'ingress', { remote_address_group_id: 'list' })),
    putPort({ ...p1, ips: ['10.0.0.9'] }),
  ],
  'a QoS policy': [keys.qosPolicy('gold'), putPort({ ...p1, changes: { qos_policy_id: 'gold' } })],
  "the network's QoS policy": [
    keys.qosPolicy('gold'),
    putNetwork(networkRecord('n1', { qos_policy_id: 'gold' })),
  ],
};

for (const [what, [prefix, ...writes]] of Object.entries(growing))
  test(`a port with flows that comes to need ${what} stays as it was until that is known`, async () => {
    const rule = ruleRecord('named', 'web', 'ingress', { remote_address_group_id: 'list' });
    await write(putRule(rule), putQosPolicy('gold', []));
    begin(3_600_000);
    await rounds();
    const before = await store.revision();
    const world = () => JSON.stringify([topology.port(id), topology.network('n1' as never)], bigints);
    const former = world();
    slowly(prefix);
    await write(...writes);
    await write(putRule(ruleRecord('later', 'g', 'ingress')));
    await rounds();
    expect(slow.awaited).toContain(prefix);
    expect(world()).toBe(former);
    expect(topology.lookUpRule('later' as never).state).toBe('not-followed');
    expect([needs.isReady(id), needs.isComplete, needs.revision]).toEqual([true, false, before]);
    slow.goOn();
    await rounds();
    expect(topology.follows(prefix)).toBe(true);
    expect(topology.lookUpRule('later' as never).state).toBe('present');
    expect([needs.isComplete, needs.revision]).toEqual([true, await store.revision()]);
  });

const bigints = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);

test('a port without flows whose needs are slow holds nothing up', async () => {
  begin();
  await rounds();
  slowly(keys.rule.under('web'));
  await write(putPort({ id: 'p2', mac: '02:00:00:00:00:02', groups: ['web'] }));
  plugged.push('p2' as PortId);
  await rounds();
  await write(putPort({ ...p1, groups: [] }));
  expect(groupsOf(id)).toEqual([]);
  expect(needs.isReady('p2' as PortId)).toBe(false);
});

test('what no port needs is followed for a while, then forgotten as if it was never known', async () => {
  begin(3_600_000);
  await rounds();
  plugged = [];
  pipeline.facts.ofports.delete(id);
  await rounds();
  expect(topology.lookUpPort(id).state).toBe('present');
  needs.close();

  begin(0);
  await rounds();
  expect(topology.lookUpPort(id).state).toBe('present');
  plugged = [id];
  await rounds();
  plugged = [];
  await rounds();
  expect(topology.lookUpPort(id).state).toBe('not-followed');
  expect(topology.lookUpNetwork('n1' as never).state).toBe('not-followed');
  expect([...pipeline.facts.ports.entries(), ...pipeline.facts.rules.entries()]).toEqual([]);
  const { length } = slow.delivered;
  await write(putPort({ ...p1, ips: ['10.0.0.7'] }));
  expect(slow.delivered).toHaveLength(length);
});
