import { beforeEach, expect, test } from 'vitest';
import { keys } from '../model/keys.ts';
import { neededSchema, schemaVersion } from '../model/schema-version.ts';
import { MemoryStore } from '../store/memory.ts';
import { markNeeded, refuseNewer } from './store-schema.ts';

let store: MemoryStore;
beforeEach(() => {
  store = new MemoryStore();
});
const mark = async () => (await store.get(keys.neededSchema()))?.value;

test('a server marks what it needs, once', async () => {
  await refuseNewer(store);
  await markNeeded(store);
  expect(await mark()).toBe(String(neededSchema));
  const revision = await store.revision();
  await markNeeded(store);
  expect(await store.revision()).toBe(revision);
});

test('a newer mark is never lowered, and refuses this release', async () => {
  await store.txn([], [{ op: 'put', key: keys.neededSchema(), value: String(schemaVersion + 1) }]);
  await markNeeded(store);
  expect(await mark()).toBe(String(schemaVersion + 1));
  await expect(refuseNewer(store)).rejects.toMatchObject({ name: 'NewerStore' });
});
