/** The command line as its users run it: `portcullis up` as its own process, and commands against it. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommandResult, runAnyway } from '../lib/command.ts';
import type { Switch } from '../lib/switch.ts';
import { build, cleanEnvironment, program, UpProcess } from '../lib/up-process.ts';

// Users run the build. `npm test` has made it already; for a single test file it may be stale.
await build();

/** Runs one command to its end, with additional environment variables. */
export function portcullis(
  args: readonly string[],
  added: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const [interpreter, ...words] = program;
  return runAnyway(interpreter, [...words, ...args], { env: cleanEnvironment(added) });
}

/** A running `portcullis up` with a data directory of its own. */
export class Up extends UpProcess {
  readonly dataDir: string;
  readonly ovsdb: string;
  readonly bridge: string;

  /** A bridge is also a device of the whole machine: a unique name keeps two runs apart. */
  constructor(dataDir: string, ovsdb: string, bridge = `pctb-${randomBytes(4).toString('hex')}`) {
    super(dataDir, ovsdb, ['--host', 'test', '--bridge', bridge]);
    this.dataDir = dataDir;
    this.ovsdb = ovsdb;
    this.bridge = bridge;
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

  /** The same in the switch's namespace, where `startRelay` offers the API at 127.0.0.1:9696. */
  async commandAt(at: Switch, ...args: string[]): Promise<CommandResult> {
    const own = { PORTCULLIS_OVSDB: this.ovsdb, PORTCULLIS_BRIDGE: this.bridge };
    const [interpreter, ...words] = at.entered(...program, ...args);
    return runAnyway(interpreter, words, { env: cleanEnvironment(own) });
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

  /** Ends the process, by force if necessary, and removes its data. */
  override async stop(): Promise<void> {
    await super.stop();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}

export async function startUp(ovsdb: string): Promise<Up> {
  return new Up(await mkdtemp(join(tmpdir(), 'portcullis-up-')), ovsdb);
}
