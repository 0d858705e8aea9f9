import { expect, test } from 'vitest';
import { table } from './table.ts';

interface Drop {
  readonly reason: string;
  readonly packets: number;
}

const columns = [
  { title: 'REASON', value: (drop: Drop) => drop.reason },
  { title: 'PACKETS', value: (drop: Drop) => drop.packets },
];

test('columns are as wide as their widest cell and numbers stand to the right', () => {
  const text = table(columns, [
    { reason: 'arp-spoof', packets: 7 },
    { reason: 'ip', packets: 123456789 },
  ]);
  expect(text).toBe('REASON       PACKETS\narp-spoof          7\nip         123456789\n');
});

test('no rows leave the titles', () => {
  expect(table(columns, [])).toBe('REASON  PACKETS\n');
});

test('an empty last cell leaves no blanks at the end of its line', () => {
  const names = [
    { title: 'A', value: (row: string) => row },
    { title: 'B', value: () => '' },
  ];
  expect(table(names, ['x'])).toBe('A  B\nx\n');
});
