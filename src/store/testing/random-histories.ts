/**
 * Compares the store with the simplest correct model: a map and a list of batches. Generated transactions go
 * to both; results, listing and watches must agree.
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Batch, Condition, Entry, Store, Write } from '../contract.ts';
import { isUnder } from '../prefixes.ts';
import { record } from './recorder.ts';

const keys = ['a', 'a/', 'a/b', 'a/b/c', 'a0', 'b', 'é/1'];
const watched = [['', 'a/'], ['a/', 'b'], ['a/b', 'é'], ['a']];
const quietPrefixes = ['', 'a/', 'b', 'é'];

/** A generated condition names a step of the history, since only the store knows the revision numbers. */
type Drawn =
  | { readonly is: 'absent' | 'present'; readonly key: string }
  | { readonly is: 'unchanged'; readonly key: string; readonly stale: boolean }
  | { readonly is: 'quiet'; readonly prefix: string; readonly step: number };

interface Step {
  readonly conditions: readonly Drawn[];
  readonly writes: readonly Write[];
}

const key = fc.constantFrom(...keys);
const condition: fc.Arbitrary<Drawn> = fc.oneof(
  fc.record({ is: fc.constantFrom('absent' as const, 'present' as const), key }),
  fc.record({ is: fc.constant('unchanged' as const), key, stale: fc.boolean() }),
  fc.record({
    is: fc.constant('quiet' as const),
    prefix: fc.constantFrom(...quietPrefixes),
    step: fc.nat(30),
  }),
);
const write: fc.Arbitrary<Write> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant('put' as const), key, value: fc.string({ maxLength: 5 }) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('delete' as const), key }) },
);
const step: fc.Arbitrary<Step> = fc.record({
  conditions: fc.array(condition, { maxLength: 2 }),
  writes: fc.uniqueArray(write, { maxLength: 4, selector: (w) => w.key }),
});

export async function randomHistories(makeStore: () => Promise<Store>, effort: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
      const store = await makeStore();
      try {
        await oneHistory(store, steps);
      } finally {
        await store.close();
      }
    }),
    { numRuns: 40 * effort },
  );
}

async function oneHistory(store: Store, steps: readonly Step[]): Promise<void> {
  const start = await store.revision();
  const recorders = await Promise.all(watched.map((prefixes) => record(store, prefixes).listed()));
  const model = new Map<string, Entry>();
  const happened: Batch[] = [];
  for (const drawn of steps) {
    const conditions = drawn.conditions.map((c) => concrete(c, model, happened, start));
    const failed = conditions.filter((c) => !holds(c, model));
    const result = await store.txn(conditions, drawn.writes);
    expect(result.ok).toBe(failed.length === 0);
    if (!result.ok) expect(result.failed).toEqual(failed);
    else apply(drawn.writes, result.revision, model, happened);
  }
  const { entries } = await store.snapshot(['']);
  expect(entries).toEqual([...model.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1)));
  for (const [i, recorder] of recorders.entries()) {
    await recorder.caughtUp();
    expect(recorder.batches.map(ordered)).toEqual(under(watched[i] ?? [], happened).map(ordered));
  }
}

/** The order within a batch means nothing. */
function ordered({ revision, events }: Batch): Batch {
  const keyOf = (event: Batch['events'][number]): string =>
    event.type === 'put' ? event.entry.key : event.key;
  return { revision, events: events.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)) };
}

function concrete(
  drawn: Drawn,
  model: ReadonlyMap<string, Entry>,
  happened: readonly Batch[],
  start: number,
): Condition {
  if (drawn.is === 'quiet') {
    return { is: 'quiet', prefix: drawn.prefix, revision: happened[drawn.step]?.revision ?? start };
  }
  if (drawn.is !== 'unchanged') return drawn;
  const modRevision = (model.get(drawn.key)?.modRevision ?? start + 1) - (drawn.stale ? 1 : 0);
  return { is: 'unchanged', key: drawn.key, modRevision };
}

function holds(condition: Condition, model: ReadonlyMap<string, Entry>): boolean {
  if (condition.is === 'quiet') {
    return ![...model.values()].some(
      (e) => isUnder(condition.prefix, e.key) && e.modRevision > condition.revision,
    );
  }
  const entry = model.get(condition.key);
  if (condition.is === 'unchanged') return entry?.modRevision === condition.modRevision;
  return (entry !== undefined) === (condition.is === 'present');
}

function apply(
  writes: readonly Write[],
  revision: number,
  model: Map<string, Entry>,
  happened: Batch[],
): void {
  const events: Batch['events'][number][] = [];
  for (const w of writes) {
    const before = model.get(w.key);
    if (w.op === 'put') {
      const createRevision = before?.createRevision ?? revision;
      const entry = { key: w.key, value: w.value, modRevision: revision, createRevision };
      model.set(w.key, entry);
      events.push({ type: 'put', entry });
    } else if (before !== undefined) {
      model.delete(w.key);
      events.push({ type: 'delete', key: w.key });
    }
  }
  if (events.length > 0) happened.push({ revision, events });
}

function under(prefixes: readonly string[], happened: readonly Batch[]): Batch[] {
  return happened
    .map(({ revision, events }) => ({
      revision,
      events: events.filter((e) =>
        prefixes.some((prefix) => isUnder(prefix, e.type === 'put' ? e.entry.key : e.key)),
      ),
    }))
    .filter((batch) => batch.events.length > 0);
}
