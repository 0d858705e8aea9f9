/** `portcullis up` as a process: ready line, refusal of a second one, clean end, a switch that starts late. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { type Switch, startSwitch } from '../lib/switch.ts';
import { root } from '../lib/up-process.ts';
import { until } from '../lib/wait.ts';
import { Up as Process, portcullis, startUp, type Up } from './portcullis.ts';

const run = promisify(execFile);

let made: Switch;
let up: Up;

const flowsOf = async () => (await made.ofctl('dump-flows', made.mgmt(up.bridge))).split('\n').length - 2;

// The bridge has the userspace datapath, whose own port is a tap device.
describeRoot('portcullis up', () => {
  beforeEach(async () => {
    made = await startSwitch({ isolated: true });
    up = await startUp(made.dbTarget);
  });
  afterEach(async () => {
    await up.stop();
    await made.stop();
  });

  test('prints one ready line when in sync, and leaves its flows behind when it ends', async () => {
    await up.endpoint();
    expect(await up.command('sync', '--timeout', '10')).toMatchObject({ code: 0, stdout: 'in sync\n' });
    expect((await up.command('hosts')).stdout).toMatch(/^test +live/m);
    const flows = await flowsOf();
    expect(flows).toBeGreaterThan(5);
    expect(await up.signal('SIGTERM')).toBe(0);
    expect(up.stdout.split('\n')).toHaveLength(2);
    expect(await flowsOf()).toBe(flows);
  });

  test('a second process on the data directory is refused', async () => {
    await up.endpoint();
    const second = new Process(up.dataDir, made.dbTarget);
    await expect(second.endpoint()).rejects.toThrow(/no ready line: portcullis: /);
    expect(await second.signal('SIGTERM')).toBe(1);
  });

  test('waits for a switch that stops, and restores the flows when it is back', async () => {
    await up.endpoint();
    await made.restartVswitchd('kill');
    expect(await up.command('sync', '--timeout', '20')).toMatchObject({ code: 0 });
    await until(async () => (await flowsOf()) > 5);
  });
});

test('a wrong flag, a wrong name and no API each have their exit code', async () => {
  expect(await portcullis(['up', '--nonsense'])).toMatchObject({ code: 2 });
  expect(await portcullis(['config'], { PORTCULLIS_NONSENSE: '1' })).toMatchObject({
    code: 2,
    stderr: 'portcullis: environment: unknown name PORTCULLIS_NONSENSE\n',
  });
  expect(await portcullis(['hosts', '--endpoint', 'http://127.0.0.1:9'])).toMatchObject({
    code: 1,
    stdout: '',
  });
});

test('the agent is a module of its own beside `up`, so that a module hook can put others beside it', async () => {
  const { Agent } = (await import(join(root, 'dist/agent/agent.js'))) as { Agent: unknown };
  expect(Agent).toBeTypeOf('function');
  const up = await readFile(join(root, 'dist/cli/up.js'), 'utf8');
  expect(up).toMatch(/^import \{ Agent \} from "\.\.\/agent\/agent\.js";$/m);
});

test('the server comes with what V8 has compiled of it, which a start takes', async () => {
  const script = `
    const { readFileSync } = require('node:fs');
    const [source, cachedData] = [readFileSync('server.cjs', 'latin1'), readFileSync('server.cache')];
    const { cachedDataRejected } = new (require('node:vm').Script)(source, { cachedData });
    process.stdout.write(String(cachedDataRejected));`;
  const { stdout } = await run(process.execPath, ['-e', script], { cwd: join(root, 'dist/server'), env: {} });
  expect(stdout).toBe('false');
});
