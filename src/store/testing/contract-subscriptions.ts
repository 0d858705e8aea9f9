/** The part of the contract for readers of changes. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { bug } from '../../base/errors.ts';
import type { Lease, TxnResult, Write } from '../contract.ts';
import { eventually, type Recorder, record } from './recorder.ts';
import { commitWrites, type Fresh, put, remove } from './writes.ts';

export function subscriptions(fresh: Fresh): void {
  test('the first call is a snapshot, and a transaction is one batch over all prefixes', async () => {
    const store = await fresh();
    const at = await commitWrites(store, [put('a/x', '1'), put('b/gone', '1'), put('c/x', '1')]);
    const reader = await record(store, ['a/', 'b/']).listed();
    expect(reader.snapshots.map(({ prefixes }) => prefixes)).toEqual([['a/', 'b/']]);
    expect([...reader.view.keys()]).toEqual(['a/x', 'b/gone']);
    expect(reader.revision).toBeGreaterThanOrEqual(at);
    const revision = await commitWrites(store, [
      put('a/x', '2'),
      remove('b/gone'),
      put('b/y', '1'),
      put('c/y', '1'),
    ]);
    await reader.reached(revision);
    expect(reader.batches).toHaveLength(1);
    expect(sorted(reader)).toEqual([
      ['put', 'a/x', '2', revision, at],
      ['delete', 'b/gone'],
      ['put', 'b/y', '1', revision, revision],
    ]);
  });

  test('only revisions that touch the prefixes are delivered, and a prefix has no neighbours', async () => {
    const store = await fresh();
    const reader = await record(store, ['a', 'b/']).listed();
    const first = await commitWrites(store, [put('a/1', ''), put('a0', ''), put('b', ''), put('a', '')]);
    await commitWrites(store, [put('b', '2'), put('a.', ''), put('ab/c', '')]);
    const last = await commitWrites(store, [remove('a/1'), put('b/1', '')]);
    expect(await reader.caughtUp()).toBeGreaterThanOrEqual(last);
    expect(reader.batches.map((b) => [b.revision, b.events.length])).toEqual([
      [first, 2],
      [last, 2],
    ]);
  });

  test('nothing is missed, repeated, torn or out of order while prefixes come and go under load', async () => {
    const store = await fresh();
    const stop = new AbortController();
    const written: number[] = [];
    // Each transaction writes the same number everywhere.
    const writers = [0, 1, 2].map(async (writer) => {
      for (let i = 0; !stop.signal.aborted; i++) {
        const values = ['p/1', 'p/2', 'q/1', 'q/2', 'r/1'].map((scope) =>
          put(`${scope}/${writer}`, String(i)),
        );
        written.push(await commitWrites(store, values));
        // The memory store would leave no turn of the event loop to others.
        await nextTurn();
      }
    });
    const reader = record(store, ['p/1/', 'q/1/']);
    const checkWhole = (): void => {
      for (const writer of [0, 1, 2]) {
        const seen = [...reader.view.values()].filter(({ key }) => key.endsWith(`/${writer}`));
        if (new Set(seen.map(({ value }) => value)).size > 1) torn.push(seen);
      }
    };
    const torn: unknown[] = [];
    const checked = record(store, ['p/1/', 'q/1/'], { onBatch: checkWhole, onSnapshot: checkWhole });
    await checked.listed();
    for (let round = 0; round < 12; round++) {
      const extra = [['p/2/'], ['q/2/', 'r/1/']][round % 2] ?? [];
      reader.add(extra);
      const acknowledged = written.at(-1) ?? 0;
      expect(await reader.caughtUp()).toBeGreaterThanOrEqual(acknowledged);
      expect(
        reader.snapshots.some(({ prefixes }) => extra.every((prefix) => prefixes.includes(prefix))),
      ).toBe(true);
      for (const writer of [0, 1, 2]) {
        const values = new Set(
          [...reader.view.values()].filter(({ key }) => key.endsWith(`/${writer}`)).map(({ value }) => value),
        );
        expect(values.size).toBeLessThanOrEqual(1);
      }
      reader.remove(extra);
      for (const { key } of reader.view.values())
        if (extra.some((prefix) => key.startsWith(prefix))) (reader.view as Map<string, unknown>).delete(key);
    }
    stop.abort();
    await Promise.all(writers);
    expect(torn).toEqual([]);
    await Promise.all([reader.caughtUp(), checked.caughtUp()]);
    const now = await store.snapshot(['p/1/', 'q/1/']);
    for (const each of [reader, checked]) {
      expect([...each.view.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1))).toEqual(now.entries);
      const revisions = each.batches.map((b) => b.revision);
      expect(revisions).toEqual([...new Set(revisions)].toSorted((a, b) => a - b));
      const from = each.snapshots[0]?.revision ?? bug('no snapshot');
      expect(revisions).toEqual(written.filter((revision) => revision > from).toSorted((a, b) => a - b));
    }
  }, 30_000);

  test('an added prefix comes as one snapshot between the batches; a removed one is silent', async () => {
    const store = await fresh();
    await commitWrites(store, [put('a/1', ''), put('b/1', ''), put('c/d/1', '')]);
    const reader = await record(store, ['a/']).listed();
    const before = await commitWrites(store, [put('a/2', ''), put('b/2', ''), put('c/d/2', '')]);
    reader.add(['b/', 'c/d/', 'a/']);
    await reader.caughtUp();
    expect(reader.snapshots.map(({ prefixes }) => prefixes)).toEqual([['a/'], ['b/', 'c/d/']]);
    expect(reader.snapshots[1]?.entries.map(({ key }) => key)).toEqual(['b/1', 'b/2', 'c/d/1', 'c/d/2']);
    expect(reader.snapshots[1]?.revision).toBeGreaterThanOrEqual(before);
    const merged = await commitWrites(store, [put('a/3', ''), put('b/3', ''), remove('c/d/1')]);
    await reader.caughtUp();
    expect(reader.batches.map((b) => [b.revision, b.events.length])).toEqual([
      [before, 1],
      [merged, 3],
    ]);
    reader.remove(['a/', 'c/d/']);
    const after = await commitWrites(store, [put('a/4', ''), put('b/4', ''), put('c/d/4', '')]);
    await commitWrites(store, [put('a/5', '')]);
    await reader.caughtUp();
    expect(reader.batches.at(-1)).toMatchObject({ revision: after, events: [{ entry: { key: 'b/4' } }] });
    expect(reader.batches).toHaveLength(3);
  });

  test('a reader of nothing gets nothing, and what it adds afterwards', async () => {
    const store = await fresh();
    await commitWrites(store, [put('a/b/1', '')]);
    const reader = record(store, []);
    const before = await commitWrites(store, [put('a/b/2', '')]);
    expect(await reader.caughtUp()).toBeGreaterThanOrEqual(before);
    reader.add(['a/b/']);
    await reader.caughtUp();
    expect(reader.snapshots.map(({ prefixes }) => prefixes)).toEqual([['a/b/']]);
    const last = await commitWrites(store, [put('a/b/3', '')]);
    await reader.reached(last);
    reader.remove(['a/b/']);
    const unseen = await commitWrites(store, [put('a/b/4', '')]);
    expect(await reader.caughtUp()).toBeGreaterThanOrEqual(unseen);
    reader.add(['a/b/', 'c/d/']);
    await reader.caughtUp();
    expect(reader.snapshots[1]?.entries).toHaveLength(4);
    expect(reader.batches.map(({ revision }) => revision)).toEqual([last]);
  });

  test('a barrier waits for all that was acknowledged, whoever wrote it and wherever', async () => {
    const store = await fresh();
    const reader = record(store, ['a/1/', 'a/2/', 'b/1']);
    for (let i = 0; i < 20; i++) {
      const keys = [`a/1/${i}`, `a/2/${i}`, 'b/1', 'elsewhere'];
      await commitWrites(store, [put(keys[i % 4] ?? '', String(i))]);
      const at = await commitWrites(store, [put(keys[(i + 1) % 4] ?? '', String(i))]);
      expect(await reader.caughtUp()).toBeGreaterThanOrEqual(at);
      expect(reader.revision).toBeGreaterThanOrEqual(at);
      const { entries } = await store.snapshot(['a/1/', 'a/2/', 'b/1']);
      expect(new Map([...reader.view].toSorted())).toEqual(new Map(entries.map((e) => [e.key, e] as const)));
    }
    reader.close();
    await expect(reader.caughtUp()).rejects.toMatchObject({ data: { code: 'StoreClosed' } });
  });

  test('a reader is not called before subscribe() has returned, and may write without re-entry', async () => {
    const store = await fresh();
    await commitWrites(store, [put('n', '0')]);
    let returned = false;
    let inside = 0;
    let deepest = 0;
    const results: Promise<TxnResult>[] = [];
    const reader: Recorder = record(store, ['n'], {
      onSnapshot: () => {
        expect(returned).toBe(true);
        results.push(store.txn([], [put('n', '1')]));
      },
      onBatch: (batch) => {
        deepest = Math.max(deepest, ++inside);
        const event = batch.events[0];
        const value = event?.type === 'put' ? Number(event.entry.value) : Number.NaN;
        if (value < 20) results.push(store.txn([], [put('n', String(value + 1))]));
        inside--;
      },
    });
    returned = true;
    await eventually(() => expect(reader.batches).toHaveLength(20));
    expect((await Promise.all(results)).every((result) => result.ok)).toBe(true);
    expect([deepest, reader.troubles]).toEqual([1, []]);
  });

  test('a closed subscription is silent, also when it is closed from its own handler', async () => {
    const store = await fresh();
    const own: Recorder = await record(store, [''], { onBatch: () => own.close() }).listed();
    const other = record(store, ['']);
    other.close();
    const witness = await record(store, ['']).listed();
    await commitWrites(store, [put('a', '3')]);
    await eventually(() => expect(own.batches).toHaveLength(1));
    await witness.reached(await commitWrites(store, [put('a', '4')]));
    expect([own.batches.length, other.batches.length, other.snapshots.length]).toEqual([1, 0, 0]);
    expect([...own.troubles, ...other.troubles]).toEqual([]);
  });

  test('a reader that throws gets everything again, and no other does', async () => {
    const store = await fresh();
    let failures = 1;
    const bad = await record(store, ['a/'], {
      onBatch: () => {
        if (failures-- > 0) bug('a reader failed');
      },
    }).listed();
    const good = await record(store, ['a/']).listed();
    for (let i = 0; i < 5; i++) await commitWrites(store, [put(`a/${i}`, '')]);
    await bad.caughtUp();
    await eventually(() => expect(bad.troubles).toHaveLength(1));
    const last = await commitWrites(store, [remove('a/0')]);
    await Promise.all([bad.caughtUp(), good.reached(last)]);
    const keys = ['a/1', 'a/2', 'a/3', 'a/4'];
    expect([...bad.view.keys()].toSorted()).toEqual(keys);
    expect([...good.view.keys()].toSorted()).toEqual(keys);
    expect([bad.snapshots.length > 1, good.snapshots.length, good.troubles.length]).toEqual([true, 1, 0]);
  });
}

export function leases(fresh: Fresh): void {
  test('the keys of a revoked lease vanish in one transaction, others stay', async () => {
    const store = await fresh();
    const lease = await store.lease(60_000);
    await commitWrites(store, [
      leased('l/1', lease),
      leased('l/2', lease),
      put('l/3', ''),
      leased('l/4', lease),
    ]);
    await commitWrites(store, [put('l/4', 'freed')]);
    expect((await store.get('l/1'))?.lease).toBe(lease.id);
    const reader = await record(store, ['l/']).listed();
    await lease.revoke();
    await eventually(() => expect(reader.batches).toHaveLength(1));
    expect(sorted(reader)).toEqual([
      ['delete', 'l/1'],
      ['delete', 'l/2'],
    ]);
    expect((await store.snapshot(['l/'])).entries.map(({ key }) => key)).toEqual(['l/3', 'l/4']);
    await expect(store.txn([], [leased('l/5', lease)])).rejects.toMatchObject({
      data: { code: 'LeaseLost' },
    });
    expect(await store.get('l/5')).toBeNull();
  });

  test('a lease that nobody keeps alive ends; another one lives on', async () => {
    const store = await fresh();
    const [kept, left] = [await store.lease(1000), await store.lease(1000)];
    await commitWrites(store, [leased('kept', kept), leased('left', left)]);
    left.abandon();
    await left.lost;
    await eventually(async () => expect(await store.get('left')).toBeNull());
    expect(await store.get('kept')).not.toBeNull();
    await kept.revoke();
  }, 20_000);
}

const leased = (key: string, lease: Lease): Write => ({
  op: 'put',
  key,
  value: '',
  lease,
});

/** The first batch's events as rows, by key. */
function sorted(reader: Recorder): unknown[] {
  const rows = (reader.batches[0]?.events ?? []).map((event) =>
    event.type === 'put'
      ? ['put', event.entry.key, event.entry.value, event.entry.modRevision, event.entry.createRevision]
      : ['delete', event.key],
  );
  return rows.toSorted((a, b) => (String(a[1]) < String(b[1]) ? -1 : 1));
}
