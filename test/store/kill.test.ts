import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Entry, Store } from '../../src/store/contract.ts';
import { openStore } from '../../src/store/index.ts';
import { eventually } from '../../src/store/testing/recorder.ts';

const rounds = 24;
const committer = fileURLToPath(new URL('committer.ts', import.meta.url));

interface Committer {
  readonly process: ChildProcess;
  /** Whole lines of its output. */
  lines(): string[];
  kill(): Promise<void>;
}

let dir = '';
let started: Committer[] = [];
let opened: Store[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-kill-'));
});

afterEach(async () => {
  await Promise.all(started.map((child) => child.kill()));
  await Promise.all(opened.map((store) => store.close()));
  started = [];
  opened = [];
  await rm(dir, { recursive: true, force: true });
});

function start(): Committer {
  const child = spawn(process.execPath, ['--import', 'tsx', committer, dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const committing: Committer = {
    process: child,
    lines: () => output.split('\n').slice(0, -1),
    kill: async () => {
      child.kill('SIGKILL');
      await closed;
    },
  };
  started.push(committing);
  return committing;
}

async function open(): Promise<Store> {
  const store = await openStore({ kind: 'embedded', dir });
  opened.push(store);
  return store;
}

async function firstLine(child: Committer): Promise<string> {
  return eventually(() => child.lines()[0] ?? Promise.reject(new Error('it has printed nothing yet')));
}

describe('kill -9', () => {
  test(`${rounds} times at any moment: every acknowledged write is there, and only whole transactions`, async () => {
    const acknowledged = new Map<string, { revision: number; size: number }>();
    let survived = 0;
    for (let round = 0; round < rounds; round++) {
      const child = start();
      // Some are killed while they open the store, most while they write to it.
      if (round % 6 !== 5) await firstLine(child);
      await delay(Math.random() * 120);
      await child.kill();
      for (const line of child.lines().filter((text) => text !== 'ready')) {
        const [number = '', revision, size] = line.split(' ');
        acknowledged.set(number, { revision: Number(revision), size: Number(size) });
      }
      const store = await open();
      const snapshot = await store.snapshot(['']);
      const found = byTransaction(snapshot.entries);
      for (const [number, { revision, size }] of acknowledged) {
        const entries = found.get(number) ?? [];
        expect([number, entries.length]).toEqual([number, size]);
        expect(entries.every((entry) => entry.modRevision === revision)).toBe(true);
        expect(snapshot.revision).toBeGreaterThanOrEqual(revision);
      }
      for (const [number, entries] of found) {
        expect([number, entries.length]).toEqual([number, Number(entries[0]?.value)]);
        expect(new Set(entries.map((entry) => entry.modRevision)).size).toBe(1);
      }
      survived = found.size;
      await store.close();
    }
    expect(acknowledged.size).toBeGreaterThan(rounds);
    expect(survived).toBeGreaterThanOrEqual(acknowledged.size);
  });
});

describe('one owner', () => {
  test('a second process is refused with the pid of the first, and let in after its kill -9', async () => {
    const child = start();
    expect(await firstLine(child)).toBe('ready');
    await expect(open()).rejects.toMatchObject({
      data: { code: 'StoreLocked', holder: `pid ${child.process.pid}` },
    });
    await child.kill();
    const store = await open();
    const late = start();
    expect(await firstLine(late)).toBe(`locked pid ${process.pid}`);
    await store.close();
  });

  test('of processes that start together exactly one wins', async () => {
    for (let round = 0; round < 3; round++) {
      const children = Array.from({ length: 4 }, start);
      const said = await Promise.all(children.map(firstLine));
      const winner = children[said.indexOf('ready')];
      expect(said.toSorted()).toEqual([
        ...Array.from({ length: 3 }, () => `locked pid ${winner?.process.pid}`),
        'ready',
      ]);
      await Promise.all(children.map((child) => child.kill()));
    }
  });
});

function byTransaction(entries: readonly Entry[]): Map<string, Entry[]> {
  const found = new Map<string, Entry[]>();
  for (const entry of entries) {
    const [kind, number = ''] = entry.key.split('/');
    if (kind !== 't') continue;
    const others = found.get(number);
    if (others === undefined) found.set(number, [entry]);
    else others.push(entry);
  }
  return found;
}
