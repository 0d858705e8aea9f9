/**
 * `store-of-9213907.mdb` is the data file that `portcullis up` of commit 9213907 left behind: three networks, one of them
 * external and one empty, ports with and without security, a router with its gateway, and a port that was deleted.
 */
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { violationsOf } from '../../model/invariants/check.ts';
import { keys } from '../../model/keys.ts';
import { isNetworkKey, isPortKey, preferredPortKey } from '../../model/numbers.ts';
import type { NetworkRecord, PortRecord } from '../../model/records.ts';
import type { Store } from '../../store/contract.ts';
import { openStore } from '../../store/index.ts';
import { createApi } from '../server.ts';
import { clientOf } from '../testing/api-under-test.ts';

const fixture = new URL('../testing/store-of-9213907.mdb', import.meta.url);

let dir: string;
let store: Store;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-migration-'));
  await copyFile(fixture, join(dir, 'data.mdb'));
  store = await openStore({ kind: 'embedded', dir });
});
afterEach(async () => {
  await store.close();
  await rm(dir, { recursive: true, force: true });
});

const serverOn = (on: Store) =>
  createApi({ store: on, log: pino({ level: 'silent' }), listen: { host: '127.0.0.1', port: 0 } });

async function start(on: Store = store): Promise<void> {
  const api = serverOn(on);
  try {
    await api.ready();
  } finally {
    await api.close();
  }
}

async function content(): Promise<Record<string, string>> {
  const { entries } = await store.snapshot(['']);
  return Object.fromEntries(entries.map(({ key, value }) => [key, value]));
}

const violations = async () => violationsOf((await store.snapshot([''])).entries);

async function recordsUnder<R>(prefix: string): Promise<R[]> {
  const { entries } = await store.snapshot([prefix]);
  return entries.map(({ value }) => JSON.parse(value) as R);
}

/** A store whose transactions fail once this many have gone through, as after a crash. */
function failingAfter(count: number): Store {
  let left = count;
  return {
    get: (key) => store.get(key),
    snapshot: (prefixes) => store.snapshot(prefixes),
    subscribe: (prefixes, reader) => store.subscribe(prefixes, reader),
    lease: (ttl) => store.lease(ttl),
    revision: () => store.revision(),
    limits: store.limits,
    close: async () => undefined,
    txn: async (conditions, writes) => {
      if (left-- === 0) throw new Error('crashed');
      return store.txn(conditions, writes);
    },
  };
}

test('the store of the last release gets numbers, and is whole', async () => {
  const before = await content();
  expect((await violations()).length).toBeGreaterThan(0);
  await start();
  expect(await violations()).toEqual([]);
  const networks = await recordsUnder<NetworkRecord>('networks/');
  const ports = await recordsUnder<PortRecord>('ports/');
  expect(networks).toHaveLength(3);
  expect(ports).toHaveLength(5);
  for (const { vni } of networks) expect(vni).toSatisfy(isNetworkKey);
  for (const { id, key } of ports) {
    expect(key).toSatisfy(isPortKey);
    // The number by which connection records on a running switch name the port.
    expect(key).toBe(preferredPortKey(id));
  }
  // Nothing else changes, revisions and times included.
  const after = await content();
  for (const [key, value] of Object.entries(before)) {
    if (!/^(networks|ports)\//.test(key)) expect(after[key], key).toBe(value);
    else {
      const { vni: _vni, key: _key, ...rest } = JSON.parse(after[key] ?? 'null');
      expect(rest, key).toEqual(JSON.parse(value));
    }
  }
});

test('a second start changes nothing', async () => {
  await start();
  const before = await content();
  await start();
  expect(await content()).toEqual(before);
});

test('after a crash at any transaction the next start ends in the same store', async () => {
  // Many ports, so that the migration takes several transactions.
  const [port] = await recordsUnder<PortRecord>('ports/');
  if (port === undefined) return expect.fail('the fixture has ports');
  for (let n = 0; n < 120; n++) {
    const id = `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
    const mac = `02:00:00:00:00:${n.toString(16).padStart(2, '0')}`;
    const record = { ...port, id, mac_address: mac, fixed_ips: [], security_groups: [] };
    const { ok } = await store.txn(
      [],
      [
        { op: 'put', key: keys.port(port.network_id, id), value: JSON.stringify(record) },
        { op: 'put', key: keys.takenMac(port.network_id, mac), value: id },
      ],
    );
    expect(ok).toBe(true);
  }
  for (const transactions of [0, 1, 1]) await expect(start(failingAfter(transactions))).rejects.toThrow();
  await start();
  expect(await violations()).toEqual([]);
  const ports = await recordsUnder<PortRecord>('ports/');
  expect(ports.map(({ key }) => key)).toEqual(ports.map(({ id }) => preferredPortKey(id)));
});

test('two servers that start at once agree', async () => {
  await Promise.all([start(), start(), start()]);
  expect(await violations()).toEqual([]);
});

test('marks that a run of the last release has left behind are removed', async () => {
  await start();
  const [network] = await recordsUnder<NetworkRecord>('networks/');
  const [port] = await recordsUnder<PortRecord>('ports/');
  if (network === undefined || port === undefined) return expect.fail('the fixture has networks and ports');
  const stale = [keys.networkKey('1'), keys.portKey(network.id, '1'), keys.portKey('gone', '2')];
  // Of a network that is gone, of a port that has another key, of a port in a network that is gone.
  const owners = ['gone', port.id, 'gone'];
  await store.txn(
    [],
    stale.map((key, at) => ({ op: 'put', key, value: owners[at] ?? '' })),
  );
  expect(await violations()).toHaveLength(3);
  await start();
  expect(await violations()).toEqual([]);
});

test('a mark of the network of a port that the last release has deleted is removed', async () => {
  await start();
  await store.txn([], [{ op: 'put', key: keys.portNetwork('gone'), value: 'network' }]);
  expect(await violations()).toHaveLength(1);
  await start();
  expect(await violations()).toEqual([]);
});

test('numbers are freed with their records', async () => {
  const api = serverOn(store);
  await api.ready();
  const client = clientOf(api);
  for (const { id } of await client.list('routers'))
    await client.change('routers', id, { external_gateway_info: null });
  for (const { id } of await client.list('ports')) await client.remove('ports', id);
  for (const { id } of await client.list('networks')) await client.remove('networks', id);
  const left = Object.keys(await content()).filter((key) => /^(vni|port-key|port-networks)\//.test(key));
  expect(left).toEqual([]);
  expect(await violations()).toEqual([]);
  await api.close();
});
