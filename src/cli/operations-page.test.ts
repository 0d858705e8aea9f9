/** docs/operations.md names all settings and metrics, and no others. */
import { readFile } from 'node:fs/promises';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { AgentStatus } from '../agent/agent.ts';
import type { NotifierStatus } from '../api/nova/notifier.ts';
import { stages, stepReasons } from '../policy/verdict.ts';
import { registerAgentMetrics } from './agent-metrics.ts';
import { registerNovaMetrics } from './nova.ts';
import { settings } from './settings.ts';

const page = await readFile('docs/operations.md', 'utf8');

/** The text under a heading. */
const chapter = (title: string): string => page.split(`\n## ${title}\n`)[1]?.split('\n## ')[0] ?? '';

const codesIn = (text = ''): readonly string[] =>
  [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? '');

test('settings, with their names in the file, the environment and as flags', () => {
  const rows = chapter('Configuration')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, 4)
        .map((cell) => cell.trim()),
    );
  const keys = rows.flatMap(([names]) => codesIn(names));
  expect([...keys].sort()).toEqual(settings.map(({ key }) => key).sort());
  for (const [names, environment, flags] of rows) {
    const meant = codesIn(names).map((name) => settings.find(({ key }) => key === name));
    // Of several similar settings the page writes out the first.
    const more = meant.length > 1;
    expect(environment).toBe(more ? `\`${meant[0]?.env}\`, …` : `\`${meant[0]?.env}\``);
    expect(flags).toBe(more ? `\`${meant[0]?.flag}\`, …` : `\`${meant[0]?.flag}\``);
  }
});

test('metrics', () => {
  const registry = new Registry();
  registerAgentMetrics(
    registry,
    () => ({}) as AgentStatus,
    async () => null,
    async () => null,
  );
  registerNovaMetrics(registry, () => ({}) as NotifierStatus);
  const own = registry.getMetricsAsArray().map(({ name }) => name);
  expect(own.length).toBeGreaterThan(5);
  const told = codesIn(chapter('Metrics')).filter((code) => /^portcullis_[a-z_]+$/.test(code));
  expect([...told].sort()).toEqual([...own].sort());
});

test('stages and reasons of explain', () => {
  const page = chapter('Explain');
  for (const table of [stages, stepReasons])
    for (const [name, meaning] of Object.entries(table))
      expect(page).toContain(`| \`${name}\` | ${meaning} |`);
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  expect(rows).toHaveLength(Object.keys(stages).length + Object.keys(stepReasons).length);
});
