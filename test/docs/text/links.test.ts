/** Links and paths in README and docs lead somewhere, and README names every page. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { codeSpans, pages, pageText } from './pages.ts';

/** GitHub's anchor of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\- ]/gu, '')
    .replaceAll(' ', '-');

const anchorsOf = (text: string): readonly string[] =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading ?? ''));

/** Folders of `src` and the top, under which pages name files. */
const roots = ['', 'src/'] as const;
const isPath = (code: string): boolean =>
  /^(src|test|scripts|bench|docs)\/[\w./-]+$/.test(code) ||
  /^[\w-]+(\/[\w.-]+)+\.(ts|mjs|sh|md|json)$/.test(code) ||
  /^[a-z][\w-]*(\/[\w-]+)*\/$/.test(code);

describe.each(pages)('$path', ({ path, text }) => {
  test('its links lead to files and headings', () => {
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [file = '', anchor] = target.split('#');
      const found = file === '' ? path : join(dirname(path), file);
      expect(existsSync(found), target).toBe(true);
      if (anchor !== undefined) expect(anchorsOf(readFileSync(found, 'utf8')), target).toContain(anchor);
    }
  });

  test('the files and folders that it names exist', () => {
    // The example of a new resource names files that do not exist; catalogue.test.ts checks it.
    const checked = text.split('## Adding a resource')[0] ?? '';
    for (const code of codeSpans(checked).filter(isPath))
      expect(
        roots.some((root) => existsSync(`${root}${code}`)),
        code,
      ).toBe(true);
  });
});

test('README links to every page', () => {
  for (const { path } of pages)
    if (path !== 'README.md') expect(pageText('README.md').includes(`(${path})`), path).toBe(true);
});
