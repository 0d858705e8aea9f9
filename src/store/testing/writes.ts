/** Helpers of the contract's tests: writes, a commit that must succeed, the keys of a prefix. */
import { bug } from '../../base/errors.ts';
import type { Entry, Store, Write } from '../contract.ts';

/** Makes an empty store that nobody else uses; it is closed after the test. */
export type Fresh = () => Promise<Store>;

export function put(key: string, value: string): Write {
  return { op: 'put', key, value };
}

export function remove(key: string): Write {
  return { op: 'delete', key };
}

export function entry(key: string, value: string, modRevision: number, createRevision: number): Entry {
  return { key, value, modRevision, createRevision };
}

export async function commitWrites(store: Store, writes: readonly Write[]): Promise<number> {
  const result = await store.txn([], writes);
  return result.ok ? result.revision : bug('a transaction without conditions failed');
}

export async function keysUnder(store: Store, prefix: string): Promise<string[]> {
  return (await store.snapshot([prefix])).entries.map((e) => e.key);
}

export function slices<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}
