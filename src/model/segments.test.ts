import { expect, test } from 'vitest';
import { flatNetworksOf, physicalMtusOf, tenantTypesOf, vlanRangesOf, vniRangesOf } from './segments.ts';

test('reads what settings say of segments', () => {
  expect(tenantTypesOf('vlan, geneve')).toEqual(['vlan', 'geneve']);
  expect([...(vlanRangesOf('a:1:10,b,a:20:20') ?? [])]).toEqual([
    [
      'a',
      [
        { lowest: 1, highest: 10 },
        { lowest: 20, highest: 20 },
      ],
    ],
    ['b', []],
  ]);
  expect(vlanRangesOf('')?.size).toBe(0);
  expect(vniRangesOf('1:16777215')).toEqual([{ lowest: 1, highest: 16_777_215 }]);
  expect(vniRangesOf('')).toEqual([]);
  expect(flatNetworksOf('*')).toBe(null);
  expect(flatNetworksOf('')).toEqual(new Set());
  expect(flatNetworksOf('a,b')).toEqual(new Set(['a', 'b']));
  expect([...(physicalMtusOf('a:1400,b:9000') ?? [])]).toEqual([
    ['a', 1400],
    ['b', 9000],
  ]);
});

test('refuses what cannot be read', () => {
  for (const text of ['', 'flat', 'gre', 'vlan,vlan', 'vlan,']) expect(tenantTypesOf(text)).toBe(null);
  for (const text of ['a:1', 'a:0:5', 'a:5:4', 'a:1:4095', 'a:1:2:3', ':1:2', 'a:x:2', 'a,,b'])
    expect(vlanRangesOf(text)).toBe(null);
  for (const text of ['0:5', '1:16777216', '5:4', '5', 'x:y', '1:2:3']) expect(vniRangesOf(text)).toBe(null);
  for (const text of ['a:b', 'a,,b']) expect(flatNetworksOf(text)).toBe(undefined);
  for (const text of ['a', 'a:0', 'a:67', 'a:1400,a:1400', 'a:1400:1'])
    expect(physicalMtusOf(text)).toBe(null);
});
