/** Tests of the harness itself, on which the other tests rely: above all, that it cleans up. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeRoot, type Guest, startGuest } from './netns.ts';
import { type Switch, startSwitch } from './switch.ts';
import { until } from './wait.ts';

const frame = (tag: number) => {
  const bytes = Buffer.alloc(60);
  bytes.fill(0xff, 0, 6);
  bytes.writeUInt16BE(0x0800, 12);
  bytes.writeUInt32BE(tag, 14);
  return bytes;
};

const tcpServer = `require('net').createServer((s) => s.end('hello')).listen(80, '::', () => console.log('listening'))`;
const tcpClient = `
  const socket = require('net').connect(80, process.argv[1]);
  socket.setTimeout(5000, () => socket.destroy(new Error('no answer')));
  socket.pipe(process.stdout);`;

describe('until', () => {
  test('returns the first truthy value, and names the condition when it times out', async () => {
    let looks = 0;
    await expect(until(() => (++looks > 2 ? looks : null))).resolves.toBe(3);
    const refused = () => {
      throw new Error('not there');
    };
    await expect(until(refused, { timeout: 20, what: 'the moon' })).rejects.toThrow(/the moon \(not there\)/);
  });
});

describe('a dummy switch', () => {
  let made: Switch;
  beforeAll(async () => {
    made = await startSwitch({ dummy: true });
    await made.addBridge('br0');
    await made.addDummyPorts('br0', [{ name: 'p1', ofport: 1 }, { name: 'p2', ofport: 2 }, { name: 'p3' }]);
    await made.ofctl('add-flow', 'br0', 'in_port=1,actions=output:2');
    await made.ofctl('add-flow', 'br0', 'in_port=p3,actions=output:2');
  });
  afterAll(() => made.stop());

  test('loses none of 3000 frames, and they are out when inject resolves', async () => {
    const capture = made.capture('p2');
    const frames = Array.from({ length: 3000 }, (_, i) => frame(i));
    await made.inject('p1', frames);
    const out = capture.take();
    expect(out.length).toBe(frames.length);
    expect(Buffer.concat(out).equals(Buffer.concat(frames))).toBe(true);
  });

  test('takes frames of several ports, and callers at the same time', async () => {
    const capture = made.capture('p2');
    capture.take();
    const frames = Array.from({ length: 250 }, (_, i) => frame(i));
    await Promise.all([
      made.injectAll([
        { port: 'p1', frames },
        { port: 'p3', frames },
      ]),
      made.inject('p1', frames),
    ]);
    expect(capture.take().length).toBe(750);
  });

  test('restarts, gracefully and not, with its bridges', async () => {
    for (const how of ['graceful', 'kill'] as const) {
      const before = made.pidOf('ovs-vswitchd');
      await made.restartVswitchd(how);
      expect(made.pidOf('ovs-vswitchd')).not.toBe(before);
      expect(await made.ofctl('show', 'br0')).toContain('p2');
    }
  });
});

test('a switch ends after the death of the process that started it', async () => {
  const script = `
    import { startSwitch } from ${JSON.stringify(fileURLToPath(new URL('switch.ts', import.meta.url)))};
    const made = await startSwitch({ dummy: true });
    console.log(JSON.stringify([made.dir, made.pidOf('ovs-vswitchd'), made.pidOf('ovsdb-server')]));
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  const [dir, ...pids] = JSON.parse(chunk.toString()) as [string, number, number];
  expect(existsSync(dir)).toBe(true);
  child.kill('SIGKILL');
  await until(() => !existsSync(dir), { what: 'the directory is removed' });
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid,args']);
  const left = stdout
    .split('\n')
    .filter((line) => pids.includes(Number.parseInt(line, 10)) && line.includes(dir));
  expect(left).toEqual([]);
});

describeRoot('guests on a switch', () => {
  let made: Switch;
  const guests: Guest[] = [];
  beforeAll(async () => {
    made = await startSwitch({ isolated: true });
    await made.addBridge('pct-br-harness');
    await made.ofctl('add-flow', 'pct-br-harness', 'actions=NORMAL');
    for (const last of [1, 2]) {
      const guest = await startGuest({
        mac: `02:00:00:00:00:0${last}`,
        addresses: [`192.0.2.${last}/24`, `2001:db8::${last}/64`],
      });
      guests.push(guest);
      await guest.plug(made, 'pct-br-harness', { 'iface-id': `port-${last}` });
    }
  });
  afterAll(async () => {
    await Promise.all(guests.map((guest) => guest.stop()));
    await made.stop();
  });

  test('reach each other over both families', async () => {
    const [one] = guests;
    expect(await one?.mac()).toBe('02:00:00:00:00:01');
    const server = guests[1]?.start(process.execPath, '-e', tcpServer);
    await until(() => server?.output.includes('listening'));
    for (const address of ['192.0.2.2', '2001:db8::2'])
      expect(await one?.run(process.execPath, '-e', tcpClient, address)).toBe('hello');
    await server?.stop();
  });

  test('run programs in the background until stopped', async () => {
    const program = guests[0]?.start('sh', '-c', 'echo ready; exec sleep 1000');
    await until(() => program?.output.includes('ready'));
    expect(program?.running).toBe(true);
    await program?.stop();
    expect(program?.running).toBe(false);
  });

  test('leave nothing behind', async () => {
    const guest = await startGuest();
    guest.start('sleep', '1000');
    const inside = `/sys/class/net/${guest.outer}`;
    expect(existsSync(inside)).toBe(true);
    await guest.stop();
    expect(existsSync(inside)).toBe(false);
    expect(existsSync(`/run/netns/${guest.name}`)).toBe(false);
  });
});
