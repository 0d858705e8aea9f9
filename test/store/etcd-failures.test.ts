/** How transactions and subscriptions end when members die, connections break, answers are lost, and history is compacted. */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { EtcdConnection } from '../../src/store/etcd/connection.ts';
import { type EtcdOptions, EtcdStore } from '../../src/store/etcd/etcd-store.ts';
import { Places } from '../../src/store/etcd/scopes.ts';
import { EtcdSubscription } from '../../src/store/etcd/subscription.ts';
import { type Recorder, record } from '../../src/store/testing/recorder.ts';
import { commitWrites, put, remove } from '../../src/store/testing/writes.ts';
import { documentedLimits, type Etcd, hasEtcd, startEtcd } from '../lib/etcd.ts';
import { lineTo, type TcpLine } from '../lib/line.ts';
import { until } from '../lib/wait.ts';

let etcd: Etcd;
const stores: EtcdStore[] = [];
const lines: TcpLine[] = [];

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  for (const line of lines.splice(0)) line.close();
  await etcd.stop();
});

async function open(options: EtcdOptions): Promise<EtcdStore> {
  const store = await EtcdStore.open(options);
  stores.push(store);
  return store;
}

/** A store behind a line of its own. */
async function far(timeout = 5000): Promise<{ readonly store: EtcdStore; readonly line: TcpLine }> {
  const line = await lineTo(etcd.addresses[0] ?? '');
  lines.push(line);
  return { line, store: await open({ addresses: [line.address], timeout }) };
}

/** Both equal the store, and every revision of `written` came once to the one that lost nothing. */
async function agrees(store: EtcdStore, reader: Recorder, prefixes: readonly string[]): Promise<void> {
  await reader.caughtUp();
  const { entries } = await store.snapshot(prefixes);
  expect(new Map([...reader.view].toSorted())).toEqual(new Map(entries.map((e) => [e.key, e] as const)));
}

