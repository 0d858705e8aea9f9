import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { covers, prefixesOf, rangesOf, rangesOverlap, without } from './address-ranges.ts';
import { type Cidr, cidr, formatCidr, lastOf, parseCidr } from './cidr.ts';

/** The sixteen addresses at the top of the family, where arithmetic has its edges. */
const prefix = fc
  .tuple(fc.constantFrom(4 as const), fc.integer({ min: 0, max: 15 }), fc.integer({ min: 28, max: 32 }))
  .map(([family, low, length]) => cidr(family, 0xfffffff0n + BigInt(low), length));
const prefixes = fc.array(prefix, { maxLength: 6 });

const members = (list: readonly Cidr[]): ReadonlySet<bigint> => {
  const all = new Set<bigint>();
  for (const one of list) for (let at = one.bits; at <= lastOf(one); at++) all.add(at);
  return all;
};
const inRanges = (ranges: readonly { first: bigint; last: bigint }[]): ReadonlySet<bigint> => {
  const all = new Set<bigint>();
  for (const { first, last } of ranges) for (let at = first; at <= last; at++) all.add(at);
  return all;
};
const sorted = (set: ReadonlySet<bigint>): readonly bigint[] => [...set].sort((a, b) => Number(a - b));

const texts = (list: readonly Cidr[]): readonly string[] => list.map(formatCidr);
const parsed = (...list: string[]): readonly Cidr[] => list.flatMap((one) => parseCidr(one) ?? []);

describe('ranges of addresses', () => {
  it('hold what their prefixes hold, and neither touch nor overlap', () => {
    fc.assert(
      fc.property(prefixes, (list) => {
        const ranges = rangesOf(list);
        expect(sorted(inRanges(ranges))).toEqual(sorted(members(list)));
        for (const [at, { first }] of ranges.entries()) {
          const before = ranges[at - 1];
          if (before !== undefined) expect(first > before.last + 1n).toBe(true);
        }
      }),
    );
  });

  it('lose what is removed, and report whether they overlap and cover', () => {
    fc.assert(
      fc.property(prefixes, prefixes, (left, right) => {
        const [a, b] = [rangesOf(left), rangesOf(right)];
        const removed = members(right);
        const rest = sorted(members(left)).filter((one) => !removed.has(one));
        expect(sorted(inRanges(without(a, b)))).toEqual(rest);
        expect(rangesOverlap(a, b)).toBe(rest.length < members(left).size);
        expect(covers(b, a)).toBe(rest.length === 0);
      }),
    );
  });

  it('are made up of the fewest prefixes', () => {
    fc.assert(
      fc.property(prefixes, (list) => {
        const made = prefixesOf(4, rangesOf(list));
        expect(sorted(members(made))).toEqual(sorted(members(list)));
        expect(made.length).toBeLessThanOrEqual(new Set(texts(list)).size);
        // Two halves of one prefix would be that prefix.
        for (const [at, one] of made.entries()) {
          const next = made[at + 1];
          const whole = cidr(4, one.bits, one.length - 1);
          const halves =
            next?.length === one.length && whole.bits === one.bits && lastOf(whole) === lastOf(next);
          expect(halves).toBe(false);
        }
      }),
    );
  });

  it('reach from one end of a family to the other', () => {
    expect(texts(prefixesOf(4, rangesOf(parsed('0.0.0.0/0'))))).toEqual(['0.0.0.0/0']);
    expect(texts(prefixesOf(6, rangesOf(parsed('::/1', '8000::/1'))))).toEqual(['::/0']);
    const hole = without(rangesOf(parsed('::/0')), rangesOf(parsed('::1')));
    expect(prefixesOf(6, hole)).toHaveLength(128);
    expect(texts(prefixesOf(4, rangesOf(parsed('10.0.1.0/24', '10.0.2.0/24', '10.0.0.0/24'))))).toEqual([
      '10.0.0.0/23',
      '10.0.2.0/24',
    ]);
  });
});
