/** The pages of the project and the text of its sources, for tests that compare them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Page {
  readonly path: string;
  readonly text: string;
}

export const pages: readonly Page[] = [
  'README.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
].map((path) => ({ path, text: readFileSync(path, 'utf8') }));

export function pageText(path: string): string {
  const page = pages.find((one) => one.path === path);
  if (page === undefined) throw new Error(`no page ${path}`);
  return page.text;
}

/** The text under a heading of the second level, up to the next one. */
export const chapter = (path: string, title: string): string =>
  pageText(path).split(`\n## ${title}\n`)[1]?.split('\n## ')[0] ?? '';

/** The code spans of a text, without its blocks. */
export const codeSpans = (text: string): readonly string[] =>
  [...text.replaceAll(/^```[^]*?^```/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, code]) => code ?? '');

/** The first cell's code spans of each row of the tables in a text. */
export const firstCells = (text: string): readonly string[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .flatMap((line) => codeSpans(line.split(' | ')[0] ?? ''));

/** Files under a folder by path, with names that match. */
export function filesUnder(folder: string, name: RegExp): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesUnder(path, name);
      return name.test(entry.name) ? [path] : [];
    })
    .toSorted();
}

export const sourceFiles: readonly string[] = filesUnder('src', /(?<!\.test)\.ts$/);

/** The text of all sources of the program, tests left out. */
export const sources: string = sourceFiles.map((path) => readFileSync(path, 'utf8')).join('\n');
