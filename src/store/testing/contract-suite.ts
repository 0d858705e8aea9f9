/**
 * The contract of a store as tests. The suite uses only the `Store` interface and waits for conditions, so it
 * also fits a store in another process. It compares revisions and never counts them from a known start.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { bug } from '../../base/errors.ts';
import type { Condition, Store, Write } from '../contract.ts';
import { leases, subscriptions } from './contract-subscriptions.ts';
import { randomHistories } from './random-histories.ts';
import { record } from './recorder.ts';
import { commitWrites, entry, type Fresh, keysUnder, put, remove, slices } from './writes.ts';

/**
 * `makeStore` gives an empty store that nobody else uses; the suite closes it. `effort`: how much of the long tests is
 * made, for a store whose every write waits for a disk.
 */
export function storeContract(name: string, makeStore: () => Promise<Store>, effort = 1): void {
  describe(`${name}: the contract of a store`, () => {
    const opened: Store[] = [];
    const fresh = async (): Promise<Store> => {
      const store = await makeStore();
      opened.push(store);
      return store;
    };
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((store) => store.close()));
    });

    describe('transactions', () => transactions(fresh));
    describe('order and prefixes', () => ordering(fresh));
    describe('subscriptions', () => subscriptions(fresh));
    describe('leases', () => leases(fresh));
    describe('concurrency', () => concurrency(fresh, effort));
    describe('close', () => closing(fresh));
    test('any history of transactions reads, and is watched, as a plain map says', async () => {
      await randomHistories(fresh, effort);
    });
  });
}

function transactions(fresh: Fresh): void {
  test('a written entry reads back with its revisions', async () => {
    const store = await fresh();
    expect(await store.get('a')).toBeNull();
    const first = await commitWrites(store, [put('a', '1')]);
    expect(await store.get('a')).toEqual(entry('a', '1', first, first));
    const second = await commitWrites(store, [put('a', '2')]);
    expect(second).toBeGreaterThan(first);
    expect(await store.get('a')).toEqual(entry('a', '2', second, first));
  });

  test('a key that is deleted and made again has a new create revision', async () => {
    const store = await fresh();
    const first = await commitWrites(store, [put('a', '1')]);
    const deletion = await commitWrites(store, [remove('a')]);
    expect(await store.get('a')).toBeNull();
    const second = await commitWrites(store, [put('a', '2')]);
    expect(first < deletion && deletion < second).toBe(true);
    expect(await store.get('a')).toEqual(entry('a', '2', second, second));
  });

  test('all writes of a transaction carry one revision', async () => {
    const store = await fresh();
    const revision = await commitWrites(store, [put('a', '1'), put('b', '2'), put('c', '3')]);
    const { entries } = await store.snapshot(['']);
    expect(entries.map((e) => e.modRevision)).toEqual([revision, revision, revision]);
  });

  const given: readonly Write[] = [put('here', '1'), put('dir/x', '1')];
  const cases: readonly (readonly [string, (at: number) => Condition, boolean])[] = [
    ['absent, of a key that is not there', () => ({ key: 'no', is: 'absent' }), true],
    ['absent, of a key that is there', () => ({ key: 'here', is: 'absent' }), false],
    ['present, of a key that is there', () => ({ key: 'here', is: 'present' }), true],
    ['present, of a key that is not there', () => ({ key: 'no', is: 'present' }), false],
    ['unchanged since its write', (at) => ({ key: 'here', is: 'unchanged', modRevision: at }), true],
    ['unchanged since another write', (at) => ({ key: 'here', is: 'unchanged', modRevision: at + 1 }), false],
    [
      'unchanged, of a key that is not there',
      (at) => ({ key: 'no', is: 'unchanged', modRevision: at }),
      false,
    ],
    ['quiet since the last write', (at) => ({ prefix: 'dir/', is: 'quiet', revision: at }), true],
    ['quiet since before it', (at) => ({ prefix: 'dir/', is: 'quiet', revision: at - 1 }), false],
    ['quiet, of a prefix without keys', () => ({ prefix: 'dir/y', is: 'quiet', revision: 0 }), true],
  ];
  for (const [what, condition, holds] of cases) {
    test(`condition ${what}: ${holds ? 'holds' : 'fails'}`, async () => {
      const store = await fresh();
      const tested = condition(await commitWrites(store, given));
      const result = await store.txn([tested], [put('new', '1')]);
      expect(result.ok).toBe(holds);
      if (!result.ok) expect(result.failed).toEqual([tested]);
      expect((await store.get('new')) !== null).toBe(holds);
      expect((await store.txn([tested], [])).ok).toBe(holds);
    });
  }

  test('quiet passes deletions, and sees a key written again after them', async () => {
    const store = await fresh();
    const at = await commitWrites(store, [put('dir/x', '1'), put('dir/y', '1')]);
    const quiet: Condition = { prefix: 'dir/', is: 'quiet', revision: at };
    await commitWrites(store, [put('dir/z', '1')]);
    expect((await store.txn([quiet], [])).ok).toBe(false);
    await commitWrites(store, [remove('dir/z')]);
    await commitWrites(store, [remove('dir/x')]);
    expect((await store.txn([quiet], [])).ok).toBe(true);
    await commitWrites(store, [put('dir/x', '1')]);
    expect((await store.txn([quiet], [])).ok).toBe(false);
  });

  test('one failed condition of many stops every write, and only the failed ones are named', async () => {
    const store = await fresh();
    await commitWrites(store, [put('a', '1')]);
    const failing: Condition = { key: 'b', is: 'present' };
    const result = await store.txn([{ key: 'a', is: 'present' }, failing], [put('a', '2'), put('c', '1')]);
    expect(result).toEqual({ ok: false, failed: [failing] });
    expect((await store.snapshot([''])).entries.map((e) => [e.key, e.value])).toEqual([['a', '1']]);
  });

  test('the deletion of a missing key changes nothing', async () => {
    const store = await fresh();
    const at = await commitWrites(store, [put('a', '1')]);
    const reader = await record(store, ['']).listed();
    await commitWrites(store, [remove('b')]);
    const last = await commitWrites(store, [put('c', '1')]);
    await reader.reached(last);
    expect(reader.batches.map((b) => b.events.length)).toEqual([1]);
    expect((await store.get('a'))?.modRevision).toBe(at);
  });

  test('a key that is written twice, empty, or half a character is refused', async () => {
    const store = await fresh();
    await expect(store.txn([], [put('a', '1'), remove('a')])).rejects.toThrow(/twice/);
    await expect(store.txn([], [put('', '1')])).rejects.toThrow(/key/);
    await expect(store.txn([], [put('a\ud800', '1')])).rejects.toThrow(/key/);
    expect((await store.snapshot([''])).entries).toEqual([]);
  });
}

