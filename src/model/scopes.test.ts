import { expect, test } from 'vitest';
import { keys } from './keys.ts';
import { scopeDepth } from './scopes.ts';

const depthOf = (key: string): number => scopeDepth(key.split('/', 1)[0] ?? '');

test('every key that agents follow has a scope of its own', () => {
  for (const key of [keys.syncTarget(), keys.ask('a'), keys.bridge('h')])
    expect([key, depthOf(key)]).toEqual([key, 1]);
  for (const key of [
    keys.host('h'),
    keys.life('h'),
    keys.port('n', 'p'),
    keys.rule('g', 'r'),
    keys.applied('h'),
  ])
    expect([key, depthOf(key)]).toEqual([key, 2]);
});

test('marks are followed with everything', () => {
  expect(depthOf(keys.takenIp('n', '10.0.0.1'))).toBe(0);
});
