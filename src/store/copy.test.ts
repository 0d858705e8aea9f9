import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Store } from './contract.ts';
import { copyStore, refuseUnfinished } from './copy.ts';
import { MemoryStore } from './memory.ts';
import { commitWrites, put, remove } from './testing/writes.ts';

const mark = 'copying';
let source: MemoryStore;
let target: MemoryStore;
beforeEach(async () => {
  source = new MemoryStore();
  target = new MemoryStore();
  for (let i = 0; i < 1500; i++) await commitWrites(source, [put(`k/${1500 - i}`, `${i}`)]);
  await commitWrites(source, [remove('k/7'), put('large/1', 'x'.repeat(500_000)), put('large/2', 'y')]);
});
afterEach(async () => {
  await source.close();
  await target.close();
});

const content = async (store: Store): Promise<readonly (readonly string[])[]> =>
  (await store.snapshot([''])).entries.map(({ key, value }) => [key, value]);

test('all keys arrive, in the order of their creation, and leases stay behind', async () => {
  const before = await content(source);
  const lease = await source.lease(60_000);
  await source.txn([], [{ op: 'put', key: 'hosts/h', value: '', lease }]);
  expect(await copyStore(source, target, mark)).toBe(before.length);
  expect(await content(target)).toEqual(before);
  const made = (await target.snapshot(['k/'])).entries.toSorted(
    (a, b) => a.createRevision - b.createRevision,
  );
  expect(made[0]?.createRevision).toBeLessThan(made.at(-1)?.createRevision ?? 0);
  expect(Number(made[0]?.value)).toBeLessThan(400);
  await refuseUnfinished(target, mark);
});

test('a target with anything in it is refused and stays as it is', async () => {
  await commitWrites(target, [put('theirs', '1')]);
  await expect(copyStore(source, target, mark)).rejects.toMatchObject({ data: { code: 'TargetNotEmpty' } });
  expect(await content(target)).toEqual([['theirs', '1']]);
});

test('a copy that ends early leaves a target that is refused, and the next copy begins anew', async () => {
  let left = 3;
  const failing: Store = {
    limits: { operations: 100, bytes: 1e6 },
    revision: () => target.revision(),
    get: (key) => target.get(key),
    snapshot: (prefixes) => target.snapshot(prefixes),
    txn: async (conditions, writes) => {
      if (left-- === 0) throw new Error('cut');
      return target.txn(conditions, writes);
    },
    subscribe: (prefixes, subscriber) => target.subscribe(prefixes, subscriber),
    lease: (ttl) => target.lease(ttl),
    close: () => target.close(),
  };
  await expect(copyStore(source, failing, mark)).rejects.toThrow('cut');
  await expect(refuseUnfinished(target, mark)).rejects.toMatchObject({ data: { code: 'CopyUnfinished' } });
  await expect(copyStore(target, new MemoryStore(), mark)).rejects.toMatchObject({
    data: { code: 'CopyUnfinished' },
  });
  await commitWrites(source, [remove('k/9')]);
  await copyStore(source, target, mark);
  expect(await content(target)).toEqual(await content(source));
  await refuseUnfinished(target, mark);
});

test('a source that is written meanwhile leaves a target that is refused', async () => {
  const txn = target.txn.bind(target);
  let transactions = 0;
  target.txn = async (conditions, writes) => {
    // The first one makes the mark, before the source is listed.
    if (++transactions === 2) await commitWrites(source, [put('late', '')]);
    return txn(conditions, writes);
  };
  await expect(copyStore(source, target, mark)).rejects.toMatchObject({ data: { code: 'SourceChanged' } });
  await expect(refuseUnfinished(target, mark)).rejects.toMatchObject({ data: { code: 'CopyUnfinished' } });
});
