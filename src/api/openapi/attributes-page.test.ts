import { readFile, writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { openUnderTest } from '../testing/api-under-test.ts';
import { attributesPage } from './attributes-page.ts';
import { chaptersOf } from './routes.ts';

const file = 'docs/api-attributes.md';

it('docs/api-attributes.md is what the tables say', async () => {
  const under = await openUnderTest('memory');
  try {
    const { api } = await under.server();
    const chapters = chaptersOf(api.app);
    expect(chapters.map(({ subject }) => subject.collection)).toContain('networks');
    const page = attributesPage(chapters);
    if (process.env.PORTCULLIS_UPDATE_DOCS !== undefined) await writeFile(file, page);
    expect(await readFile(file, 'utf8'), 'PORTCULLIS_UPDATE_DOCS=1 writes the page anew').toBe(page);
  } finally {
    await under.close();
  }
});
