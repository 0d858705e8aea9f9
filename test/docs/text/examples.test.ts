import { access, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

const root = new URL('../../../', import.meta.url);

test.each([
  ['Adding a resource', 8],
  ['Adding a stage', 6],
])('the example "%s" in docs/architecture.md names files that exist, %i at most', async (heading, max) => {
  const page = await readFile(new URL('docs/architecture.md', root), 'utf8');
  const chapter = page.split(/^## /m).find((text) => text.startsWith(heading)) ?? '';
  const rows = [...chapter.matchAll(/^\| `([^`]+)`( \(new\))? \|/gm)];
  expect(rows.length).toBeGreaterThan(4);
  expect(rows.length).toBeLessThanOrEqual(max);
  for (const [, path = '', isNew] of rows)
    if (isNew === undefined) await expect(access(new URL(path, root)), path).resolves.toBe(undefined);
});
