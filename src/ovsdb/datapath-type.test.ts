import { expect, test } from 'vitest';
import { datapathTypeOf, isKernelDatapath } from './datapath-type.ts';

test("a bridge without a type has the kernel's datapath, and an absent bridge has none", () => {
  expect(['', 'system', 'netdev'].map(datapathTypeOf)).toEqual(['system', 'system', 'netdev']);
  expect(['', 'system', 'netdev', undefined].map(isKernelDatapath)).toEqual([true, true, false, false]);
});
