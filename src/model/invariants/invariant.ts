/** What an invariant is: what must hold of each record of a kind beside the rest of the snapshot, and its marks. */
import type { Found, Image, Kind } from './kind.ts';

export interface Invariant<R> {
  readonly kind: Kind<R>;
  /** What is wrong with one record; sentences without the key. */
  readonly problems?: (found: Found<R>, image: Image) => Iterable<string>;
  /** The marks that must be there because of the record: keys and values. */
  readonly marks?: (record: R) => Iterable<readonly [key: string, value: string]>;
  /** What is wrong with all of them together: keys and sentences. */
  readonly together?: (
    all: readonly Found<R>[],
    image: Image,
  ) => Iterable<readonly [key: string, problem: string]>;
}

/** An invariant whose record type is nobody's business any more. */
export type AnyInvariant = Invariant<never>;

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
