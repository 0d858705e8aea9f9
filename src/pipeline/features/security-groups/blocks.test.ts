/** Blocks cover their members and nothing else, are as few as they can be, and do not depend on history. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Cidr, cidr, contains, type Family, formatCidr, parseCidr, widthOf } from '../../../net/cidr.ts';
import { blocksOf, bucketOf } from './blocks.ts';

function net(text: string): Cidr {
  const parsed = parseCidr(text);
  if (parsed === null) throw new Error(`not a prefix: ${text}`);
  return parsed;
}

interface Entry {
  readonly address: Cidr;
  readonly name: string;
}

const base: Readonly<Record<Family, bigint>> = { 4: net('10.1.2.0').bits, 6: net('2001:db8::ff00').bits };
const at = (family: Family, offset: number): Cidr => cidr(family, base[family] + BigInt(offset));
const told = (entries: readonly Entry[]): string[] =>
  entries.map(({ name, address }) => `${name} ${formatCidr(address)}`).sort();
const row = (name: string, from: number, to: number, family: Family = 4): Entry[] =>
  Array.from({ length: to - from }, (_, step) => ({ name, address: at(family, from + step) }));

/** The fewest aligned blocks of at most half a bucket that cover exactly `offsets`. */
function fewest(offsets: ReadonlySet<number>, from = 0, size = 256): number {
  let held = 0;
  for (let offset = from; offset < from + size; offset++) if (offsets.has(offset)) held++;
  if (held === 0) return 0;
  if (held === size && size <= 128) return 1;
  return fewest(offsets, from, size / 2) + fewest(offsets, from + size / 2, size / 2);
}

/** The members of one bucket: runs, so that blocks form, of several classes, so that they split. */
const bucketArbitrary = fc
  .tuple(
    fc.constantFrom<Family[]>(4, 6),
    fc.array(fc.tuple(fc.constantFrom('a', 'b', 'a,b', ''), fc.nat(255), fc.integer({ min: 1, max: 256 })), {
      maxLength: 8,
    }),
  )
  .map(([family, runs]) => {
    const names = new Map<number, string>();
    for (const [name, from, length] of runs)
      for (let offset = from; offset < Math.min(256, from + length); offset++) names.set(offset, name);
    return { family, names };
  });
const entriesOf = (family: Family, names: ReadonlyMap<number, string>): Entry[] =>
  [...names].map(([offset, name]) => ({ name, address: at(family, offset) }));