describe.skipIf(!hasEtcd)('etcd (needs etcd-server)', () => {
  test('a member is killed under load: each transaction is made once or not at all, and readers miss none', async () => {
    etcd = await startEtcd(3);
    const [first, second] = [
      await open({ addresses: etcd.addresses }),
      await open({ addresses: etcd.addresses.toReversed() }),
    ];
    const prefixes = ['n/1/', 'n/2/'];
    const readers = [
      await record(first, prefixes).listed(),
      await record(second, prefixes).listed(),
      await record(first, ['']).listed(),
    ];
    const acknowledged: number[] = [];
    const stop = new AbortController();
    const refused: string[] = [];
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      const store = writer % 2 === 0 ? first : second;
      for (let i = 0; !stop.signal.aborted; i++) {
        const key = `n/${1 + (i % 2)}/${writer}-${i}`;
        // A transaction that was made twice would fail its own condition.
        const result = await store
          .txn([{ key, is: 'absent' }], [put(key, String(i)), put(`n/2/last-${writer}`, String(i))])
          .catch((error: unknown) => String(error));
        if (typeof result === 'string') refused.push(result);
        else {
          expect(result.ok).toBe(true);
          if (result.ok) acknowledged.push(result.revision);
        }
      }
    });
    const grown = async (by: number): Promise<void> => {
      const before = acknowledged.length;
      await until(() => acknowledged.length >= before + by, { timeout: 20_000 });
    };
    await grown(50);
    await etcd.members[0]?.kill();
    await grown(50);
    etcd.members[0]?.restart();
    await grown(20);
    await etcd.members[2]?.kill();
    await grown(50);
    stop.abort();
    await Promise.all(writers);
    for (const reader of readers) {
      await agrees(second, reader, reader === readers[2] ? [''] : prefixes);
      if (reader.snapshots.length > 1) continue;
      const seen = new Set(reader.batches.map(({ revision }) => revision));
      expect(acknowledged.filter((revision) => !seen.has(revision))).toEqual([]);
    }
    expect(new Set(acknowledged).size).toBe(acknowledged.length);
    expect(refused).toEqual([]);
  }, 90_000);

  test('a transaction whose answer was lost is answered by what became of it', async () => {
    etcd = await startEtcd();
    const { store, line } = await far(2500);
    await commitWrites(store, [put('a', '0')]);
    // Lost on the way back: it was made.
    line.loseAnswers();
    const made = store.txn([{ key: 'a', is: 'present' }], [put('a', '1')]);
    const other = await open({ addresses: etcd.addresses });
    await until(async () => (await other.get('a'))?.value === '1');
    line.cut();
    line.mend();
    const result = await made;
    expect(result).toEqual({ ok: true, revision: (await other.get('a'))?.modRevision });
    // Lost on the way there: it was not made, so it is made now, once.
    line.cut();
    const late = store.txn([], [put('b', '1')]);
    line.mend();
    const again = await late;
    expect(again).toEqual({ ok: true, revision: (await other.get('b'))?.modRevision });
    // Never answered: the caller hears that.
    line.cut();
    await expect(store.txn([], [put('c', '1')])).rejects.toMatchObject({
      data: { code: 'StoreUnavailable' },
    });
  }, 60_000);

  test('a reader that was away goes on, or lists again where history was compacted meanwhile', async () => {
    etcd = await startEtcd();
    const { store: near, line } = await far();
    const other = await open({ addresses: etcd.addresses });
    await commitWrites(other, [put('n/1/a', ''), put('n/2/a', '')]);
    const prefixes = ['n/1/', 'n/2/'];
    const reader = await record(near, prefixes).listed();
    line.cut();
    const missed = await commitWrites(other, [put('n/1/b', ''), put('n/2/b', '')]);
    line.mend();
    await reader.reached(missed);
    expect(reader.batches.map(({ revision, events }) => [revision, events.length])).toEqual([[missed, 2]]);
    expect(reader.snapshots).toHaveLength(1);

    line.cut();
    await commitWrites(other, [remove('n/1/a'), put('n/2/c', '')]);
    await commitWrites(other, [put('n/1/d', '')]);
    const last = await commitWrites(other, [put('n/2/d', '')]);
    await other.compact(last);
    line.mend();
    await until(() => reader.snapshots.length > 1);
    await agrees(other, reader, prefixes);
    await commitWrites(other, [remove('n/2/a'), put('n/1/e', '')]);
    await agrees(other, reader, prefixes);
    expect(reader.troubles.length).toBeGreaterThan(0);
  }, 60_000);

  test('a listing comes also where the read of the stamps behind it fails', async () => {
    etcd = await startEtcd(1);
    const store = await open({ addresses: etcd.addresses });
    await commitWrites(store, [put('n/1/a', '1'), put('n/2/a', '2')]);
    const connection = new EtcdConnection({ addresses: etcd.addresses });
    let failures = 0;
    const listings: (readonly string[])[] = [];
    const subscription = new EtcdSubscription({
      connection,
      places: new Places('/portcullis/', () => 2),
      list: (prefixes) => store.snapshot(prefixes),
      readStamps: async () => {
        if (listings.length === 1 && failures++ === 0) throw new Error('the member is away');
        return { revision: await store.revision(), of: new Map() };
      },
      prefixes: ['n/1/'],
      reader: {
        onSnapshot: (_, prefixes) => listings.push(prefixes),
        onBatch: () => {},
        onTrouble: () => {},
      },
      onOver: () => {},
    });
    try {
      await until(() => listings.length === 1);
      subscription.add(['n/2/']);
      // Nobody writes and nobody asks for a barrier: no event wakes the session.
      await until(() => listings.length === 2);
      expect(listings).toEqual([['n/1/'], ['n/2/']]);
      expect(failures).toBeGreaterThan(0);
    } finally {
      subscription.close();
      connection.close();
    }
  });

  test('batches are whole and barriers true for a reader that is too slow for etcd', async () => {
    etcd = await startEtcd();
    const { store: near, line } = await far();
    const other = await open({ addresses: etcd.addresses });
    const prefixes = Array.from({ length: 6 }, (_, i) => `n/${i}/`);
    const torn: unknown[] = [];
    const reader = await record(near, prefixes, {
      onBatch: ({ revision, events }) => {
        const keys = new Set(events.map((event) => (event.type === 'put' ? event.entry.value : event.key)));
        if (events.length !== 3 || keys.size !== 1) torn.push([revision, events]);
      },
    }).listed();
    const written: number[] = [];
    const filler = 'x'.repeat(2000);
    const write = async (number: number): Promise<void> => {
      const writes = [0, 1, 2].map((i) => put(`n/${(number + i) % 6}/${number % 40}`, `${number} ${filler}`));
      written.push(await commitWrites(other, writes));
    };
    // etcd's queue of a stream takes 1024 answers; after that, each watch falls back by itself.
    for (let round = 0; round < 3; round++) {
      line.pause();
      for (let n = 0; n < 700; n += 20)
        await Promise.all(Array.from({ length: 20 }, (_, i) => write(round * 700 + n + i)));
      line.resume();
      const last = Math.max(...written);
      expect(await reader.caughtUp()).toBeGreaterThanOrEqual(last);
      await agrees(other, reader, prefixes);
    }
    expect(torn).toEqual([]);
    if (reader.snapshots.length === 1)
      expect(reader.batches.map(({ revision }) => revision)).toEqual(written.toSorted((a, b) => a - b));
  }, 60_000);

  test('limits of etcd are found at the start, and a transaction over them is refused', async () => {
    etcd = await startEtcd(1, []);
    const store = await open({ addresses: etcd.addresses });
    expect(store.limits.operations).toBeLessThan(128);
    const writes = Array.from({ length: store.limits.operations }, (_, i) => put(`k/${i}/x`, ''));
    expect((await store.txn([], writes)).ok).toBe(true);
    await expect(store.txn([], [...writes, put('more', '')])).rejects.toMatchObject({
      data: { code: 'TransactionTooLarge' },
    });
    expect(await store.get('more')).toBeNull();
  }, 30_000);

  test('limits between those of etcd and the documented ones are found by halves', async () => {
    etcd = await startEtcd(1, ['--max-txn-ops=5000', '--max-request-bytes=3000000']);
    const store = await open({ addresses: etcd.addresses });
    expect(store.limits.operations).toBe((4096 - 4) / 2);
    expect(store.limits.bytes).toBeLessThan(3_000_000);
    expect(store.limits.bytes).toBeGreaterThan(1.5 * 1024 * 1024);
  }, 30_000);
});