function ordering(fresh: Fresh): void {
  test('a prefix has its keys in code-unit order, and no neighbour', async () => {
    const store = await fresh();
    const written = ['a0', 'a/', 'a/b', 'a', 'a/a', 'a.', 'b/a', 'a/b/c', 'A/a', 'a/0'];
    await commitWrites(
      store,
      written.map((key) => put(key, key)),
    );
    expect(await keysUnder(store, 'a/')).toEqual(['a/', 'a/0', 'a/a', 'a/b', 'a/b/c']);
    expect(await keysUnder(store, 'a')).toEqual(['a', 'a/', 'a/0', 'a/a', 'a/b', 'a/b/c']);
    expect(await keysUnder(store, 'a/b')).toEqual(['a/b', 'a/b/c']);
    expect(await keysUnder(store, 'z')).toEqual([]);
    expect(await keysUnder(store, '')).toEqual(written.toSorted());
    const several = await store.snapshot(['b/', 'a/b', 'A', 'a/b/', 'none/']);
    expect(several.entries.map(({ key }) => key)).toEqual(['A/a', 'a/b', 'a/b/c', 'b/a']);
    expect((await store.snapshot([])).entries).toEqual([]);
  });

  test('keys and values of any script come back as they were', async () => {
    const store = await fresh();
    const texts = [
      'é',
      'e\u0301',
      'ключ',
      '鍵',
      '\u{1f511}/x',
      '\uffee',
      'with space',
      'q"\\',
      '\u0000',
      '\u007f',
    ];
    await commitWrites(
      store,
      texts.map((text) => put(`k/${text}`, text)),
    );
    const { entries } = await store.snapshot(['k/']);
    expect(new Map(entries.map((e) => [e.key, e.value]))).toEqual(new Map(texts.map((t) => [`k/${t}`, t])));
    expect(await keysUnder(store, 'k/\u{1f511}')).toEqual(['k/\u{1f511}/x']);
    expect((await store.get('k/\u0000'))?.value).toBe('\u0000');
  });

  test('empty and large values are kept', async () => {
    const store = await fresh();
    const large = 'ü'.repeat(200_000);
    await commitWrites(store, [put('empty', ''), put('large', large)]);
    expect((await store.get('empty'))?.value).toBe('');
    expect((await store.get('large'))?.value).toBe(large);
  });

  test('some thousands of keys, removed and added across the order, stay in order', async () => {
    const store = await fresh();
    const keys = Array.from({ length: 3000 }, (_, i) => `n/${String((i * 7919) % 3000).padStart(4, '0')}`);
    for (const part of slices(keys, 100))
      await commitWrites(
        store,
        part.map((key) => put(key, '')),
      );
    for (const part of slices(
      keys.filter((_, i) => i % 3 !== 0),
      100,
    ))
      await commitWrites(store, part.map(remove));
    const left = keys.filter((_, i) => i % 3 === 0);
    expect(await keysUnder(store, 'n/')).toEqual(left.toSorted());
    expect(await keysUnder(store, 'n/1000')).toEqual(left.filter((key) => key === 'n/1000').toSorted());
  });
}

