/**
 * A process for kill tests. It opens the store in argv[2], prints `ready`, and commits until it is killed.
 * Each transaction is a set of keys under its own number. It prints `number revision size` only after the
 * acknowledgement. For a locked store it prints `locked HOLDER`.
 */
import { writeSync } from 'node:fs';
import { Fault } from '../../src/base/errors.ts';
import { openStore } from '../../src/store/index.ts';

const writers = 8;
const dir = process.argv[2] ?? '';

try {
  const store = await openStore({ kind: 'embedded', dir });
  writeSync(1, 'ready\n');
  const begin = (await store.snapshot([''])).revision;
  let number = begin * writers;
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      for (;;) {
        const own = ++number;
        // Some transactions fill several of lmdb's write buffers.
        const size = writer === 0 && own % 5 === 0 ? 1500 : 1 + (own % 7);
        const writes = Array.from({ length: size }, (_unused, i) => ({
          op: 'put' as const,
          key: `t/${own}/${i}`,
          value: `${size}`,
        }));
        const result = await store.txn(
          [],
          [...writes, { op: 'put', key: `last/${writer}`, value: `${own}` }],
        );
        if (result.ok) writeSync(1, `${own} ${result.revision} ${size}\n`);
      }
    }),
  );
} catch (error) {
  if (!(error instanceof Fault) || error.name !== 'StoreLocked') throw error;
  writeSync(1, `locked ${String((error.data as { holder?: string }).holder)}\n`);
}
