import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TxnResult } from '../../src/store/contract.ts';
import { openStore } from '../../src/store/index.ts';
import { record } from '../../src/store/testing/recorder.ts';

const isRoot = process.getuid?.() === 0;

test.skipIf(!isRoot)(
  'a full disk refuses writes, shows none of them, and takes them again (needs root)',
  async () => {
    const mountPoint = await mkdtemp(join(tmpdir(), 'portcullis-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', mountPoint]);
    try {
      const ballast = join(mountPoint, 'ballast');
      await writeFile(ballast, Buffer.alloc(6 << 20));
      const dir = join(mountPoint, 'store');
      const store = await openStore({ kind: 'embedded', dir });
      const watch = record(store, ['']);
      const write = (number: number): Promise<TxnResult> =>
        store.txn(
          [],
          [0, 1, 2, 3].map((i) => ({ op: 'put', key: `t/${number}/${i}`, value: 'x'.repeat(2000) })),
        );
      const kept: number[] = [];
      let failures = 0;
      for (let number = 0; failures === 0 && number < 1000; number += 4) {
        const numbers = [0, 1, 2, 3].map((i) => number + i);
        const settled = await Promise.allSettled(numbers.map(write));
        for (const [i, outcome] of settled.entries()) {
          if (outcome.status === 'fulfilled') kept.push(numbers[i] ?? -1);
          else expect(outcome.reason).toMatchObject({ data: { code: 'StoreUnavailable' } });
        }
        failures += settled.filter((outcome) => outcome.status === 'rejected').length;
      }
      expect(failures).toBeGreaterThan(0);
      // A smaller transaction may still have room.
      let less = 1000;
      while (
        await write(less).then(
          () => true,
          () => false,
        )
      )
        kept.push(less++);
      // However often it is retried.
      for (let number = 2000; number < 2300; number++)
        await expect(write(number)).rejects.toMatchObject({
          data: { code: 'StoreUnavailable' },
          message: expect.stringContaining('are free on the disk') as string,
        });
      const shown = await store.snapshot(['']);
      expect(shown.entries).toHaveLength(kept.length * 4);

      await unlink(ballast);
      const again = await write(5000);
      expect(again).toMatchObject({ ok: true });
      kept.push(5000);
      const before = await store.snapshot(['']);
      await watch.reached(before.revision);
      expect(watch.batches).toHaveLength(kept.length);
      await store.close();

      const reopened = await openStore({ kind: 'embedded', dir });
      const after = await reopened.snapshot(['']);
      await reopened.close();
      expect(after).toEqual(before);
    } finally {
      execFileSync('umount', ['--lazy', mountPoint]);
      await rm(mountPoint, { recursive: true, force: true });
    }
  },
);

test.skipIf(!isRoot)('a large change requires no more room than it can use (needs root)', async () => {
  const mountPoint = await mkdtemp(join(tmpdir(), 'portcullis-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', mountPoint]);
  try {
    const store = await openStore({ kind: 'embedded', dir: join(mountPoint, 'store') });
    const puts = Array.from({ length: 10_000 }, (_, i) => ({
      op: 'put' as const,
      key: `t/${i}`,
      value: 'x'.repeat(100),
    }));
    for (const _ of [1, 2]) expect(await store.txn([], puts)).toMatchObject({ ok: true });
    await store.close();
  } finally {
    execFileSync('umount', ['--lazy', mountPoint]);
    await rm(mountPoint, { recursive: true, force: true });
  }
});
