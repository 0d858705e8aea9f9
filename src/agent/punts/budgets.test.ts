import { expect, test } from 'vitest';
import { Budgets } from './budgets.ts';

test('so many at once, then one each interval; each key by itself', () => {
  let now = 0;
  const budgets = new Budgets({ burst: 2, interval: 100, now: () => now });
  const takes = (key: string) => budgets.take(key);
  expect([takes('a'), takes('a'), takes('a'), takes('b')]).toEqual([true, true, false, true]);
  now = 99;
  expect(takes('a')).toBe(false);
  now = 100;
  expect([takes('a'), takes('a')]).toEqual([true, false]);
  now = 10_000;
  expect([takes('a'), takes('a'), takes('a')]).toEqual([true, true, false]);
});

test('keys whose budget is full again are forgotten, others are not', () => {
  let now = 0;
  const budgets = new Budgets({ burst: 1, interval: 1000, now: () => now });
  for (let key = 0; key < 1000; key++) budgets.take(`old ${key}`);
  now = 1000;
  budgets.take('spent');
  for (let key = 0; key < 10; key++) budgets.take(`new ${key}`);
  expect(budgets.take('spent')).toBe(false);
  expect(budgets.size).toBeLessThan(20);
});
