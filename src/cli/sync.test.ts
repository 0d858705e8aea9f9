/** The output of `portcullis sync` for the API's answers. */
import { expect, test } from 'vitest';
import { syncText } from './sync.ts';

test.each([
  [{ synced: true, late: [], cut: 0 }, 'in sync\n'],
  [{ synced: true, late: [], cut: 1 }, 'in sync, 1 connection cut\n'],
  [{ synced: true, late: [], cut: 12 }, 'in sync, 12 connections cut\n'],
  [{ synced: false, late: ['h1', 'h2'], cut: 0 }, 'late: h1, h2\n'],
])('%j', (result, text) => {
  expect(syncText(result)).toBe(text);
});
