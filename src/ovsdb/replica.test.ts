import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { optionalInteger, textMap, texts, uuids } from './column.ts';
import { Replica } from './replica.ts';

const textArb = fc.constantFrom('a', 'b', 'c', 'd', 'ü');

describe('columns', () => {
  test('a set difference leads from old to new', () => {
    const set = fc.uniqueArray(textArb).map((members) => texts.decode(['set', members]));
    fc.assert(
      fc.property(set, set, (old, next) => {
        const only = (a: readonly string[], b: readonly string[]) => a.filter((value) => !b.includes(value));
        expect(texts.merge(old, [...only(old, next), ...only(next, old)])).toEqual(next);
      }),
    );
  });

  test('a map difference leads from old to new', () => {
    const map = fc.array(fc.tuple(textArb, textArb)).map((pairs) => new Map(pairs));
    fc.assert(
      fc.property(map, map, (old, next) => {
        const gone = [...old].filter(([key]) => !next.has(key));
        const set = [...next].filter(([key, value]) => old.get(key) !== value);
        expect(textMap.same(textMap.merge(old, new Map([...gone, ...set])), next)).toBe(true);
      }),
    );
  });

  test('a set of one may come bare, an optional value as an empty set', () => {
    expect(uuids.decode(['uuid', 'x'])).toEqual(['x']);
    expect(
      uuids.decode([
        'set',
        [
          ['uuid', 'y'],
          ['uuid', 'x'],
        ],
      ]),
    ).toEqual(['x', 'y']);
    expect(optionalInteger.decode(['set', []])).toBeNull();
    expect(optionalInteger.decode(7)).toBe(7);
  });

  test.each([
    [texts, 1],
    [texts, ['set', 'a']],
    [uuids, 'x'],
    [uuids, ['named-uuid', 'x']],
    [optionalInteger, ['set', [1, 2]]],
    [optionalInteger, 1.5],
    [textMap, ['set', []]],
    [textMap, ['map', [['a']]]],
    [textMap, ['map', [['a', 1]]]],
  ])('column %# refuses what it is not', (column, raw) => {
    expect(() => column.decode(raw)).toThrow(expect.objectContaining({ name: 'BadColumn' }));
  });
});

describe('replica', () => {
  const row = { name: 'tap1', external_ids: ['map', [['iface-id', 'p1']]], ofport: 3 };

  test('a modification is one change of old and new, and leaves the old row alone', () => {
    const replica = new Replica();
    replica.replace({ Interface: { u1: { initial: row } } }, 'differences');
    const batch = replica.apply(
      { Interface: { u1: { modify: { ofport: ['set', []], external_ids: ['map', [['iface-id', 'p2']]] } } } },
      'differences',
    );
    const [change] = batch?.Interface ?? [];
    expect(change?.old).toMatchObject({ ofport: 3, external_ids: new Map([['iface-id', 'p1']]) });
    expect(change?.row).toMatchObject({
      name: 'tap1',
      ofport: null,
      external_ids: new Map([['iface-id', 'p2']]),
    });
    expect(replica.rows('Interface').get('u1')).toBe(change?.row);
    expect(batch?.Bridge).toEqual([]);
  });

  test('both dialects end in the same rows', () => {
    const differences = new Replica();
    differences.apply({ Interface: { u1: { insert: row } } }, 'differences');
    differences.apply({ Interface: { u1: { modify: { ofport: 4 } } } }, 'differences');
    const rows = new Replica();
    rows.apply({ Interface: { u1: { new: row } } }, 'rows');
    rows.apply({ Interface: { u1: { old: { ofport: 3 }, new: { ...row, ofport: 4 } } } }, 'rows');
    expect([...rows.rows('Interface')]).toEqual([...differences.rows('Interface')]);
    rows.apply({ Interface: { u1: { old: row } } }, 'rows');
    differences.apply({ Interface: { u1: { delete: null } } }, 'differences');
    expect(rows.rows('Interface').size + differences.rows('Interface').size).toBe(0);
  });

  test('a full copy reports only the differences', () => {
    const replica = new Replica();
    const two = { u1: { initial: row }, u2: { initial: { ...row, name: 'tap2' } } };
    replica.replace({ Interface: two }, 'differences');
    expect(replica.replace({ Interface: two }, 'differences')).toBeNull();
    const three = { u2: { initial: { ...row, name: 'tap2', ofport: 9 } }, u3: { initial: row } };
    const batch = replica.replace({ Interface: three }, 'differences');
    expect(
      batch?.Interface.map(({ uuid, old, row }) => [uuid, old?.ofport ?? null, row?.ofport ?? null]),
    ).toEqual([
      ['u1', 3, null],
      ['u2', 3, 9],
      ['u3', null, 3],
    ]);
  });

  test.each([
    [null],
    [[]],
    [{ Interface: 1 }],
    [{ Interface: { u1: null } }],
    [{ Interface: { u1: {} } }],
    [{ Interface: { u1: { insert: 1 } } }],
    [{ Interface: { u9: { modify: {} } } }],
    [{ Bridge: { b: { insert: { name: 'new' } } }, Interface: { u1: { insert: { ofport: 'x' } } } }],
  ])('update %# is refused whole', (update) => {
    const replica = new Replica();
    replica.replace({ Interface: { u1: { initial: row } } }, 'differences');
    expect(() => replica.apply(update, 'differences')).toThrow();
    expect(replica.rows('Interface').get('u1')).toMatchObject({ name: 'tap1', ofport: 3 });
    expect(replica.rows('Bridge').size).toBe(0);
  });

  test('any JSON is applied or refused with a Fault', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.jsonValue({ maxDepth: 3 }), (value, inner) => {
        for (const update of [
          value,
          { Interface: { u1: { insert: inner } } },
          { Interface: { u1: inner } },
        ]) {
          try {
            new Replica().apply(update, 'differences');
          } catch (error) {
            expect(error).toHaveProperty('data.code');
          }
        }
      }),
    );
  });
});
