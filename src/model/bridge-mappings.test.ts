import { expect, test } from 'vitest';
import { bridgeMappingsOf } from './bridge-mappings.ts';

test('mappings are pairs, and an empty text has none', () => {
  expect(bridgeMappingsOf('')).toEqual({});
  expect(bridgeMappingsOf('physnet1:br-ex')).toEqual({ physnet1: 'br-ex' });
  expect(bridgeMappingsOf('physnet1:br-ex, dc2:br-data')).toEqual({ physnet1: 'br-ex', dc2: 'br-data' });
});

test.each([
  'physnet1',
  'physnet1:',
  ':br-ex',
  'physnet1:br-ex:3',
  'physnet1:br-ex,',
  'physnet1:br-ex,physnet1:br-data',
  'physnet1:br-ex,physnet2:br-ex',
  'physnet1:a-bridge-with-a-long-name',
  `${'n'.repeat(65)}:br-ex`,
  'phys net:br-ex',
])('%s is refused', (text) => {
  expect(bridgeMappingsOf(text)).toBe(null);
});

test('a network may have any name that an object of JavaScript has', () => {
  expect(Object.entries(bridgeMappingsOf('__proto__:br-ex') ?? {})).toEqual([['__proto__', 'br-ex']]);
});
