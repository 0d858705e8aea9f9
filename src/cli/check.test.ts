import { expect, test } from 'vitest';
import { checkText } from './check.ts';

test('a consistent store is reported as whole', () =>
  expect(checkText({ revision: 7, entries: 12, count: 0, violations: [] })).toBe(
    'whole: 12 entries agree\n',
  ));

test('lists contradictions, and the number of further ones', () => {
  const violations = [{ key: 'ports/n/p', problem: 'its network n does not exist' }];
  const told = { revision: 7, entries: 12, violations };
  expect(checkText({ ...told, count: 1 })).toBe('ports/n/p: its network n does not exist\n');
  expect(checkText({ ...told, count: 3 })).toBe('ports/n/p: its network n does not exist\nand 2 more\n');
});
