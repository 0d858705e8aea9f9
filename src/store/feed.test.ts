import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bug, Fault } from '../base/errors.ts';
import type { Batch, Entry, Store, StoreFault, Write } from './contract.ts';
import { type FeedOptions, follow } from './feed.ts';
import { MemoryStore } from './memory.ts';
import { eventually } from './testing/recorder.ts';

let stop = new AbortController();
let store: MemoryStore;

beforeEach(() => {
  stop = new AbortController();
  store = new MemoryStore({ historyLimit: 10 });
});

afterEach(async () => {
  stop.abort();
  await store.close();
});

/** A reader that holds exactly what the feed reported. */
function reader(extra: Partial<Pick<FeedOptions, 'onReset' | 'onBatch'>> = {}) {
  const view = new Map<string, Entry>();
  const batches: Batch[] = [];
  const troubles: unknown[] = [];
  const counts = { resets: 0 };
  const options: FeedOptions = {
    signal: stop.signal,
    onReset: (snapshot) => {
      counts.resets++;
      view.clear();
      for (const entry of snapshot.entries) view.set(entry.key, entry);
      extra.onReset?.(snapshot);
    },
    onBatch: (batch) => {
      extra.onBatch?.(batch);
      batches.push(batch);
      for (const event of batch.events) {
        if (event.type === 'put') view.set(event.entry.key, event.entry);
        else view.delete(event.key);
      }
    },
    onTrouble: (error) => troubles.push(error),
  };
  return { view, batches, troubles, counts, options };
}

const put = (key: string, value = ''): Write => ({ op: 'put', key, value });

describe('follow', () => {
  test('lists first, then gives one batch a revision over all prefixes, and nothing else', async () => {
    await store.txn([], [put('ports/1'), put('hosts/1'), put('portsx')]);
    const seen = reader();
    void follow(store, ['ports/', 'groups/'], seen.options);
    await eventually(() => expect([...seen.view.keys()]).toEqual(['ports/1']));
    await store.txn([], [put('ports/2'), put('groups/1'), put('hosts/2')]);
    await store.txn([], [put('hosts/3')]);
    await store.txn([], [{ op: 'delete', key: 'ports/1' }]);
    await eventually(() =>
      expect(seen.batches.map((b) => [b.revision, b.events.length])).toEqual([
        [2, 2],
        [4, 1],
      ]),
    );
    expect([...seen.view.keys()]).toEqual(['ports/2', 'groups/1']);
    expect(seen.counts.resets).toBe(1);
  });

  test('history compacted between list and watch: lists again and is whole', async () => {
    await store.txn([], [put('a/0')]);
    let compacted = false;
    const seen = reader({
      onReset: () => {
        if (compacted) return;
        compacted = true;
        for (let i = 1; i <= 3; i++) void store.txn([], [put(`a/${i}`), { op: 'delete', key: 'a/0' }]);
        void store.compact(3);
      },
    });
    void follow(store, ['a/'], seen.options);
    await eventually(() => expect([...seen.view.keys()]).toEqual(['a/1', 'a/2', 'a/3']));
    expect(seen.counts.resets).toBe(2);
    expect(seen.troubles).toMatchObject([{ data: { code: 'Compacted' } }]);
    await store.txn([], [put('a/4')]);
    await eventually(() => expect(seen.view.has('a/4')).toBe(true));
  });

  test('a handler that fails gets everything again', async () => {
    const seen = reader({
      onBatch: (batch) => {
        if (batch.revision === 2) bug('a reader failed');
      },
    });
    void follow(store, ['a/'], seen.options);
    await eventually(() => expect(seen.counts.resets).toBe(1));
    for (let i = 1; i <= 3; i++) await store.txn([], [put(`a/${i}`)]);
    await eventually(() => expect([...seen.view.keys()]).toEqual(['a/1', 'a/2', 'a/3']));
    expect([seen.counts.resets, seen.troubles.length]).toEqual([2, 1]);
  });

  test('a store that is away is asked again until it answers', async () => {
    await store.txn([], [put('a/1')]);
    let refusals = 3;
    const away: Store = {
      get: (key) => store.get(key),
      range: async (prefix) => {
        if (refusals-- > 0) throw new Fault<StoreFault>({ code: 'StoreUnavailable' }, 'away');
        return store.range(prefix);
      },
      txn: (conditions, writes) => store.txn(conditions, writes),
      watch: (prefix, from, handlers) => store.watch(prefix, from, handlers),
      compact: (revision) => store.compact(revision),
      close: () => store.close(),
    };
    const seen = reader();
    void follow(away, ['a/'], seen.options);
    await eventually(() => expect([...seen.view.keys()]).toEqual(['a/1']));
    expect(seen.troubles).toHaveLength(3);
  });

  test('ends at the abort, without another call, and at the close of the store', async () => {
    const seen = reader();
    const following = follow(store, ['a/'], seen.options);
    await eventually(() => expect(seen.counts.resets).toBe(1));
    const written = store.txn([], [put('a/1')]);
    stop.abort();
    await Promise.all([written, following]);
    expect(seen.batches).toEqual([]);

    stop = new AbortController();
    const other = reader();
    const ending = follow(store, ['a/'], other.options);
    await eventually(() => expect(other.counts.resets).toBe(1));
    await store.close();
    await ending;
    expect(other.troubles).toEqual([]);
  });

  test('whatever is written, compacted and failed, the reader ends equal to the store', async () => {
    const action = fc.oneof(
      { weight: 6, arbitrary: fc.record({ put: fc.constantFrom('a/1', 'a/2', 'b/1', 'c/1') }) },
      { weight: 3, arbitrary: fc.record({ remove: fc.constantFrom('a/1', 'a/2', 'b/1') }) },
      { weight: 2, arbitrary: fc.constant('compact' as const) },
      { weight: 1, arbitrary: fc.constant('fail' as const) },
      { weight: 2, arbitrary: fc.constant('wait' as const) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 30 }), async (actions) => {
        const own = new MemoryStore({ historyLimit: 4 });
        let failing = false;
        const seen = reader({
          onBatch: () => {
            if (!failing) return;
            failing = false;
            bug('a reader failed');
          },
        });
        void follow(own, ['a/', 'b/'], seen.options);
        for (const [i, act] of actions.entries()) {
          if (act === 'compact') await own.compact((await own.range('')).revision);
          else if (act === 'fail') failing = true;
          else if (act === 'wait') await new Promise(setImmediate);
          else if ('put' in act) await own.txn([], [put(act.put, String(i))]);
          else await own.txn([], [{ op: 'delete', key: act.remove }]);
        }
        const { entries } = await own.range('');
        const expected = entries.filter((entry) => !entry.key.startsWith('c/'));
        await eventually(() =>
          expect([...seen.view.values()].toSorted((x, y) => (x.key < y.key ? -1 : 1))).toEqual(expected),
        );
        await own.close();
      }),
      { numRuns: 40 },
    );
  });
});
