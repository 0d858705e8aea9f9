/** The reference evaluator agrees with the spoof matrix, entry by entry, and the matrix is what it claims to be. */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { emptyTracker } from '../../../src/policy/conntrack.ts';
import { evaluateDatagram } from '../../../src/policy/evaluator.ts';
import type { PortId, World } from '../../../src/policy/world.ts';
import { host } from '../worlds.ts';
import { arpMatrix } from './arp-matrix.ts';
import { ipMatrix } from './ip-matrix.ts';
import { type Entry, matrixWorld, trackings } from './matrix.ts';
import { ndMatrix } from './nd-matrix.ts';
import { holdings, ownerMatrix, ownerWorld } from './owner-matrix.ts';

const self = 'self' as PortId;
const peer = 'peer' as PortId;

function verdictOf(world: World, { frames }: Entry): string {
  const { sender, receivers, reply } = evaluateDatagram(world, host, emptyTracker, self, frames);
  if (sender.outcome === 'dropped') return sender.reason;
  if (reply !== null) return 'answered';
  return receivers.get(peer)?.outcome === 'passed' ? 'pass' : 'nobody';
}

function wrongOf(world: World, entries: readonly Entry[]) {
  return entries
    .map((entry) => ({
      name: entry.name,
      stated: entry.reason ?? 'pass',
      evaluated: verdictOf(world, entry),
    }))
    .filter(({ stated, evaluated }) => stated !== evaluated);
}

describe.each([
  ['ARP', arpMatrix(), 2000],
  ['ND and MLD', ndMatrix(), 20_000],
  ['IP', ipMatrix(), 900],
] as const)('%s', (_name, entries, least) => {
  test('has its size, both outcomes, and no name twice', () => {
    expect(entries.length).toBeGreaterThan(least);
    expect(new Set(entries.map(({ name }) => name)).size).toBe(entries.length);
    expect(new Set(entries.map(({ expected }) => expected))).toEqual(new Set(['pass', 'drop']));
  });

  test.each(trackings)('the evaluator says the same of every entry of a port that is %s', (tracking) => {
    expect(wrongOf(matrixWorld(tracking), entries).slice(0, 20)).toEqual([]);
  });
});

test('docs/architecture.md states its size, in whole thousands', async () => {
  const size = arpMatrix().length + ndMatrix().length + ipMatrix().length;
  const page = await readFile('docs/architecture.md', 'utf8');
  expect(page).toContain(`more than ${Math.floor(size / 1000)},000 entries`);
});

test.each(holdings)('the evaluator knows whose each address is of a port that has its own %s', (holding) => {
  const entries = ownerMatrix(holding);
  expect(entries.length).toBeGreaterThan(400);
  expect(new Set(entries.map(({ name }) => name)).size).toBe(entries.length);
  expect(wrongOf(ownerWorld(holding), entries)).toEqual([]);
});
