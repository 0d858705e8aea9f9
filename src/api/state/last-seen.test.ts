import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LastSeen } from './last-seen.ts';

let seen: LastSeen;
beforeEach(() => {
  vi.useFakeTimers({ now: 1000 });
  seen = new LastSeen();
});
afterEach(() => vi.useRealTimers());

test('a host that is alive was seen just now', () => {
  seen.lives('h');
  vi.advanceTimersByTime(50);
  expect(seen.of('h')).toBe(1050);
});

test('a host that is dead was last seen at its death, however often that is said', () => {
  seen.isGone('h');
  vi.advanceTimersByTime(50);
  seen.isGone('h');
  expect(seen.of('h')).toBe(1000);
});

test('a host that returned and died again was last seen at its second death', () => {
  seen.isGone('h');
  vi.advanceTimersByTime(50);
  seen.lives('h');
  seen.isGone('h');
  expect(seen.of('h')).toBe(1050);
});
