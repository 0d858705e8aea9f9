import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Fault } from '../../base/errors.ts';
import { keys } from '../../model/keys.ts';
import type { Store, Subscriber } from '../../store/contract.ts';
import { openStore } from '../../store/index.ts';
import { View } from './view.ts';

let store: Store;
let view: View;
let readers: Subscriber[];

const network = (id: string, name: string) => ({
  op: 'put' as const,
  key: keys.network(id),
  value: JSON.stringify({ id, name, project_id: 'p' }),
});

/** The real store, but its readers can be told that history is lost. */
function cuttable(inner: Store): Store {
  return {
    limits: inner.limits,
    revision: () => inner.revision(),
    get: (key) => inner.get(key),
    snapshot: (prefixes) => inner.snapshot(prefixes),
    txn: (conditions, writes) => inner.txn(conditions, writes),
    lease: (ttl) => inner.lease(ttl),
    close: () => inner.close(),
    subscribe(prefixes, reader) {
      readers.push(reader);
      return inner.subscribe(prefixes, reader);
    },
  };
}

beforeEach(async () => {
  readers = [];
  store = await openStore({ kind: 'memory' });
  view = new View(cuttable(store), pino({ level: 'silent' }));
});
afterEach(async () => {
  view.close();
  await store.close();
});

describe('the view', () => {
  it('has what was there and what comes, in order of creation', async () => {
    await store.txn([], [network('b', 'first')]);
    await store.txn([], [network('a', 'second')]);
    await view.start();
    const { revision } = (await store.txn([], [network('c', 'third')])) as { revision: number };
    await view.reached(revision);
    expect([...view.state.networks.all()].map((row) => row.record.name)).toEqual([
      'first',
      'second',
      'third',
    ]);
    await store.txn([], [network('b', 'renamed'), { op: 'delete', key: keys.network('a') }]);
    await view.catchUp();
    expect(await view.catchUp()).toBe(false);
    expect([...view.state.networks.all()].map((row) => row.record.name)).toEqual(['renamed', 'third']);
    expect(view.state.networks.by('name', 'first').size).toBe(0);
    expect(view.state.networks.by('name', 'renamed').size).toBe(1);
  });

  it('leaves out a record of a newer release, by name, and nothing else', async () => {
    const newer = { ...network('n', 'newer'), value: JSON.stringify({ id: 'n', needs_schema: 1e6 }) };
    await store.txn([], [newer, network('a', 'old')]);
    await view.start();
    await store.txn([], [{ ...newer, key: keys.network('later') }]);
    await view.catchUp();
    expect([...view.state.networks.all()].map((row) => row.record.id)).toEqual(['a']);
    expect([...view.state.unreadable.keys()].sort()).toEqual([keys.network('later'), keys.network('n')]);
    await store.txn([], [network('n', 'read')]);
    await view.catchUp();
    expect([...view.state.unreadable.keys()]).toEqual([keys.network('later')]);
    expect(view.state.networks.get('n')?.record.name).toBe('read');
  });

  it('takes a snapshot that comes after a loss', async () => {
    await view.start();
    await store.txn([], [network('a', 'x')]);
    await view.catchUp();
    const { revision } = await store.snapshot(['']);
    const later = { op: 'put', key: keys.network('b'), value: network('b', 'y').value } as const;
    const entry = {
      key: later.key,
      value: later.value,
      modRevision: revision + 1,
      createRevision: revision + 1,
    };
    readers[0]?.onTrouble?.(new Fault({ code: 'StoreUnavailable' }, 'compacted'));
    readers[0]?.onSnapshot({ revision: revision + 1, entries: [entry] }, ['']);
    expect([...view.state.networks.all()].map((row) => row.record.id)).toEqual(['b']);
    expect(view.revision).toBe(revision + 1);
  });

  it('gives up waiting when it is closed', async () => {
    await view.start();
    const waiting = view.reached(1000);
    view.close();
    await expect(waiting).rejects.toMatchObject({ data: { code: 'ViewBehind', revision: 1000 } });
  });
});
