/** The part of the contract for readers of changes: watches and compaction. */
import { expect, test } from 'vitest';
import { bug } from '../../base/errors.ts';
import type { TxnResult } from '../contract.ts';
import { eventually, type Recorder, record } from './recorder.ts';
import { commitWrites, type Fresh, put, remove } from './writes.ts';

export function watches(fresh: Fresh): void {
  test('a transaction is one batch, with its own entries', async () => {
    const store = await fresh();
    const at = await commitWrites(store, [put('a', '1'), put('gone', '1')]);
    const watch = record(store, '', at + 1);
    const revision = await commitWrites(store, [put('a', '2'), remove('gone'), put('b', '1')]);
    await watch.reached(revision);
    expect(watch.batches).toHaveLength(1);
    expect(sorted(watch)).toEqual([
      ['put', 'a', '2', revision, at],
      ['put', 'b', '1', revision, revision],
      ['delete', 'gone'],
    ]);
  });

  test('a watch delivers only entries under the prefix, and only revisions that touch it', async () => {
    const store = await fresh();
    const { revision } = await store.range('');
    const watch = record(store, 'a/', revision + 1);
    const first = await commitWrites(store, [put('a/1', ''), put('a0', ''), put('b', '')]);
    await commitWrites(store, [put('b', '2')]);
    const last = await commitWrites(store, [remove('a/1')]);
    await watch.reached(last);
    expect(watch.batches.map((b) => [b.revision, b.events.length])).toEqual([
      [first, 1],
      [last, 1],
    ]);
  });

  test('a watch resumes at any revision, each batch once and in order', async () => {
    const store = await fresh();
    const revisions: number[] = [];
    for (let i = 0; i < 20; i++) revisions.push(await commitWrites(store, [put(`k/${i % 3}`, String(i))]));
    const started = revisions.map((from) => record(store, 'k/', from));
    for (let i = 0; i < 5; i++) revisions.push(await commitWrites(store, [put(`k/${i}`, 'later')]));
    const last = revisions.at(-1) ?? 0;
    await Promise.all(started.map((watch) => watch.reached(last)));
    expect(started.map((watch) => watch.batches.map((b) => b.revision))).toEqual(
      started.map((_, i) => revisions.slice(i)),
    );
  });

  test('list, then watch from the next revision, misses and repeats nothing under load', async () => {
    const store = await fresh();
    const stop = new AbortController();
    const writers = [0, 1, 2].map(async (writer) => {
      for (let i = 0; !stop.signal.aborted; i++)
        await commitWrites(store, [put(`k/${writer}/${i % 5}`, String(i))]);
    });
    for (let round = 0; round < 10; round++) {
      const snapshot = await store.range('k/');
      const view = new Map(snapshot.entries.map((e) => [e.key, e]));
      const watch = record(store, 'k/', snapshot.revision + 1);
      const mark = await commitWrites(store, [put('k/mark', String(round))]);
      await watch.reached(mark);
      for (const batch of watch.batches.filter((b) => b.revision <= mark)) {
        expect(batch.revision).toBeGreaterThan(snapshot.revision);
        for (const event of batch.events) if (event.type === 'put') view.set(event.entry.key, event.entry);
      }
      const now = await store.range('k/');
      const old = now.entries.filter((e) => e.modRevision <= mark);
      expect(old.every((e) => view.get(e.key)?.value === e.value)).toBe(true);
      watch.close();
    }
    stop.abort();
    await Promise.all(writers);
  });

  test('a watch from a future revision is silent until then', async () => {
    const store = await fresh();
    const first = await commitWrites(store, [put('a', '1')]);
    const watch = record(store, '', first + 3);
    let last = first;
    while (last < first + 5) last = await commitWrites(store, [put('a', String(last))]);
    await watch.reached(last);
    expect(Math.min(...watch.batches.map((b) => b.revision))).toBeGreaterThanOrEqual(first + 3);
  });

  test('a reader sees nothing before watch() has returned, and its handler may write without re-entry', async () => {
    const store = await fresh();
    const first = await commitWrites(store, [put('n', '0')]);
    let returned = false;
    let inside = 0;
    let deepest = 0;
    const results: Promise<TxnResult>[] = [];
    const watch = record(store, 'n', first, (batch) => {
      expect(returned).toBe(true);
      deepest = Math.max(deepest, ++inside);
      const event = batch.events[0];
      const value = event?.type === 'put' ? Number(event.entry.value) : Number.NaN;
      if (value < 20) results.push(store.txn([], [put('n', String(value + 1))]));
      inside--;
    });
    returned = true;
    await eventually(() => expect(watch.batches).toHaveLength(21));
    expect((await Promise.all(results)).every((result) => result.ok)).toBe(true);
    expect(deepest).toBe(1);
    expect(watch.batches.map((b) => b.revision)).toEqual(
      watch.batches.map((b) => b.revision).toSorted((a, b) => a - b),
    );
  });

  test('a closed watch is silent, also when it is closed from its own handler', async () => {
    const store = await fresh();
    const first = await commitWrites(store, [put('a', '1')]);
    await commitWrites(store, [put('a', '2')]);
    const own: Recorder = record(store, '', first, () => own.close());
    const other = record(store, '', first);
    other.close();
    const witness = record(store, '', first);
    await witness.reached(await commitWrites(store, [put('a', '3')]));
    await eventually(() => expect(own.batches).toHaveLength(1));
    await witness.reached(await commitWrites(store, [put('a', '4')]));
    expect([own.batches.length, other.batches.length]).toEqual([1, 0]);
    expect([...own.lost, ...other.lost]).toEqual([]);
  });

  test('a reader that throws loses its own watch and no other', async () => {
    const store = await fresh();
    const first = await commitWrites(store, [put('a', '1')]);
    const bad = record(store, '', first, () => bug('a reader failed'));
    const good = record(store, '', first);
    expect((await bad.ended()).data.code).toBe('StoreUnavailable');
    await good.reached(await commitWrites(store, [put('a', '2')]));
    expect([bad.batches.length, good.batches.length]).toEqual([1, 2]);
  });
}

