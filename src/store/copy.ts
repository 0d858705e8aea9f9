/**
 * Moves everything from one store to another, in transactions that any store takes. While the copy is under way the
 * target has a mark, and `refuseUnfinished` keeps servers and agents off it: a target is whole or refused. A copy that
 * was interrupted is begun again.
 *
 * Keys with a lease stay behind: they are signs of life of processes on the source.
 */
import { Fault } from '../base/errors.ts';
import type { Condition, Entry, Store, Write } from './contract.ts';

export type CopyFault =
  | { readonly code: 'TargetNotEmpty' }
  | { readonly code: 'SourceChanged' }
  | { readonly code: 'CopyUnfinished' };

/** One transaction's share. */
const maxWrites = 400;
const maxBytes = 256 * 1024;

/**
 * `mark` is a key that nothing else uses. Resolves with the number of keys. Throws `TargetNotEmpty`, and `SourceChanged`
 * when somebody wrote to the source meanwhile; the target is then refused until a copy succeeds.
 */
export async function copyStore(source: Store, target: Store, mark: string): Promise<number> {
  await empty(target, mark);
  const before = await source.snapshot(['']);
  await refuseUnfinished(source, mark);
  // Readers order records by their creation.
  const kept = before.entries
    .filter(({ lease }) => lease === undefined)
    .toSorted((a, b) => a.createRevision - b.createRevision);
  for (const share of shares(kept, target))
    await write(
      target,
      [{ key: mark, is: 'present' }],
      share.map(({ key, value }) => ({ op: 'put', key, value })),
    );
  const after = await source.snapshot(['']);
  if (!isSame(before.entries, after.entries))
    throw new Fault<CopyFault>(
      { code: 'SourceChanged' },
      'somebody wrote to the source during the copy: stop its servers and agents, and copy again',
    );
  await write(target, [{ key: mark, is: 'present' }], [{ op: 'delete', key: mark }]);
  return kept.length;
}

/** Throws `CopyUnfinished`. */
export async function refuseUnfinished(store: Store, mark: string): Promise<void> {
  if ((await store.get(mark)) === null) return;
  throw new Fault<CopyFault>(
    { code: 'CopyUnfinished' },
    'a copy to this store was begun and not finished: copy again',
  );
}

/** Leaves only the mark. Throws `TargetNotEmpty` for what no copy has begun. */
async function empty(target: Store, mark: string): Promise<void> {
  const { entries, revision } = await target.snapshot(['']);
  if (entries.length === 0) {
    const untouched: Condition = { prefix: '', is: 'quiet', revision };
    const { ok } = await target.txn([untouched], [{ op: 'put', key: mark, value: '' }]);
    if (ok) return;
  }
  if (!entries.some(({ key }) => key === mark))
    throw new Fault<CopyFault>({ code: 'TargetNotEmpty' }, 'the target is not empty: nothing was copied');
  const left = entries.filter(({ key }) => key !== mark);
  for (const share of shares(left, target))
    await write(
      target,
      [{ key: mark, is: 'present' }],
      share.map(({ key }) => ({ op: 'delete', key })),
    );
}

async function write(
  target: Store,
  conditions: readonly Condition[],
  writes: readonly Write[],
): Promise<void> {
  const { ok } = await target.txn(conditions, writes);
  if (!ok)
    throw new Fault<CopyFault>(
      { code: 'CopyUnfinished' },
      'another copy to the target has finished meanwhile',
    );
}

function* shares(entries: readonly Entry[], { limits }: Store): Generator<readonly Entry[], void> {
  const most = Math.min(maxWrites, limits.operations);
  let share: Entry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const size = Buffer.byteLength(entry.key) + Buffer.byteLength(entry.value);
    if (share.length === most || (share.length > 0 && bytes + size > maxBytes)) {
      yield share;
      share = [];
      bytes = 0;
    }
    share.push(entry);
    bytes += size;
  }
  if (share.length > 0) yield share;
}

const isSame = (a: readonly Entry[], b: readonly Entry[]): boolean =>
  a.length === b.length &&
  a.every(({ key, modRevision }, i) => b[i]?.key === key && b[i].modRevision === modRevision);
