import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Pacer } from './pacer.ts';

let corrections: number[];
let pacer: Pacer;
beforeEach(() => {
  vi.useFakeTimers();
  corrections = [];
  pacer = new Pacer(() => {
    corrections.push(performance.now());
    pacer.corrected();
  });
});
afterEach(() => vi.useRealTimers());

test('many requests make one correction', async () => {
  const start = performance.now();
  for (let n = 0; n < 5; n++) pacer.request();
  await vi.advanceTimersByTimeAsync(2000);
  expect(corrections).toEqual([start]);
});

test('a correction waits until the interval after the one before is over', async () => {
  pacer.request();
  await vi.advanceTimersByTimeAsync(100);
  pacer.request();
  await vi.advanceTimersByTimeAsync(2000);
  const [first = 0, second = 0] = corrections;
  expect(second - first).toBe(500);
});

test('the earliest of several requests counts', async () => {
  const start = performance.now();
  pacer.request(1000);
  pacer.request(200);
  pacer.request(1000);
  await vi.advanceTimersByTimeAsync(3000);
  expect(corrections).toEqual([start + 200]);
});

test('a cancelled request corrects nothing, and a later one does', async () => {
  pacer.request(50);
  pacer.cancel();
  await vi.advanceTimersByTimeAsync(1000);
  expect(corrections).toEqual([]);
  pacer.request();
  await vi.advanceTimersByTimeAsync(1);
  expect(corrections).toHaveLength(1);
});