export function compaction(fresh: Fresh): void {
  test('history goes, values stay, and a watch from before is refused', async () => {
    const store = await fresh();
    const old = await commitWrites(store, [put('old', '1')]);
    await commitWrites(store, [put('a', '1')]);
    const limit = await commitWrites(store, [put('a', '2')]);
    const after = await commitWrites(store, [put('a', '3')]);
    await store.compact(limit);
    expect((await store.get('old'))?.modRevision).toBe(old);
    const late = record(store, '', old);
    const fault = await late.ended();
    expect(fault.data.code).toBe('Compacted');
    if (fault.data.code === 'Compacted') expect(fault.data.revision).toBeGreaterThanOrEqual(limit);
    expect(late.batches).toEqual([]);
    const next = record(store, '', limit + 1);
    await next.reached(after);
    expect(next.batches.map((b) => b.revision)).toEqual([after]);
    expect(next.lost).toEqual([]);
  });

  test('an open watch loses nothing by it', async () => {
    const store = await fresh();
    const { revision } = await store.range('');
    const watch = record(store, '', revision + 1);
    const revisions = [];
    for (let i = 0; i < 30; i++) {
      revisions.push(await commitWrites(store, [put('a', String(i))]));
      if (i % 10 === 9) {
        await watch.reached(revisions.at(-1) ?? 0);
        await store.compact((revisions.at(-1) ?? 0) - 1);
      }
    }
    await watch.reached(revisions.at(-1) ?? 0);
    expect(watch.batches.map((b) => b.revision)).toEqual(revisions);
    expect(watch.lost).toEqual([]);
  });

  test('conditions on revisions that were compacted are still judged correctly', async () => {
    const store = await fresh();
    const first = await commitWrites(store, [put('dir/a', '1')]);
    await commitWrites(store, [put('dir/b', '1')]);
    const limit = await commitWrites(store, [put('other', '1')]);
    await store.compact(limit);
    expect((await store.txn([{ prefix: 'dir/', is: 'quiet', revision: first }], [])).ok).toBe(false);
    expect((await store.txn([{ prefix: 'dir/a', is: 'quiet', revision: first }], [])).ok).toBe(true);
    expect((await store.txn([{ key: 'dir/a', is: 'unchanged', modRevision: first }], [])).ok).toBe(true);
  });
}

/** The first batch's events as rows, by key. */
function sorted(watch: Recorder): unknown[] {
  const rows = (watch.batches[0]?.events ?? []).map((event) =>
    event.type === 'put'
      ? ['put', event.entry.key, event.entry.value, event.entry.modRevision, event.entry.createRevision]
      : ['delete', event.key],
  );
  return rows.toSorted((a, b) => (String(a[1]) < String(b[1]) ? -1 : 1));
}
