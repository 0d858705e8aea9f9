/**
 * The machine of the figures, and its speed at that moment: a fixed piece of JavaScript and a flushed write.
 * Absolute figures of two runs can only be compared through these.
 */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { run } from '../test/lib/command.ts';
import { emit, median, quantile, round } from './report.ts';

export interface SectionOptions {
  /** Fewer and shorter repetitions: for trying the bench itself. */
  readonly quick: boolean;
}

export async function emitMachine(): Promise<void> {
  const loadBefore = loadavg()[0] ?? 0;
  const flushes = await flushTimes();
  const version = await run('ovs-vswitchd', ['--version']);
  emit('machine', null, {
    date: new Date().toISOString(),
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? '',
    memory_gb: round(totalmem() / 1e9),
    node: process.version,
    ovs: /\d+\.\d+\.\d+/.exec(version)?.[0] ?? '',
    load_1min: round(loadBefore),
    javascript_ms: round(median([1, 2, 3, 4, 5].map(javascriptTime))),
    flushed_write_p50_ms: round(median(flushes)),
    flushed_write_p99_ms: round(quantile(flushes, 0.99)),
  });
}

/** Milliseconds to read and write JSON, the kind of work that the API does. */
function javascriptTime(): number {
  const text = JSON.stringify(
    Array.from({ length: 1000 }, (_, n) => ({ id: `port-${n}`, n, list: [n, `${n}`] })),
  );
  const begin = performance.now();
  for (let turn = 0; turn < 20; turn++) JSON.stringify(JSON.parse(text));
  return performance.now() - begin;
}

/** Milliseconds for 4 KiB written and flushed, in the place of the bench's data directories. */
async function flushTimes(): Promise<number[]> {
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-bench-'));
  const file = await open(join(directory, 'flush'), 'w');
  const times: number[] = [];
  try {
    const page = Buffer.alloc(4096, 1);
    for (let turn = 0; turn < 200; turn++) {
      const begin = performance.now();
      await file.write(page, 0, page.length, 0);
      await file.datasync();
      times.push(performance.now() - begin);
    }
  } finally {
    await file.close();
    await rm(directory, { recursive: true });
  }
  return times;
}
