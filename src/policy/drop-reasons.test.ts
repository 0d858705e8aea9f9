/** The table of drop reasons in docs/operations.md. PORTCULLIS_UPDATE_DOCS=1 writes it anew. */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { dropReasons } from './drop-reasons.ts';

const file = 'docs/operations.md';
const head = '| reason | what was dropped |\n|---|---|\n';

test('docs/operations.md explains every reason as the code does', () => {
  const rows = Object.entries(dropReasons).map(([reason, meaning]) => `| \`${reason}\` | ${meaning} |\n`);
  const page = readFileSync(file, 'utf8');
  expect(page).toContain(head);
  const begin = page.indexOf(head) + head.length;
  const end = page.indexOf('\n\n', begin - 1) + 1;
  const current = page.slice(0, begin) + rows.join('') + page.slice(end);
  if (process.env.PORTCULLIS_UPDATE_DOCS !== undefined) writeFileSync(file, current);
  expect(readFileSync(file, 'utf8')).toBe(current);
});
