/** What a kernel says of its table of connections. */
import { expect, test } from 'vitest';
import { entriesOf } from './conntrack-table.ts';

const head = 'entries  clashres found new invalid ignore delete chainlength insert insert_failed drop';

test('the number of connections is hexadecimal, and the same on every line', () => {
  const line =
    '0000ffc0  00000000 00000000 00000000 00000012 00000000 00000000 00000000 00000000 00000000 00000000';
  expect(entriesOf(`${head}\n${line}\n${line}\n`)).toBe(65_472);
});

test.each(['', head, `${head}\n\n`, 'rubbish\n0001'])('of %o nothing is known', (text) => {
  expect(entriesOf(text)).toBeNull();
});
