import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { keys } from '../../model/keys.ts';
import type { HostRecord } from '../../model/records.ts';
import type { Lease, Store, Subscription } from '../../store/contract.ts';
import { MemoryStore } from '../../store/memory.ts';
import { HostLife, type HostLifeOptions } from './host-life.ts';
import { ownIdentity } from './process-identity.ts';

let store: MemoryStore;
let leases: Lease[];
/** The store does not answer. */
let isAway: boolean;
let record: HostRecord;
let life: HostLife;
let lines: string[];
let followed: Subscription;
beforeEach(() => {
  store = new MemoryStore();
  leases = [];
  isAway = false;
  record = { name: 'h', version: '1' };
  lines = [];
  const sink = { write: (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg) };
  life = new HostLife({
    store: seenByHost(store),
    host: 'h',
    log: pino({}, sink),
    hostRecord: () => record,
    bridgeRecord: () => undefined,
  });
  followed = store.subscribe(life.prefixes, { onSnapshot() {}, onBatch: (batch) => void life.apply(batch) });
});
afterEach(async () => {
  followed.close();
  await life.stop();
  await store.close();
});

/** A store whose leases can be ended early. */
function seenByHost(real: Store): Store {
  return new Proxy(real, {
    get: (target, name: keyof Store) => {
      if (name === 'lease')
        return async () => {
          if (isAway) throw new Error('away');
          const lease = await target.lease(10);
          leases.push(lease);
          return lease;
        };
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

const at = (key: string) => store.get(key);
const revision = async () => (await at(keys.host('h')))?.modRevision ?? 0;

test('a host lives with its lease and dies with it; its record stays', async () => {
  await life.start();
  expect(await at(keys.life('h'))).toMatchObject({ value: ownIdentity(), lease: leases[0]?.id });
  expect((await at(keys.host('h')))?.lease).toBe(undefined);
  await life.stop();
  expect(await at(keys.life('h'))).toBe(null);
  expect(JSON.parse((await at(keys.host('h')))?.value ?? '')).toEqual(record);
});

test('a host that lost its lease takes another, and its record is of another revision', async () => {
  await life.start();
  const before = await revision();
  leases[0]?.abandon();
  await vi.waitFor(() => expect(leases).toHaveLength(2));
  await vi.waitFor(async () => expect(await at(keys.life('h'))).toMatchObject({ lease: leases[1]?.id }));
  expect(await revision()).toBeGreaterThan(before);
  expect(lines).toContain('host lost its lease; takes another');
  expect(lines).toContain('host has a lease again');
});

test('a lease is lost while the store is away: the host lives again once the store is back', async () => {
  await life.start();
  isAway = true;
  leases[0]?.abandon();
  await vi.waitFor(() => expect(lines).toContain('failed to record the host; will retry'));
  expect(await at(keys.life('h'))).toBe(null);
  isAway = false;
  await vi.waitFor(async () => expect(await at(keys.life('h'))).not.toBe(null));
});

test('what changes is written, what does not is not', async () => {
  await life.start();
  const before = await revision();
  life.refresh();
  record = { ...record, datapath_type: 'netdev' };
  life.refresh();
  await vi.waitFor(async () => expect(await revision()).toBeGreaterThan(before));
  const after = await store.revision();
  life.refresh();
  await vi.waitFor(async () => expect(await store.get(keys.host('h'))).toMatchObject({ modRevision: after }));
});

test('a record that an administrator deleted is written again', async () => {
  await life.start();
  await store.txn([], [{ op: 'delete', key: keys.host('h') }]);
  await vi.waitFor(async () => expect(await at(keys.host('h'))).not.toBe(null));
});

test('a start rejects when the store does', async () => {
  isAway = true;
  await expect(life.start()).rejects.toThrow('away');
});

const other = 'elsewhere 1 77 5';
const asOther = (given: Partial<HostLifeOptions> = {}) =>
  new HostLife({
    store,
    host: 'h',
    log: pino({ level: 'silent' }),
    hostRecord: () => ({ name: 'h', version: '2' }),
    bridgeRecord: () => undefined,
    identity: other,
    takeoverTimeout: 0,
    ...given,
  });

test('a second process with the name of a host that lives is refused and changes nothing', async () => {
  await life.start();
  const before = await store.revision();
  const second = asOther();
  await expect(second.start()).rejects.toMatchObject({ data: { code: 'HostTaken', host: 'h' } });
  expect(await store.revision()).toBe(before);
  await second.stop();
  expect(await at(keys.life('h'))).not.toBe(null);
});

test('a process waits until the lease of a former one on another machine has ended', async () => {
  const former = await store.lease(60_000);
  await store.txn([], [{ op: 'put', key: keys.life('h'), value: other, lease: former }]);
  const started = life.start();
  await vi.waitFor(() => expect(lines).toContain('host is taken; waits for the lease to end'));
  await former.revoke();
  await started;
  expect(await at(keys.life('h'))).toMatchObject({ lease: leases[0]?.id });
});

test('a process takes over at once from one of its machine that has ended', async () => {
  const former = await store.lease(60_000);
  const ended = ownIdentity().replace(/\d+ \d+$/, '4194305 1');
  await store.txn([], [{ op: 'put', key: keys.life('h'), value: ended, lease: former }]);
  await life.start();
  expect(lines).toEqual([]);
  expect(await at(keys.life('h'))).toMatchObject({ lease: leases[0]?.id });
});

test('a process that stood still for longer than its lease gives way to the one that took over', async () => {
  await life.start();
  isAway = true;
  leases[0]?.abandon();
  await vi.waitFor(async () => expect(await at(keys.life('h'))).toBe(null));
  const second = asOther();
  await second.start();
  isAway = false;
  expect(await life.taken).toMatchObject({ data: { code: 'HostTaken' } });
  expect(await at(keys.life('h'))).toMatchObject({ value: other });
  await second.stop();
});
