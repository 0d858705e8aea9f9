/** ovs-vswitchd's control socket, across restarts of the real one. */
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Control, findControlSocket } from '../../src/ovsdb/index.ts';
import { type Switch, startSwitch } from '../lib/switch.ts';

let made: Switch;
let control: Control;

beforeAll(async () => {
  made = await startSwitch({ dummy: true });
  await made.addBridge('br0');
  await made.addDummyPorts('br0', [
    { name: 'p1', ofport: 1 },
    { name: 'p2', ofport: 2 },
  ]);
  await made.ofctl('add-flow', 'br0', 'udp,in_port=1,ct_state=-trk,actions=ct(table=0,zone=5)');
  await made.ofctl('add-flow', 'br0', 'udp,in_port=1,ct_state=+trk,actions=ct(commit,zone=5),output:2');
  control = new Control({ rundir: made.dir });
});
afterAll(async () => {
  control.close();
  await made.stop();
});

/** Ethernet, IPv4, UDP from 192.0.2.1:1000 to 192.0.2.2:2000 without payload. */
const datagram = Buffer.from(
  ['020000000002020000000001', '0800', '4500001c000000004011f6cdc0000201c0000202', '03e807d000080000'].join(
    '',
  ),
  'hex',
);

test('traces a packet', async () => {
  expect(await control.trace('br0', 'in_port=1,udp')).toContain('ct(table=0,zone=5)');
});

test('lists live connections and megaflows', async () => {
  const capture = made.capture('p2');
  await made.inject('p1', [datagram]);
  expect(capture.take().map((frame) => frame.toString('hex'))).toEqual([datagram.toString('hex')]);
  expect(await control.dumpConntrack(5)).toMatch(/udp,orig=\(src=192\.0\.2\.1,dst=192\.0\.2\.2,sport=1000/);
  expect(await control.dumpConntrack(6)).toBe('');
  expect(await control.dumpDatapathFlows()).toContain('ufid:');
});

test('reports the features of the datapath', async () => {
  expect((await control.datapathFeatures('br0')).get('CT zone')).toBe('Yes');
});

test("a failed command is Refused with the switch's message", async () => {
  await expect(control.call('ofproto/trace', ['no-bridge', 'in_port=1'])).rejects.toMatchObject({
    data: {
      code: 'Refused',
      method: 'ofproto/trace',
      error: expect.stringContaining('no-bridge') as unknown,
    },
  });
  await expect(control.call('no/such-command')).rejects.toMatchObject({ data: { code: 'Refused' } });
  expect(await control.call('version')).toContain('ovs-vswitchd');
});

test('many commands at once keep their answers apart', async () => {
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, i) => control.trace('br0', `in_port=1,udp,udp_dst=${i + 1}`)),
  );
  answers.forEach((answer, i) => expect(answer).toMatch(new RegExp(`tp_dst=${i + 1}\\b`)));
});

test.each(['graceful', 'kill'] as const)('follows a restart (%s) to the new socket', async (how) => {
  const before = await findControlSocket(made.dir);
  await made.restartVswitchd(how);
  expect(await findControlSocket(made.dir)).not.toBe(before);
  expect(await control.call('version')).toContain('ovs-vswitchd');
});

test('a pidfile that is absent, garbage, or names another process is NotRunning', async () => {
  const empty = await startSwitch({ vswitchd: false });
  try {
    const none = { data: { code: 'NotRunning' } };
    await expect(findControlSocket(empty.dir)).rejects.toMatchObject(none);
    for (const text of ['', 'x', '../../1', String(process.pid), '4194305']) {
      await writeFile(`${empty.dir}/ovs-vswitchd.pid`, text);
      await expect(new Control({ rundir: empty.dir }).call('version')).rejects.toMatchObject(none);
    }
  } finally {
    await empty.stop();
  }
});

test('a command on a closed control opens no connection', async () => {
  const other = new Control({ rundir: made.dir });
  const asked = other.call('version');
  other.close();
  await expect(asked).rejects.toMatchObject({
    data: { code: expect.stringMatching(/Closed|Disconnected/) as unknown },
  });
  await expect(other.call('version')).rejects.toMatchObject({ data: { code: 'Closed' } });
});
