/** The command line as its users run it: `portcullis up` as a process of its own, and commands against it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CommandResult, run, runAnyway } from '../lib/command.ts';
import type { Switch } from '../lib/switch.ts';
import { until } from '../lib/wait.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = join(root, 'dist/bin/portcullis.js');
// What people run is the build; `npm test` has made it already, a single test file may find it stale.
await run('bash', ['-c', 'cd "$1" && . scripts/setup.sh && need_build', 'build', root]);

/** Nothing that the person who runs the tests has set. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('PORTCULLIS_')),
);

/** Runs one command to its end, with names of the environment added. */
export function portcullis(
  args: readonly string[],
  added: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  return runAnyway(process.execPath, [program, ...args], { env: { ...environment, ...added } });
}

/** A running `portcullis up` with a data directory of its own. */
export class Up {
  readonly dataDir: string;
  readonly ovsdb: string;
  /** A bridge is also a device of the whole machine: a name of its own keeps two runs apart. */
  readonly bridge = `pctb-${randomBytes(4).toString('hex')}`;
  readonly #child: ChildProcess;
  #stdout = '';
  #stderr = '';

  constructor(dataDir: string, ovsdb: string) {
    this.dataDir = dataDir;
    this.ovsdb = ovsdb;
    const flags = [
      '--listen',
      '127.0.0.1:0',
      '--data-dir',
      dataDir,
      '--ovsdb',
      ovsdb,
      '--host',
      'test',
      '--bridge',
      this.bridge,
    ];
    this.#child = spawn(process.execPath, [program, 'up', ...flags, '--datapath-type', 'netdev'], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.#stdout += chunk.toString()));
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()));
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** The API's address, once the ready line has told it. */
  async endpoint(): Promise<string> {
    await until(() => this.#stdout.includes('\n') || this.#child.exitCode !== null, {
      timeout: 30_000,
      what: 'the ready line',
    });
    const [, endpoint] = /^portcullis ready: (http:\S+)\n$/.exec(this.#stdout) ?? [];
    if (endpoint === undefined) throw new Error(`no ready line: ${this.#stdout}${this.#stderr}`);
    return endpoint;
  }

  /** Runs a command against this process's API and switch. */
  async command(...args: string[]): Promise<CommandResult> {
    const own = {
      PORTCULLIS_ENDPOINT: await this.endpoint(),
      PORTCULLIS_OVSDB: this.ovsdb,
      PORTCULLIS_BRIDGE: this.bridge,
    };
    return portcullis(args, own);
  }

  /** The same beside the switch, in its namespace, where `startRelay` has the API at 127.0.0.1:9696. */
  async commandAt(at: Switch, ...args: string[]): Promise<CommandResult> {
    const own = { PORTCULLIS_OVSDB: this.ovsdb, PORTCULLIS_BRIDGE: this.bridge };
    const [interpreter, ...words] = at.entered(process.execPath, program, ...args);
    return runAnyway(interpreter, words, { env: { ...environment, ...own } });
  }

  /** Creates one resource: `create('network', { name: 'n' })`. */
  async create(
    kind: string,
    attributes: Readonly<Record<string, unknown>>,
  ): Promise<{ readonly id: string }> {
    const response = await fetch(`${await this.endpoint()}/v2.0/${kind}s`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ [kind]: attributes }),
    });
    const body = (await response.json()) as Record<string, { id: string } | undefined>;
    const made = body[kind];
    if (made === undefined) throw new Error(JSON.stringify(body));
    return made;
  }

  /** Resolves with the exit code. */
  async signal(signal: NodeJS.Signals): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exit = once(this.#child, 'exit');
      this.#child.kill(signal);
      await exit;
    }
    return this.#child.exitCode;
  }

  /** Ends the process, if need be by force, and removes its data. */
  async stop(): Promise<void> {
    const force = setTimeout(() => this.#child.kill('SIGKILL'), 12_000);
    await this.signal('SIGTERM');
    clearTimeout(force);
    await rm(this.dataDir, { recursive: true, force: true });
  }
}

export async function startUp(ovsdb: string): Promise<Up> {
  return new Up(await mkdtemp(join(tmpdir(), 'portcullis-up-')), ovsdb);
}