function concurrency(fresh: Fresh, effort: number): void {
  test('of many transactions that create one key exactly one wins', async () => {
    const store = await fresh();
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        store.txn([{ key: 'k', is: 'absent' }], [put('k', String(i)), put(`by/${i}`, '')]),
      ),
    );
    const winners = results.flatMap((result, i) => (result.ok ? [i] : []));
    expect(winners).toHaveLength(1);
    expect((await store.get('k'))?.value).toBe(String(winners[0]));
    expect(await keysUnder(store, 'by/')).toEqual([`by/${winners[0]}`]);
  });

  test('of many transactions that add under a quiet prefix exactly one wins', async () => {
    const store = await fresh();
    const { revision } = await store.snapshot(['']);
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        store.txn([{ prefix: 'dir/', is: 'quiet', revision }], [put(`dir/${i}`, '')]),
      ),
    );
    expect(results.filter((result) => result.ok)).toHaveLength(1);
    expect(await keysUnder(store, 'dir/')).toHaveLength(1);
  });

  const increments = 2000 * effort;
  test(`${increments} increments by compare-and-swap from 16 writers add up, each revision its own`, async () => {
    const store = await fresh();
    await commitWrites(store, [put('n', '0')]);
    const revisions = new Set<number>();
    let left = increments;
    const writer = async (): Promise<void> => {
      while (left > 0) {
        left--;
        for (;;) {
          const now = (await store.get('n')) ?? bug('the counter is gone');
          const unchanged: Condition = { key: 'n', is: 'unchanged', modRevision: now.modRevision };
          const result = await store.txn([unchanged], [put('n', String(Number(now.value) + 1))]);
          if (result.ok) {
            revisions.add(result.revision);
            break;
          }
        }
      }
    };
    await Promise.all(Array.from({ length: 16 }, writer));
    expect((await store.get('n'))?.value).toBe(String(increments));
    expect(revisions.size).toBe(increments);
  }, 60_000);

  test('an acknowledged write is read by its writer at once', async () => {
    const store = await fresh();
    await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const revision = await commitWrites(store, [put(`k/${i}`, '')]);
        expect((await store.get(`k/${i}`))?.modRevision).toBe(revision);
        expect((await store.snapshot(['k/'])).revision).toBeGreaterThanOrEqual(revision);
      }),
    );
  });
}

function closing(fresh: Fresh): void {
  test('calls are refused, readers hear no more, a second close is harmless', async () => {
    const store = await fresh();
    await commitWrites(store, [put('a', '1')]);
    const reader = await record(store, ['']).listed();
    const lease = await store.lease(60_000);
    const barrier = expect(
      (async () => {
        await store.close();
        await reader.caughtUp();
      })(),
    ).rejects.toMatchObject({ data: { code: 'StoreClosed' } });
    await barrier;
    await store.close();
    const refused = { data: { code: 'StoreClosed' } };
    await expect(store.get('a')).rejects.toMatchObject(refused);
    await expect(store.revision()).rejects.toMatchObject(refused);
    await expect(store.snapshot([''])).rejects.toMatchObject(refused);
    await expect(store.txn([], [put('a', '2')])).rejects.toMatchObject(refused);
    await expect(store.lease(1000)).rejects.toMatchObject(refused);
    expect(() => record(store, [''])).toThrow(/closed/);
    await lease.revoke();
    expect([reader.batches, reader.troubles]).toEqual([[], []]);
  });

  test('a transaction over the limits is refused whole', async () => {
    const store = await fresh();
    const { operations, bytes } = store.limits;
    const refused = { data: { code: 'TransactionTooLarge', limits: store.limits } };
    if (operations < 1e6) {
      const many = Array.from({ length: operations + 1 }, (_, i) => put(`k/${i}`, ''));
      await expect(store.txn([], many)).rejects.toMatchObject(refused);
      const conditions = many.map(({ key }): Condition => ({ key, is: 'absent' }));
      await expect(store.txn(conditions, [])).rejects.toMatchObject(refused);
      expect((await store.txn(conditions.slice(1), many.slice(1))).ok).toBe(true);
    }
    if (bytes < 1e9) {
      await expect(store.txn([], [put('large', 'x'.repeat(bytes))])).rejects.toMatchObject(refused);
      expect((await store.txn([], [put('large', 'x'.repeat(bytes - 5))])).ok).toBe(true);
    }
  });

  test('transactions that began before are answered', async () => {
    const store = await fresh();
    const begun = Array.from({ length: 20 }, (_, i) => store.txn([], [put(`k/${i}`, '')]));
    const [, ...results] = await Promise.all([store.close(), ...begun]);
    expect(results.every((result) => result.ok)).toBe(true);
  });
}
