import { pino } from 'pino';
import { expect, test } from 'vitest';
import { keys } from '../../model/keys.ts';
import type { HitRecord } from '../../model/records.ts';
import { Pipeline } from '../../pipeline/flow-derivation.ts';
import { MemoryStore } from '../../store/memory.ts';
import { Topology } from '../interest/topology.ts';
import { Hits } from './hits.ts';

const count = { packets: 3, bytes: 300, connections: 1, first: 1, last: 2 };
const record: HitRecord = { ports: { p: count }, switch: {}, at: 5 };

/** What is left of a rule's record after a look, where the host follows these prefixes and finds nothing there. */
async function recordAfterLook(followed: readonly string[]): Promise<HitRecord | null> {
  const store = new MemoryStore();
  const key = keys.hits('here', 'r');
  await store.txn([], [{ op: 'put', key, value: JSON.stringify(record) }]);
  const pipeline = new Pipeline();
  const topology = new Topology(pipeline.facts, () => undefined);
  topology.reset({ revision: 1, entries: [] }, followed);
  const session = { state: 'up', dumpFlows: async () => [] } as const;
  const hits = new Hits({
    store,
    host: 'here',
    log: pino({ level: 'silent' }),
    links: { session, counted: async () => undefined },
    pipeline,
    interest: { listed: true, topology },
  });
  await hits.start();
  await hits.look();
  const entry = await store.get(key);
  await hits.stop();
  await store.close();
  return entry === null ? null : (JSON.parse(entry.value) as HitRecord);
}

test('counts of a deleted rule are forgotten', async () => {
  expect(await recordAfterLook([keys.rule.prefix, keys.port.prefix])).toBeNull();
});

test('counts of a rule that is not followed stay', async () => {
  expect((await recordAfterLook([]))?.ports).toEqual({ p: count });
});

test('counts of a port that is not followed stay its own; those of a deleted port become the rule’s', async () => {
  expect((await recordAfterLook([keys.rule.under('other')]))?.ports).toEqual({ p: count });
  expect((await recordAfterLook([keys.port.prefix]))?.ports).toEqual({ '': count });
});
