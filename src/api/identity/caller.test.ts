import { expect, it } from 'vitest';
import { newCaller, unauthenticatedCaller } from './caller.ts';

const amounts: readonly [readonly string[], string][] = [
  [[], ''],
  [['creator', 'heat_stack_owner'], ''],
  [['reader'], 'reader'],
  [['member'], 'member reader'],
  [['MEMBER'], 'member reader'],
  [['manager'], 'manager member reader'],
  [['admin'], 'admin manager member reader'],
  [['service'], 'service'],
  [['admin', 'service'], 'admin service manager member reader'],
  [['reader', 'service'], 'service reader'],
  [['administrator', 'readers', 'not-admin', ''], ''],
];

it.each(amounts)('the roles %j amount to "%s"', (roles, amount) => {
  const caller = newCaller({ project: 'p', user: 'u', roles });
  const has = (['admin', 'service', 'manager', 'member', 'reader'] as const).filter((right) => caller[right]);
  expect(has.join(' ')).toBe(amount);
});

it('without authentication everybody is an administrator', () => {
  expect(unauthenticatedCaller).toMatchObject({ admin: true, member: true, reader: true });
});
