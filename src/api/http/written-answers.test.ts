/** The answer to a write shows what that request wrote, also where another server has changed the record since. */
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import type { Store, Write } from '../../store/contract.ts';
import { MemoryStore } from '../../store/memory.ts';
import { type Api, createApi } from '../server.ts';
import { clientOf } from '../testing/api-under-test.ts';

let api: Api;
afterEach(() => api.close());

/** A store in which, once armed, another server changes the record right after the next write of it. */
function contested(real: MemoryStore): { readonly store: Store; readonly arm: (key: RegExp) => void } {
  let armed: RegExp | null = null;
  const txn: Store['txn'] = async (conditions, writes) => {
    const result = await real.txn(conditions, writes);
    const own = writes.find((write): write is Extract<Write, { op: 'put' }> => {
      return write.op === 'put' && armed?.test(write.key) === true;
    });
    if (own === undefined) return result;
    armed = null;
    const record = JSON.parse(own.value) as { revision_number: number };
    const later = { ...record, name: 'of another', revision_number: record.revision_number + 1 };
    await real.txn([], [{ op: 'put', key: own.key, value: JSON.stringify(later) }]);
    // The server's copy hears of both before its request goes on.
    await new Promise((resolve) => setTimeout(resolve, 20));
    return result;
  };
  const store = new Proxy<Store>(real, {
    get: (target, name) => {
      if (name === 'txn') return txn;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  return { store, arm: (key) => (armed = key) };
}

test('an update and a creation are answered with their own names and revisions', async () => {
  const { store, arm } = contested(new MemoryStore());
  api = createApi({ store, log: pino({ level: 'silent' }), listen: { host: '127.0.0.1', port: 0 } });
  await api.ready();
  const client = clientOf(api);
  const { id, revision_number: before } = await client.make('networks', { name: 'first' });
  arm(/^networks\//);
  const answer = await client.change('networks', id, { name: 'second' });
  expect(answer).toMatchObject({ name: 'second', revision_number: Number(before) + 1 });
  expect(await client.show('networks', id)).toMatchObject({
    name: 'of another',
    revision_number: Number(before) + 2,
  });
  arm(/^networks\//);
  const made = await client.make('networks', { name: 'third' });
  expect(made['name']).toBe('third');
  expect((await client.show('networks', made['id']))['name']).toBe('of another');
});
