import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Store } from './contract.ts';
import { openStore } from './index.ts';
import { storeContract } from './testing/contract-suite.ts';
import { record } from './testing/recorder.ts';

const directories: string[] = [];
const opened: Store[] = [];

async function directory(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-store-'));
  directories.push(dir);
  return dir;
}

async function open(dir: string): Promise<Store> {
  const store = await openStore({ kind: 'embedded', dir });
  opened.push(store);
  return store;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
  await Promise.all(directories.splice(0).map((dir) => rm(dir, { recursive: true, force: true })));
});

storeContract('embedded', async () => open(await directory()));

test.each(['/proc/portcullis', '/proc/portcullis/data', '/dev/null/data'])(
  'embedded: %s, where no directory can be made, is refused',
  async (dir) => {
    await expect(openStore({ kind: 'embedded', dir })).rejects.toMatchObject({
      name: 'StoreUnavailable',
      message: expect.stringContaining(`${dir} cannot be used`) as string,
    });
  },
);

test('embedded: missing parents of the directory are made', async () => {
  const dir = join(await directory(), 'a', 'b', 'c');
  await (await open(dir)).txn([], [{ op: 'put', key: 'k', value: 'v' }]);
});

describe('embedded: over a reopen', () => {
  test('entries and revisions are as they were, and the next revision is new', async () => {
    const dir = await directory();
    const first = await open(dir);
    await first.txn([], [{ op: 'put', key: 'ключ/1', value: 'a b c' }]);
    await first.txn([], [{ op: 'put', key: 'gone', value: '1' }]);
    await first.txn([], [{ op: 'put', key: 'ключ/1', value: '' }]);
    await first.txn([], [{ op: 'delete', key: 'gone' }]);
    const before = await first.snapshot(['']);
    await first.close();

    const second = await open(dir);
    expect(await second.snapshot([''])).toEqual(before);
    const result = await second.txn([{ key: 'gone', is: 'absent' }], [{ op: 'put', key: 'new', value: '' }]);
    expect(result).toEqual({ ok: true, revision: before.revision + 1 });
  });

  test('a key with a lease is gone, and what it replaced too', async () => {
    const dir = await directory();
    const first = await open(dir);
    await first.txn([], [{ op: 'put', key: 'a', value: '1' }]);
    const lease = await first.lease(60_000);
    await first.txn(
      [],
      [
        { op: 'put', key: 'a', value: '2', lease },
        { op: 'put', key: 'b', value: '2' },
      ],
    );
    const revision = await first.revision();
    await first.close();

    const second = await open(dir);
    const reader = await record(second, ['']).listed();
    expect([...reader.view.keys()]).toEqual(['b']);
    expect(reader.revision).toBe(revision);
    await second.txn([], [{ op: 'put', key: 'a', value: '3' }]);
    await reader.reached(revision + 1);
    expect(reader.batches).toHaveLength(1);
  });

  test('one owner at a time, within one process too, and a close hands over', async () => {
    const dir = await directory();
    const first = await open(dir);
    await expect(open(dir)).rejects.toMatchObject({
      data: { code: 'StoreLocked', holder: `pid ${process.pid}` },
    });
    await first.close();
    await expect(open(dir)).resolves.toBeDefined();
  });
});

describe('embedded: what is not a store', () => {
  test('foreign bytes are refused', async () => {
    const dir = await directory();
    await writeFile(join(dir, 'data.mdb'), Buffer.alloc(65_536, 'x'));
    await expect(open(dir)).rejects.toMatchObject({ data: { code: 'StoreCorrupt' } });
  });

  test('a cut file is refused, and refused again, because the lock was given back', async () => {
    const dir = await directory();
    const store = await open(dir);
    await store.txn(
      [],
      Array.from({ length: 200 }, (_, i) => ({ op: 'put', key: `k/${i}`, value: 'x'.repeat(1000) })),
    );
    await store.close();
    await truncate(join(dir, 'data.mdb'), 65_536);
    await expect(open(dir)).rejects.toMatchObject({ data: { code: 'StoreCorrupt' } });
    await expect(open(dir)).rejects.toMatchObject({ data: { code: 'StoreCorrupt' } });
  });

  test('a directory that cannot be made is unavailable', async () => {
    const dir = await directory();
    await writeFile(join(dir, 'file'), '');
    await expect(open(join(dir, 'file', 'sub'))).rejects.toMatchObject({
      data: { code: 'StoreUnavailable' },
    });
  });
});
