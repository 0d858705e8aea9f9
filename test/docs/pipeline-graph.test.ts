/**
 * The graph of relations in docs/pipeline.md, drawn from their names and from what their derivations read in generated
 * worlds. PORTCULLIS_UPDATE_DOCS=1 draws it anew.
 */
import { readFile, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { worldArbitrary } from '../proofs/arbitrary-worlds.ts';
import { pipelineOf } from '../proofs/pipeline-of.ts';

const file = 'docs/pipeline.md';
/** What follows from flows and ids alone, and the comparisons of tightening, would hide the rest. */
const left = /-(installed|ids|tightening)$/;

function drawn(): string {
  const solid = new Set<string>();
  const dotted = new Set<string>();
  for (const world of fc.sample(worldArbitrary, { numRuns: 60, seed: 1 }))
    for (const limit of [0, 2048])
      for (const { name, source, reads } of pipelineOf(world, limit).edges) {
        if (left.test(name)) continue;
        solid.add(`  ${source} --> ${name}`);
        for (const read of reads) dotted.add(`  ${read} -.-> ${name}`);
      }
  return ['flowchart LR', ...[...solid].sort(), ...[...dotted].sort()].join('\n');
}

test('the graph of relations in docs/pipeline.md is that of the code', async () => {
  const page = await readFile(file, 'utf8');
  expect(page).toContain('~~~mermaid\n');
  const current = page.replace(/^~~~mermaid\n[^~]*~~~$/m, `~~~mermaid\n${drawn()}\n~~~`);
  if (process.env.PORTCULLIS_UPDATE_DOCS !== undefined) await writeFile(file, current);
  expect(current).toBe(await readFile(file, 'utf8'));
});
