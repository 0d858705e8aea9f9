/**
 * `portcullis up` as its users run it: the built program in its own process, on a data directory that may
 * outlive it. Reports its log with times. Ends it even if the bench fails.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Reaper } from '../test/lib/reaper.ts';
import type { Switch } from '../test/lib/switch.ts';
import { until } from '../test/lib/wait.ts';

const program = fileURLToPath(new URL('../dist/bin/portcullis.js', import.meta.url));
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('PORTCULLIS_')),
);
const killScript = `tr '\\0' ' ' <"/proc/$1/cmdline" | grep -qF -- "$2" && kill -9 "$1"`;

/** A userspace bridge is also a network device of the machine, so its name must be unique. */
const own = randomBytes(4).toString('hex');
export const bridge = `brb${own}`;
export const plainBridge = `brp${own}`;
export const floorBridge = `brf${own}`;
export const host = 'bench';

/** A line of the process's log. */
export interface LogLine {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly msg: string;
  readonly flows?: number;
}

export class DataDirectory {
  readonly path: string;
  readonly #reaper: Reaper;

  constructor(path: string) {
    this.path = path;
    this.#reaper = new Reaper('rm -rf "$1"', [path]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reaper.finish();
  }
}

export async function makeDataDirectory(): Promise<DataDirectory> {
  return new DataDirectory(await mkdtemp(join(tmpdir(), 'portcullis-bench-')));
}

export class Controller {
  readonly pid: number;
  /** When the process was asked for; milliseconds since 1970. */
  readonly spawnedAt: number;
  readonly #child: ChildProcess;
  readonly #reaper: Reaper;
  readonly #log: LogLine[] = [];
  #stdout = '';
  #stderr = '';

  /** `own`: flags of this process alone. */
  constructor(at: Switch, part: 'up' | 'agent', own: readonly string[]) {
    const flags = [...own, '--ovsdb', at.dbTarget, '--bridge', bridge, '--host', host];
    const rest = ['--datapath-type', 'netdev'];
    const nodeFlags = (process.env['PORTCULLIS_BENCH_NODE_FLAGS'] ?? '')
      .split(' ')
      .filter((flag) => flag !== '');
    this.spawnedAt = Date.now();
    this.#child = spawn(process.execPath, [...nodeFlags, program, part, ...flags, ...rest], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.pid = this.#child.pid ?? -1;
    this.#reaper = new Reaper(killScript, [String(this.pid), own.join(' ')]);
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.#stdout += chunk.toString()));
    this.#child.stderr?.on('data', (chunk: Buffer) => this.#takeLog(chunk.toString()));
  }

  #takeLog(text: string): void {
    const lines = (this.#stderr + text).split('\n');
    this.#stderr = lines.pop() ?? '';
    for (const line of lines) {
      try {
        const { time, ...rest } = JSON.parse(line) as { time: string; msg: string; flows?: number };
        this.#log.push({ ...rest, at: Date.parse(time) });
      } catch {
        process.stderr.write(`${line}\n`);
      }
    }
  }

  /** The API's address, from the ready line. The switch has acknowledged the first round by then. */
  async ready(): Promise<string> {
    const endpoint = /^portcullis ready: (http:\S+)\n$/.exec(await this.#readyLine())?.[1];
    if (endpoint === undefined) throw new Error(`no ready line: ${this.#stdout}${JSON.stringify(this.#log)}`);
    return endpoint;
  }

  /** The agent has no address. */
  async agentReady(): Promise<void> {
    if (!(await this.#readyLine()).startsWith('portcullis ready: agent'))
      throw new Error(`no ready line: ${this.#stdout}${JSON.stringify(this.#log)}`);
  }

  async #readyLine(): Promise<string> {
    const said = () => this.#stdout.includes('\n') || this.#child.exitCode !== null;
    await until(said, { timeout: 120_000, what: 'the ready line' });
    return this.#stdout;
  }

  /** Log lines with that text so far. */
  count(msg: string): number {
    return this.#log.filter((line) => line.msg === msg).length;
  }

  /** The first line with that text after `skipped` others, once it has come. */
  said(msg: string, skipped = 0): Promise<LogLine> {
    const found = () => this.#log.filter((line) => line.msg === msg)[skipped];
    return until(found, { timeout: 120_000, what: msg });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exit = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await exit;
    }
    await this.#reaper.finish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** PORTCULLIS_BENCH_NODE_FLAGS gives the interpreter flags, such as a profiler's. */
export const startController = (at: Switch, data: DataDirectory): Controller =>
  new Controller(at, 'up', ['--listen', '127.0.0.1:0', '--data-dir', data.path]);

/** An agent alone, on etcd. */
export const startAgentAlone = (at: Switch, addresses: readonly string[]): Controller =>
  new Controller(at, 'agent', ['--store', `etcd://${addresses.join(',')}`]);

/** A value of the metrics page: the first sample of that name. */
export function metric(page: string, name: string): number {
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(page)?.[1] ?? Number.NaN);
}
