/**
 * Sets of addresses of one family as ranges: union, difference, and the fewest prefixes that make up a set.
 * Lists of ranges are sorted; their ranges neither touch nor overlap.
 */
import { type Cidr, cidr, type Family, lastOf, widthOf } from './cidr.ts';

export interface AddressRange {
  readonly first: bigint;
  readonly last: bigint;
}

/** All addresses of the prefixes. */
export function rangesOf(prefixes: Iterable<Cidr>): readonly AddressRange[] {
  const sorted = [...prefixes].sort((a, b) => (a.bits < b.bits ? -1 : 1));
  const joined: { first: bigint; last: bigint }[] = [];
  for (const prefix of sorted) {
    const last = lastOf(prefix);
    const before = joined.at(-1);
    if (before === undefined || prefix.bits > before.last + 1n) joined.push({ first: prefix.bits, last });
    else if (last > before.last) before.last = last;
  }
  return joined;
}

/** The addresses in `ranges` that are not in `removed`. */
export function without(
  ranges: readonly AddressRange[],
  removed: readonly AddressRange[],
): readonly AddressRange[] {
  const rest: AddressRange[] = [];
  let at = 0;
  for (const { first, last } of ranges) {
    let from = first;
    while ((removed[at]?.last ?? first) < first) at += 1;
    for (let next = at; from <= last; next += 1) {
      const hole = removed[next];
      if (hole === undefined || hole.first > last) break;
      if (hole.first > from) rest.push({ first: from, last: hole.first - 1n });
      if (hole.last >= from) from = hole.last + 1n;
    }
    if (from <= last) rest.push({ first: from, last });
  }
  return rest;
}

/** Whether some address is in both. */
export function rangesOverlap(a: readonly AddressRange[], b: readonly AddressRange[]): boolean {
  let at = 0;
  for (const { first, last } of a) {
    while ((b[at]?.last ?? first) < first) at += 1;
    const other = b[at];
    if (other === undefined) return false;
    if (other.first <= last) return true;
  }
  return false;
}

/** Whether all of `inner` is in `outer`. */
export const covers = (outer: readonly AddressRange[], inner: readonly AddressRange[]): boolean =>
  without(inner, outer).length === 0;

/** The fewest prefixes that hold exactly the ranges, in order. */
export function prefixesOf(family: Family, ranges: readonly AddressRange[]): readonly Cidr[] {
  const width = widthOf(family);
  const prefixes: Cidr[] = [];
  for (const { first, last } of ranges) {
    for (let from = first; from <= last; ) {
      let length = width;
      while (length > 0) {
        const wider = cidr(family, from, length - 1);
        if (wider.bits !== from || lastOf(wider) > last) break;
        length -= 1;
      }
      const prefix = cidr(family, from, length);
      prefixes.push(prefix);
      from = lastOf(prefix) + 1n;
    }
  }
  return prefixes;
}