/** Puts an older copy of a member's data in the place of its data, as `etcdctl snapshot restore` does. */
async function restoreCopy(copy: string): Promise<void> {
  const data = join(etcd.dir, 'm0');
  await etcd.members[0]?.kill();
  await rm(data, { recursive: true });
  await cp(copy, data, { recursive: true });
  etcd.members[0]?.restart();
}

describe.skipIf(!hasEtcd)('etcd with another history (needs etcd-server)', () => {
  test('an older copy is restored: stores that have seen more refuse all calls, and new ones begin with it', async () => {
    etcd = await startEtcd();
    const busy = await open({ addresses: etcd.addresses, timeout: 2500 });
    const idle = await open({ addresses: etcd.addresses });
    await commitWrites(busy, [put('n/1/a', 'old')]);
    await record(idle, ['n/1/']).listed();
    await etcd.members[0]?.kill('SIGTERM');
    const copy = join(etcd.dir, 'copy');
    await cp(join(etcd.dir, 'm0'), copy, { recursive: true });
    etcd.members[0]?.restart();
    await until(() => commitWrites(busy, [put('n/1/a', 'new')]), { timeout: 20_000 });
    await commitWrites(busy, [put('n/1/b', 'new')]);
    expect(await idle.get('n/1/b')).toMatchObject({ value: 'new' });
    const noticed: EtcdStore[] = [];
    for (const store of [busy, idle]) void store.replaced.then(() => noticed.push(store));

    await restoreCopy(copy);
    await until(() => noticed.includes(idle), { timeout: 20_000, what: 'a store that only watches notices' });
    await expect(busy.txn([], [put('n/1/c', '')])).rejects.toMatchObject({
      data: { code: 'StoreUnavailable' },
    });
    expect(noticed).toEqual([idle, busy]);
    await expect(idle.get('n/1/a')).rejects.toMatchObject({ data: { code: 'StoreUnavailable' } });
    const fresh = await open({ addresses: etcd.addresses });
    const { entries } = await fresh.snapshot(['n/']);
    expect(entries.map(({ key, value }) => [key, value])).toEqual([['n/1/a', 'old']]);
    expect((await fresh.txn([], [put('n/1/c', '')])).ok).toBe(true);
  }, 60_000);

  test('a new cluster that has passed the old revision is known by its name', async () => {
    etcd = await startEtcd();
    const { store, line } = await far();
    let isReplaced = false;
    void store.replaced.then(() => (isReplaced = true));
    await record(store, ['n/1/']).listed();
    line.cut();
    const dir = etcd.dir;
    await etcd.stop();
    etcd = await startEtcd(1, [...documentedLimits, '--initial-cluster-token=other']);
    expect(etcd.dir).not.toBe(dir);
    const other = await open({ addresses: etcd.addresses });
    for (let n = 0; n < 20; n++) await commitWrites(other, [put(`n/1/${n}`, '')]);
    line.moveTo(etcd.addresses[0] ?? '');
    line.mend();
    await until(() => isReplaced, { timeout: 20_000 });
  }, 60_000);

  test('a lease is asked for at intervals while etcd is away, not without a pause', async () => {
    etcd = await startEtcd();
    const store = await open({ addresses: etcd.addresses, timeout: 1500 });
    await etcd.members[0]?.kill();
    const before = process.cpuUsage();
    await expect(store.lease(1000)).rejects.toMatchObject({ data: { code: 'StoreUnavailable' } });
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(700);
  }, 30_000);
});
