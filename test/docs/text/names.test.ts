/** Names in README and docs are those of the program: commands, flags, variables, log lines, errors, paths, folders. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { buildProgram } from '../../../src/cli/program.ts';
import { settings } from '../../../src/cli/settings.ts';
import { quotaResources } from '../../../src/model/quota.ts';
import { formatCidr } from '../../../src/net/cidr.ts';
import { unusablePrefixes } from '../../../src/net/unusable-addresses.ts';
import { chapter, codeSpans, filesUnder, firstCells, pages, pageText, sources } from './pages.ts';

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>;
};
const program = buildProgram();
const commandOf = (words: readonly string[]) => {
  const [name, sub] = words;
  const command = program.commands.find((one) => one.name() === name);
  return command?.commands.find((one) => one.name() === sub) ?? command;
};

/** Everything beside the program that pages may name: tests, scripts, the bench. */
const tools = ['test', 'scripts', 'bench']
  .flatMap((folder) => filesUnder(folder, /\.(ts|mjs|sh|py)$/))
  .map((path) => readFileSync(path, 'utf8'))
  .join('\n');

describe.each(pages)('$path', ({ text }) => {
  const spans = codeSpans(text);

  test('the commands that it names exist, with their flags', () => {
    const lines = [...spans, ...text.split('\n')].filter((line) => /(^|[ (])portcullis [a-z]/.test(line));
    for (const line of lines) {
      const isCommand = line.startsWith('portcullis ') || / {2}portcullis |; do portcullis /.test(line);
      if (!isCommand) continue;
      const [, called = ''] = line.split(/portcullis (?=[a-z])/);
      const words = (called.split(/[;|#]/)[0] ?? '').split(/[\s[\]]+/);
      if (words[0] === 'ready:') continue;
      const command = commandOf(words);
      expect(command, line).toBeDefined();
      const flags = command?.options.flatMap(({ long }) => long ?? []) ?? [];
      for (const word of words.filter((one) => one.startsWith('--')))
        expect([...flags, '--help'], line).toContain(word);
    }
  });

  test('the npm scripts that it names exist', () => {
    for (const [, name = ''] of text.matchAll(/npm (?:run )?(?:--silent )?([a-z:]+)/g))
      if (!['ci', 'run', 'prints', 'would'].includes(name)) expect(Object.keys(scripts)).toContain(name);
  });

  test('the variables of the environment that it names are read', () => {
    const known = settings.map(({ env }) => env);
    for (const [name] of text.matchAll(/\bPORTCULLIS_[A-Z_]*[A-Z]\b/g))
      if (name !== 'PORTCULLIS_X' && !known.includes(name))
        expect((sources + tools).includes(name), name).toBe(true);
  });

  test('the log lines and messages that it quotes are in the sources', () => {
    const others = /^(portcullis|openstack|npm|node|ovs-|ovn-|ip |curl|iperf3|one's|utime|environment|if )/;
    const quoted = spans.filter(
      (code) => /^[A-Za-z][\w']*( [a-zA-Z']+){2,}$/.test(code) && !others.test(code),
    );
    for (const line of quoted) {
      // The floors of README, which the test below compares.
      if (line === 'store openflow ovsdb') continue;
      expect(sources.includes(line), line).toBe(true);
    }
  });

  test('the errors that it names are in the sources', () => {
    const elsewhere = new Set(['HTTPNotFound']);
    for (const code of spans)
      if (/^(HTTP)?([A-Z][a-z]+){2,}$/.test(code) && !elsewhere.has(code) && !/^(CamelCase)$/.test(code))
        expect(sources.includes(code), code).toBe(true);
  });
});

test('operations.md lists every command', () => {
  const rows = chapter('docs/operations.md', 'Commands');
  for (const command of program.commands)
    if (command.name() !== 'help') expect(rows).toMatch(new RegExp(`\`(portcullis )?${command.name()}\\b`));
});

test('defaults of settings', () => {
  const rows = chapter('docs/operations.md', 'Configuration').split('\n');
  for (const { key, default: value } of settings) {
    if (value === undefined || key.startsWith('keystone.')) continue;
    const cell = rows.find((row) => row.startsWith(`| \`${key}\``))?.split(' | ')[3] ?? '';
    expect(cell, key).toMatch(value === '' ? /^none/ : new RegExp(`^\`${String(value)}\``));
  }
  expect(rows.find((row) => row.includes('`quota.network`'))).toContain(
    quotaResources.map((name) => `\`quota.${name}\``).join(', '),
  );
});

test('addresses that no prefix gives', () => {
  const text = chapter('docs/operations.md', 'Security model').replaceAll('\n', ' ').replaceAll(/ +/g, ' ');
  expect(text).toContain(unusablePrefixes.map(formatCidr).join(', '));
});

/** Floors and rooms as `npm run layers` holds them. */
const layers = readFileSync('scripts/layers.mjs', 'utf8');
const listOf = (name: string): string =>
  layers.match(new RegExp(`const ${name} = \\[([^]*?)\\];`))?.[1]?.replaceAll(/\s/g, '') ?? '';
const namesOf = (name: string): readonly string[] =>
  [...listOf(name).matchAll(/'([^']+)'/g)].map(([, one]) => one ?? '');

test('floors of the sources, in README and architecture.md', () => {
  const floors = namesOf('floors');
  expect(floors.length).toBeGreaterThan(8);
  expect([...floors].sort()).toEqual(readdirSync('src').sort());
  const line = pageText('README.md').match(/imports point down only: ([^]*?)\. `npm/)?.[1] ?? '';
  expect(codeSpans(line).flatMap((names) => names.split(' '))).toEqual(floors);
  expect(
    firstCells(chapter('docs/architecture.md', 'The floors').split('The agent has rooms')[0] ?? ''),
  ).toEqual(floors);
});

test('rooms of the agent, in architecture.md', () => {
  const rooms = namesOf('agentRooms');
  expect(
    firstCells(chapter('docs/architecture.md', 'The floors').split('The agent has rooms')[1] ?? ''),
  ).toEqual(rooms);
});

test('sections of the bench, in performance.md', () => {
  const main = readFileSync('bench/main.ts', 'utf8');
  const sections = [...(main.match(/const sections = {([^]*?)}/)?.[1] ?? '').matchAll(/(\w+):/g)].map(
    ([, name]) => name ?? '',
  );
  const described = firstCells(chapter('docs/performance.md', 'What is measured')).map(
    (name) => name.split('.')[0] ?? '',
  );
  expect(sections.length).toBeGreaterThan(5);
  for (const name of sections.filter((one) => one !== 'qos')) expect(described).toContain(name);
});
