import { access, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

const root = new URL('../../../', import.meta.url);

test('the example of a new resource in docs/architecture.md names files that exist, 8 at most', async () => {
  const page = await readFile(new URL('docs/architecture.md', root), 'utf8');
  const chapter = page.slice(page.indexOf('## Adding a resource'));
  const rows = [...chapter.matchAll(/^\| `([^`]+)`( \(new\))? \|/gm)];
  expect(rows.length).toBeGreaterThan(4);
  expect(rows.length).toBeLessThanOrEqual(8);
  for (const [, path = '', isNew] of rows)
    if (isNew === undefined) await expect(access(new URL(path, root)), path).resolves.toBe(undefined);
});