describe('blocks of a bucket', () => {
  test('cover every member with its class once, and no other address', () => {
    fc.assert(
      fc.property(bucketArbitrary, ({ family, names }) => {
        const blocks = blocksOf(entriesOf(family, names));
        for (let offset = 0; offset < 256; offset++) {
          const over = blocks.filter(({ address }) => contains(address, at(family, offset)));
          expect(over.map(({ name }) => name)).toEqual(names.has(offset) ? [names.get(offset)] : []);
        }
        for (const { address } of blocks)
          expect(contains(cidr(family, base[family], widthOf(family) - 8), address)).toBe(true);
      }),
    );
  });

  test('are as few as aligned blocks of at most half a bucket can be', () => {
    fc.assert(
      fc.property(bucketArbitrary, ({ family, names }) => {
        const blocks = blocksOf(entriesOf(family, names));
        for (const class_ of new Set(names.values())) {
          const offsets = new Set([...names].filter(([, name]) => name === class_).map(([offset]) => offset));
          expect(blocks.filter(({ name }) => name === class_)).toHaveLength(fewest(offsets));
        }
        for (const { address } of blocks) expect(address.length).toBeGreaterThan(widthOf(family) - 8);
      }),
    );
  });

  test('are the same whatever the order of their members', () => {
    fc.assert(
      fc.property(bucketArbitrary, fc.infiniteStream(fc.nat()), ({ family, names }, order) => {
        const entries = entriesOf(family, names);
        const left = [...entries];
        const shuffled: Entry[] = [];
        while (left.length > 0) shuffled.push(...left.splice((order.next().value ?? 0) % left.length, 1));
        expect(told(blocksOf(shuffled))).toEqual(told(blocksOf(entries)));
      }),
    );
  });

  test('change by a handful when one member comes or goes', () => {
    fc.assert(
      fc.property(bucketArbitrary, fc.nat(255), ({ family, names }, offset) => {
        const other = new Map(names);
        if (!other.delete(offset)) other.set(offset, 'a');
        const [before, after] = [names, other].map(
          (each) => new Set(told(blocksOf(entriesOf(family, each)))),
        );
        const changed = [...(before ?? [])].filter((block) => !after?.has(block)).length;
        const fresh = [...(after ?? [])].filter((block) => !before?.has(block)).length;
        // A block of 2^n splits into n and the one that left, and nothing else moves.
        expect(Math.min(changed, fresh)).toBeLessThanOrEqual(1);
        expect(Math.max(changed, fresh)).toBeLessThanOrEqual(8);
      }),
    );
  });

  test('a full bucket is two, never one; 4096 addresses are 32', () => {
    expect(told(blocksOf(row('a', 0, 256)))).toEqual(['a 10.1.2.0/25', 'a 10.1.2.128/25']);
    expect(told(blocksOf(row('a', 0, 256, 6)))).toEqual(['a 2001:db8::ff00/121', 'a 2001:db8::ff80/121']);
    const buckets = new Map<string, Entry[]>();
    for (let offset = 0; offset < 4096; offset++) {
      const address = cidr(4, net('10.2.0.0').bits + BigInt(offset));
      const bucket = bucketOf(address);
      buckets.set(bucket, [...(buckets.get(bucket) ?? []), { name: 'a', address }]);
    }
    expect([...buckets.values()].flatMap((entries) => blocksOf(entries))).toHaveLength(32);
  });

  test('rows that begin or end anywhere, with a hole, and with a stranger', () => {
    expect(told(blocksOf(row('a', 5, 9)))).toEqual(['a 10.1.2.5', 'a 10.1.2.6/31', 'a 10.1.2.8']);
    const holed = row('a', 0, 8).filter(({ address }) => address.bits !== at(4, 3).bits);
    expect(told(blocksOf(holed))).toEqual(['a 10.1.2.0/31', 'a 10.1.2.2', 'a 10.1.2.4/30']);
    expect(told(blocksOf([...holed, { name: 'b', address: at(4, 3) }]))).toEqual([
      'a 10.1.2.0/31',
      'a 10.1.2.2',
      'a 10.1.2.4/30',
      'b 10.1.2.3',
    ]);
  });

  test('beside a prefix nothing is merged', () => {
    const entries = [...row('a', 0, 8), { name: 'b', address: net('10.1.2.4/30') }];
    expect(told(blocksOf(entries))).toEqual(told(entries));
  });
});

test('a bucket is 256 addresses of one family; a prefix of its size or wider stands alone', () => {
  expect(bucketOf(net('10.1.2.0'))).toBe(bucketOf(net('10.1.2.255')));
  expect(bucketOf(net('10.1.2.0'))).toBe(bucketOf(net('10.1.2.128/25')));
  expect(bucketOf(net('10.1.2.255'))).not.toBe(bucketOf(net('10.1.3.0')));
  expect(bucketOf(net('10.1.2.0'))).not.toBe(bucketOf(net('10.1.2.0/24')));
  expect(bucketOf(net('10.1.2.0/24'))).not.toBe(bucketOf(net('10.1.2.0/23')));
  expect(bucketOf(net('::a01:200'))).not.toBe(bucketOf(net('10.1.2.0')));
  expect(bucketOf(net('0.0.0.0/0'))).not.toBe(bucketOf(net('::/0')));
});
