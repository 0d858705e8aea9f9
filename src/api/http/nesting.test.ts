import { expect, test } from 'vitest';
import { isNestedDeeper } from './nesting.ts';

const lists = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const objects = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

test.each([
  ['lists', lists],
  ['objects', objects],
])('%s count by their depth', (_what, nest) => {
  expect(isNestedDeeper(nest(100), 100)).toBe(false);
  expect(isNestedDeeper(nest(101), 100)).toBe(true);
  expect(isNestedDeeper(`{"a":[${nest(99)}]}`, 100)).toBe(true);
  expect(isNestedDeeper(nest(4_000_000 / 8), 100)).toBe(true);
});

test('one beside the other is not one in the other, and texts are no lists', () => {
  expect(isNestedDeeper(`[${Array(500).fill('[]').join(',')}]`, 100)).toBe(false);
  const text = '['.repeat(500);
  expect(isNestedDeeper(JSON.stringify({ text, [text]: `"${text}\\"` }), 100)).toBe(false);
  expect(isNestedDeeper(`${JSON.stringify([`\\"${text}`]).slice(0, -1)},${lists(101)}]`, 100)).toBe(true);
});
