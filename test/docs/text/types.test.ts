/** No file escapes the type checker: neither by a double cast, nor by `any`, `!` or a comment that silences it. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { filesUnder } from './pages.ts';

const escapes =
  /\bas unknown as\b|\bas any\b(?! \w)|\bas never as\b|@ts-(?:ignore|nocheck)|(?:ox|es)lint-disable/;
const files = ['src', 'test', 'bench', 'scripts']
  .flatMap((folder) => filesUnder(folder, /\.ts$/))
  .filter((path) => path !== 'test/docs/text/types.test.ts');

test('no file has double casts or comments that silence a check', () => {
  expect(files.length).toBeGreaterThan(700);
  const found = files.flatMap((path) =>
    readFileSync(path, 'utf8')
      .split('\n')
      .flatMap((line, index) => (escapes.test(line) ? [`${path}:${index + 1} ${line.trim()}`] : [])),
  );
  expect(found).toEqual([]);
});

test('lint refuses `any` and `!` in every file', () => {
  const { rules, overrides } = JSON.parse(readFileSync('.oxlintrc.json', 'utf8')) as {
    readonly rules: Readonly<Record<string, string>>;
    readonly overrides: readonly { readonly files: readonly string[]; readonly rules: object }[];
  };
  expect(rules).toMatchObject({
    'typescript/no-explicit-any': 'error',
    'typescript/no-non-null-assertion': 'error',
  });
  const lifted = overrides.flatMap((override) => Object.keys(override.rules));
  expect(lifted.filter((rule) => rule.startsWith('typescript/'))).toEqual([]);
});
