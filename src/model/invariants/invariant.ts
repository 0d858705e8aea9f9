/** An invariant: what must hold of each record of a kind beside the rest of the snapshot, and which marks it requires. */
import type { AnyParts, Kind } from '../key-kind.ts';
import type { Found, SortedSnapshot } from './snapshot.ts';

export interface Violation {
  readonly key: string;
  /** What is wrong, as a sentence about the record at the key. */
  readonly problem: string;
}

/** A mark that a record requires. */
export interface RequiredMark {
  readonly key: string;
  readonly value: string;
  /** The record's key. */
  readonly by: string;
}

export interface Invariant {
  violations(snapshot: SortedSnapshot): Iterable<Violation>;
  marks(snapshot: SortedSnapshot): Iterable<RequiredMark>;
}

interface Rules<R, P extends AnyParts> {
  /** What is wrong with one record; sentences without the key. */
  readonly problems?: (found: Found<R, P>, snapshot: SortedSnapshot) => Iterable<string>;
  /** The marks that must be there because of the record: keys and values. */
  readonly marks?: (record: R) => Iterable<readonly [key: string, value: string]>;
  /** What is wrong with all of them together: keys and sentences. */
  readonly together?: (
    all: readonly Found<R, P>[],
    snapshot: SortedSnapshot,
  ) => Iterable<readonly [key: string, problem: string]>;
}

export function invariantOf<R, P extends AnyParts>(kind: Kind<R, P>, rules: Rules<R, P>): Invariant {
  return {
    *violations(snapshot) {
      const all = snapshot.all(kind);
      for (const found of all)
        for (const problem of rules.problems?.(found, snapshot) ?? []) yield { key: found.key, problem };
      for (const [key, problem] of rules.together?.(all, snapshot) ?? []) yield { key, problem };
    },
    *marks(snapshot) {
      for (const { key: by, record } of snapshot.all(kind))
        for (const [key, value] of rules.marks?.(record) ?? []) yield { key, value, by };
    },
  };
}

/** Keys of records that have the same text, which no two may. */
export function* twins<R>(
  all: readonly Found<R>[],
  textOf: (record: R) => Iterable<string>,
  problem: (text: string, other: string) => string,
): Iterable<readonly [string, string]> {
  const seen = new Map<string, string>();
  for (const { key, record } of all) {
    for (const text of textOf(record)) {
      const other = seen.get(text);
      if (other === undefined) seen.set(text, key);
      else yield [key, problem(text, other)];
    }
  }
}
