import { expect, test } from 'vitest';
import { MemoryStore } from './memory.ts';
import { storeContract } from './testing/contract-suite.ts';
import { record } from './testing/recorder.ts';

storeContract('memory', async () => new MemoryStore());

test('history is bounded: a watch from before it has to list again', async () => {
  const store = new MemoryStore({ historyLimit: 10 });
  for (let i = 0; i < 100; i++) await store.txn([], [{ op: 'put', key: 'a', value: String(i) }]);
  const late = record(store, '', 50);
  expect((await late.ended()).data.code).toBe('Compacted');
  const near = record(store, '', 91);
  await near.reached(100);
  expect(near.batches.map((batch) => batch.revision)).toEqual([91, 92, 93, 94, 95, 96, 97, 98, 99, 100]);
});
