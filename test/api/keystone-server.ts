/**
 * A real Keystone for tests: Debian's own, on sqlite in a temporary folder and its own port. It can be
 * stopped and started again at the same address. Its access log shows how often it was asked.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, runAnyway } from '../lib/command.ts';
import { Reaper } from '../lib/reaper.ts';
import { until } from '../lib/wait.ts';

/** Debian's `python3-keystone` has them. */
export const keystoneInstalled =
  spawnSync('sh', ['-c', 'command -v keystone-manage keystone-wsgi-public']).status === 0;

/** A staged and a primary key, as Keystone keeps them: its own command for that insists on names of users. */
async function makeKeys(dir: string): Promise<void> {
  await mkdir(dir, { mode: 0o700 });
  for (const name of ['0', '1'])
    await writeFile(join(dir, name), `${randomBytes(32).toString('base64url')}=`, { mode: 0o600 });
}

export const adminPassword = 'of the administrator';

export class KeystoneServer {
  readonly #dir: string;
  readonly #reaper: Reaper;
  #child: ChildProcess | null = null;
  #output = '';
  #port = 0;
  #marks = 0;

  private constructor(dir: string) {
    this.#dir = dir;
    // However this process ends, neither server nor folder stays.
    this.#reaper = new Reaper(
      `p=$(cat "$1/pid") && tr '\\0' ' ' </proc/$p/cmdline | grep -q keystone-wsgi && kill -9 "$p"; rm -rf "$1"`,
      [dir],
    );
  }

  /** Takes some seconds: the schema of its database is made. `expiration` is the life of tokens in seconds. */
  static async open(expiration = 3600): Promise<KeystoneServer> {
    const dir = await mkdtemp(join(tmpdir(), 'portcullis-keystone-'));
    const server = new KeystoneServer(dir);
    try {
      await Promise.all(['fernet', 'credential'].map((name) => makeKeys(join(dir, name))));
      await server.configure(expiration);
      // Keystone reads on one connection while it writes on another, which a rollback journal does not bear.
      const writeAhead =
        'import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute("PRAGMA journal_mode=WAL")';
      await run('python3', ['-c', writeAhead, join(dir, 'keystone.db')]);
      await Promise.all([server.#manage('db_sync'), server.start()]);
      const words = ['--bootstrap-password', adminPassword, '--bootstrap-region-id', 'here'];
      await server.#manage('bootstrap', ...words, '--bootstrap-public-url', server.url);
      return server;
    } catch (error) {
      await server.close();
      throw error;
    }
  }

  /** With `/v3`. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}/v3`;
  }

  /** How many of the requests that were answered so far match: `GET /v3/auth/tokens`. */
  async asked(request: string): Promise<number> {
    // The log comes late. It is written in the order of requests, so it is whole when it has one made here.
    const mark = `"GET /v3?mark=${this.#marks++} `;
    await fetch(`${this.url}?${mark.slice(mark.indexOf('mark')).trim()}`).then((response) => response.text());
    await until(() => this.#output.includes(mark), { what: "Keystone's log is written" });
    return this.#output.split(`"${request}`).length - 1;
  }

  /** Counts at the next start. */
  async configure(expiration: number): Promise<void> {
    const dir = this.#dir;
    await writeFile(
      join(dir, 'keystone.conf'),
      `[DEFAULT]
use_stderr = true
[database]
connection = sqlite:///${dir}/keystone.db?timeout=60
sqlite_synchronous = false
[token]
expiration = ${expiration}
[fernet_tokens]
key_repository = ${dir}/fernet
[fernet_receipts]
key_repository = ${dir}/fernet
[credential]
key_repository = ${dir}/credential
[identity]
password_hash_rounds = 4
[cache]
enabled = true
backend = dogpile.cache.memory
`,
    );
  }

  /** Resolves when it answers. Does nothing where it runs. */
  async start(): Promise<void> {
    if (this.#child !== null) return;
    const child = spawn('keystone-wsgi-public', ['--host', '127.0.0.1', '--port', String(this.#port)], {
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    await once(child, 'spawn');
    await writeFile(join(this.#dir, 'pid'), String(child.pid));
    let ready = '';
    child.stdout.on('data', (chunk: Buffer) => (ready += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    await until(() => ready.includes('Available at') || child.exitCode !== null, {
      timeout: 60_000,
      what: 'Keystone starts',
    });
    const [, port] = /Available at http:\/\/\S+:(\d+)\//.exec(ready) ?? [];
    if (port === undefined) throw new Error(`Keystone did not start: ${this.#output.slice(-2000)}`);
    this.#port = Number(port);
  }

  /** Its address then refuses connections. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  /** Stops the process: connections are accepted and nothing is answered. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  async close(): Promise<void> {
    await this.stop();
    await this.#reaper.finish();
    await rm(this.#dir, { recursive: true, force: true });
  }

  get #environment(): NodeJS.ProcessEnv {
    const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('OS_'));
    return {
      ...Object.fromEntries(kept),
      OS_KEYSTONE_CONFIG_DIR: this.#dir,
      OS_KEYSTONE_CONFIG_FILES: join(this.#dir, 'keystone.conf'),
      PYTHONUNBUFFERED: '1',
      PYTHONWARNINGS: 'ignore',
    };
  }

  async #manage(...words: readonly string[]): Promise<void> {
    const args = ['--config-file', join(this.#dir, 'keystone.conf'), ...words];
    const { code, stderr } = await runAnyway('keystone-manage', args, { env: this.#environment });
    if (code !== 0) throw new Error(`keystone-manage ${words[0]}: ${stderr.slice(-2000)}`);
  }
}
