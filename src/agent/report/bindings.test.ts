import { beforeEach, expect, test } from 'vitest';
import { putPort } from '../../../test/lib/records.ts';
import { keys } from '../../model/keys.ts';
import { Pipeline } from '../../pipeline/flow-derivation.ts';
import type { PortId } from '../../policy/world.ts';
import { MemoryStore } from '../../store/memory.ts';
import { Topology } from '../interest/topology.ts';
import { Bindings } from './bindings.ts';

const port = 'p' as PortId;
const key = keys.binding('n', port);
let store: MemoryStore;
let plugged: Set<PortId>;
beforeEach(async () => {
  store = new MemoryStore();
  plugged = new Set([port]);
  await store.txn([], [putPort({ id: port, network: 'n', mac: '02:00:00:00:00:01', ips: [] })]);
});

/** A host that has reported its port, and has lost sight of it since. */
async function afterLoss(followed: readonly string[]): Promise<Bindings> {
  const topology = new Topology(new Pipeline().facts, (unread) => expect.unreachable(unread));
  const bindings = new Bindings(store, topology, 'here', (id) => plugged.has(id));
  const { entries, revision } = await store.snapshot(['']);
  topology.apply({ revision, events: entries.map((entry) => ({ type: 'put', entry })) });
  await bindings.report(new Set([port]));
  topology.forget([keys.port.prefix]);
  topology.reset({ revision, entries: [] }, followed);
  return bindings;
}

const status = async (): Promise<unknown> =>
  (JSON.parse((await store.get(key))?.value ?? '{}') as { status?: string }).status;

test('a plugged port that is not followed keeps its binding', async () => {
  const bindings = await afterLoss([keys.network.prefix]);
  await bindings.report(new Set());
  expect(await status()).toBe('ACTIVE');
});

test('a port that is unplugged is DOWN, followed or not', async () => {
  const bindings = await afterLoss([keys.network.prefix]);
  plugged.clear();
  await bindings.report(new Set());
  expect(await status()).toBe('DOWN');
});

test('a plugged port that may not be here any more is DOWN', async () => {
  const bindings = await afterLoss([keys.port.prefix]);
  await bindings.report(new Set());
  expect(await status()).toBe('DOWN');
});
