/** `portcullis server` and `portcullis agent` as processes of their own, each alone on the embedded store. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { type Switch, startSwitch } from '../lib/switch.ts';
import { cleanEnvironment, program } from '../lib/up-process.ts';
import { until } from '../lib/wait.ts';
import { portcullis } from './portcullis.ts';

class PartProcess {
  readonly #child: ChildProcess;
  #stdout = '';
  #stderr = '';

  constructor(args: readonly string[]) {
    const [interpreter, ...words] = program;
    this.#child = spawn(interpreter, [...words, ...args], {
      env: cleanEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.#stdout += chunk.toString()));
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()));
  }

  /** What follows `portcullis ready: `. */
  ready(): Promise<string> {
    return until(() => /^portcullis ready: (.*)$/m.exec(this.#stdout)?.[1] ?? false, {
      what: 'the ready line',
    });
  }

  /** The line of the log with this message. */
  logged(message: string): Promise<Readonly<Record<string, unknown>>> {
    return until(
      () => {
        const line = this.#stderr.split('\n').find((one) => one.includes(`"msg":"${message}`));
        return line === undefined ? false : (JSON.parse(line) as Readonly<Record<string, unknown>>);
      },
      { what: `the line ${message}`, timeout: 15_000 },
    );
  }

  async stop(): Promise<number | null> {
    if (this.#child.exitCode === null) {
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await ended;
    }
    return this.#child.exitCode;
  }
}

const bridge = 'br-parts';
let dir: string;
let running: PartProcess[];
const start = (...args: readonly string[]): PartProcess => {
  const part = new PartProcess([...args, '--data-dir', dir]);
  running.push(part);
  return part;
};

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-parts-'));
  running = [];
});
afterEach(async () => {
  for (const part of running) await part.stop();
  await rm(dir, { recursive: true, force: true });
});

test('the server needs no Open vSwitch, and nobody else gets its store', async () => {
  const server = start('server', '--listen', '127.0.0.1:0');
  const endpoint = await server.ready();
  const response = await fetch(`${endpoint}/v2.0/networks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ network: { name: 'n' } }),
  });
  expect(response.status).toBe(201);
  expect(await server.logged('ready')).not.toHaveProperty('host');
  const agent = await portcullis(['agent', '--data-dir', dir]);
  expect(agent).toMatchObject({ code: 1, stdout: '' });
  expect(agent.stderr).toMatch(
    /^portcullis: the data directory is in use by pid \d+ .*`portcullis up` runs server and agent/m,
  );
  expect(await server.stop()).toBe(0);
});

test.each([
  ['server', '--bridge'],
  ['agent', '--listen'],
])('%s has no flag of the other part: %s', async (part, flag) => {
  const { code, stderr } = await portcullis([part, flag, 'x']);
  expect({ code, stderr }).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('unknown option') as string,
  });
});

describeRoot('portcullis agent', () => {
  let made: Switch;
  beforeEach(async () => {
    made = await startSwitch({ isolated: true });
  });
  afterEach(() => made.stop());
  const startAgent = (): PartProcess =>
    start('agent', '--ovsdb', made.dbTarget, '--bridge', bridge, '--datapath-type', 'netdev', '--host', 'h');

  test('keeps the switch without an API, and leaves the flows behind', async () => {
    const flows = async () => (await made.ofctl('dump-flows', made.mgmt(bridge))).split('\n').length;
    const agent = startAgent();
    expect(await agent.ready()).toBe('agent of h');
    expect(await agent.logged('ready')).toMatchObject({ host: 'h' });
    const installed = await flows();
    expect(installed).toBeGreaterThan(5);
    expect(await agent.stop()).toBe(0);
    expect(await flows()).toBe(installed);
  });
});
