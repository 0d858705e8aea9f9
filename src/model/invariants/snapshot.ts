/**
 * A snapshot of the store, sorted by key kinds. Only shapes are known here: what must hold of the records of a kind
 * stands in the files beside this one. Must not read a store.
 */
import { Fault, reasonOf } from '../../base/errors.ts';
import { KeyDispatch, on } from '../key-dispatch.ts';
import type { AnyParts, Kind } from '../key-kind.ts';
import { allKinds } from '../keys.ts';

/** An entry of the store without its revisions. */
export interface StoredEntry {
  readonly key: string;
  readonly value: string;
}

export interface Found<R, P extends AnyParts = AnyParts> {
  readonly key: string;
  readonly parts: P;
  readonly record: R;
}

export class SortedSnapshot {
  readonly #found = new Map<Kind<unknown>, readonly unknown[]>();
  readonly #byId = new Map<Kind<unknown>, Map<string, unknown>>();
  /** Keys of no kind, and records that cannot be read. */
  readonly strange: { readonly key: string; readonly problem: string }[] = [];

  constructor(entries: Iterable<StoredEntry>) {
    const dispatch = new KeyDispatch(
      allKinds.map((kind) => {
        const found: Found<unknown>[] = [];
        const byId = new Map<string, unknown>();
        this.#found.set(kind, found);
        this.#byId.set(kind, byId);
        return on(kind, ({ key, parts, record }) => {
          found.push({ key, parts, record });
          if (parts['id'] !== undefined) byId.set(parts['id'], record);
        });
      }),
    );
    for (const { key, value } of entries) {
      try {
        if (!dispatch.take(key, value)) this.strange.push({ key, problem: 'no such kind of key is known' });
      } catch (error) {
        const problem = error instanceof Fault ? reasonOf(error) : 'the value is no JSON object';
        this.strange.push({ key, problem });
      }
    }
  }

  all<R, P extends AnyParts>(kind: Kind<R, P>): readonly Found<R, P>[] {
    return (this.#found.get(kind) ?? []) as readonly Found<R, P>[];
  }

  /** The record under a key whose last part is the id. */
  byId<R>(kind: Kind<R>, id: string): R | undefined {
    return this.#byId.get(kind)?.get(id) as R | undefined;
  }
}
