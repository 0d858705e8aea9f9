import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { HostLiveness } from './host-liveness.ts';

const host = { name: 'h', ttl: 30_000 };
let liveness: HostLiveness;
beforeEach(() => {
  vi.useFakeTimers();
  liveness = new HostLiveness();
});
afterEach(() => vi.useRealTimers());

test('a host that was never heard is not alive', () => {
  expect(liveness.isLive(host)).toBe(false);
});

test('a host is alive until its ttl has passed without a write', () => {
  liveness.hear('h', 1);
  vi.advanceTimersByTime(29_999);
  expect(liveness.isLive(host)).toBe(true);
  vi.advanceTimersByTime(1);
  expect(liveness.isLive(host)).toBe(false);
  liveness.hear('h', 2);
  expect(liveness.isLive(host)).toBe(true);
});

test('the same record again, as in a new listing of the store, is no sign of life', () => {
  liveness.hear('h', 1);
  vi.advanceTimersByTime(30_000);
  liveness.hear('h', 1);
  expect(liveness.isLive(host)).toBe(false);
});

test('a host whose record was deleted is not alive', () => {
  liveness.hear('h', 1);
  liveness.forget('h');
  expect(liveness.isLive(host)).toBe(false);
});
