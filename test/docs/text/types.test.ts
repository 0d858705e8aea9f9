/** No file escapes the type checker: neither by a double cast, nor by `any`, `!` or a comment that silences it. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { filesUnder } from './pages.ts';

const escapes =
  /\bas unknown as\b|\bas any\b(?! \w)|\bas never as\b|@ts-(?:ignore|nocheck)|(?:ox|es)lint-disable/;
const isProduct = (path: string): boolean => !/\.test\.ts$|\/testing\//.test(path);
const product = filesUnder('src', /\.ts$/).filter(isProduct);

test('src has neither double casts nor comments that silence a check', () => {
  expect(product.length).toBeGreaterThan(300);
  const found = product.flatMap((path) =>
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
