import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Fault } from '../../base/errors.ts';
import { keys } from '../../model/keys.ts';
import type { Store, StoreFault, WatchHandlers } from '../../store/contract.ts';
import { openStore } from '../../store/index.ts';
import { View } from './view.ts';

let store: Store;
let view: View;
let watches: WatchHandlers[];

const network = (id: string, name: string) => ({
  op: 'put' as const,
  key: keys.network(id),
  value: JSON.stringify({ id, name, project_id: 'p' }),
});

/** The real store, but its watches can be cut. */
function cuttable(inner: Store): Store {
  return {
    get: (key) => inner.get(key),
    range: (prefix) => inner.range(prefix),
    txn: (conditions, writes) => inner.txn(conditions, writes),
    compact: (revision) => inner.compact(revision),
    close: () => inner.close(),
    watch(prefix, from, handlers) {
      watches.push(handlers);
      return inner.watch(prefix, from, handlers);
    },
  };
}

beforeEach(async () => {
  watches = [];
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

  it('lists again after its watch was lost', async () => {
    await view.start();
    await store.txn([], [network('a', 'x')]);
    await view.catchUp();
    watches[0]?.onLost(new Fault<StoreFault>({ code: 'Compacted', revision: 1 }, 'compacted'));
    await store.txn([], [{ op: 'delete', key: keys.network('a') }, network('b', 'y')]);
    await expect.poll(() => watches.length).toBe(2);
    await expect.poll(() => [...view.state.networks.all()].map((row) => row.record.id)).toEqual(['b']);
  });

  it('gives up waiting when it is closed', async () => {
    await view.start();
    const waiting = view.reached(1000);
    view.close();
    await expect(waiting).rejects.toMatchObject({ data: { code: 'ViewBehind', revision: 1000 } });
  });
});
