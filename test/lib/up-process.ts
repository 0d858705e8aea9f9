/** `portcullis up` as a process that can be killed and restarted on the same data and the same switch. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './command.ts';
import { datapathType } from './switch.ts';
import { slowness, until } from './wait.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export type Program = readonly [string, ...string[]];
const programIn = (directory: string): Program => [
  process.execPath,
  join(directory, 'dist/bin/portcullis.js'),
];
/** The program that users run. */
export const program = programIn(root);
/** The program of another release, which `npm run test:upgrade` has built. Null in all other runs. */
export const formerRelease: Program | null =
  process.env.PORTCULLIS_FORMER_RELEASE === undefined
    ? null
    : programIn(process.env.PORTCULLIS_FORMER_RELEASE);

/** Builds it where the sources are newer. */
export async function build(): Promise<void> {
  await run('bash', ['-c', 'cd "$0" && . scripts/setup.sh && need_build', root]);
}

/** The test's environment without the user's variables for Portcullis or the openstack client. */
export function cleanEnvironment(added: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(PORTCULLIS|OS)_/.test(name));
  return { ...(Object.fromEntries(kept) as Record<string, string>), ...added };
}

export class UpProcess {
  readonly #child: ChildProcess;
  #stdout = '';
  #stderr = '';

  /** `flags` add to those that keep the process apart from others on the machine. */
  constructor(dataDir: string, ovsdb: string, flags: readonly string[], release: Program = program) {
    const [interpreter, ...words] = release;
    const own = [
      '--listen',
      '127.0.0.1:0',
      '--data-dir',
      dataDir,
      '--ovsdb',
      ovsdb,
      '--datapath-type',
      datapathType,
    ];
    this.#child = spawn(interpreter, [...words, 'up', ...own, ...flags], {
      env: cleanEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.#stdout += chunk.toString()));
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()));
  }

  /** The ready line, and nothing else. */
  get stdout(): string {
    return this.#stdout;
  }

  /** The log. */
  get stderr(): string {
    return this.#stderr;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The API's address, from the ready line. */
  async endpoint(): Promise<string> {
    await until(() => this.#stdout.includes('\n') || !this.running, {
      timeout: 30_000,
      what: 'the ready line',
    });
    const [, endpoint] = /^portcullis ready: (http:\S+)\n$/.exec(this.#stdout) ?? [];
    if (endpoint === undefined) throw new Error(`no ready line: ${this.#stdout}${this.#stderr}`);
    return endpoint;
  }

  /** Resolves with the exit code; null after a signal that ended it. */
  async signal(signal: NodeJS.Signals): Promise<number | null> {
    if (this.running) {
      const exit = once(this.#child, 'exit');
      this.#child.kill(signal);
      await exit;
    }
    return this.#child.exitCode;
  }

  /** Ends the process, by force if necessary. */
  async stop(): Promise<void> {
    const force = setTimeout(() => this.#child.kill('SIGKILL'), 12_000 * slowness);
    await this.signal('SIGTERM');
    clearTimeout(force);
  }
}
