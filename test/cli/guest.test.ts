/** `portcullis guest` on a private switch: what it makes carries traffic, and all of it goes again. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { run, runAnyway } from '../lib/command.ts';
import { describeRoot } from '../lib/netns.ts';
import { type Relay, startRelay } from '../lib/relay.ts';
import { type Switch, startSwitch } from '../lib/switch.ts';
import { until } from '../lib/wait.ts';
import { startUp, type Up } from './portcullis.ts';

let made: Switch;
let relay: Relay;
let up: Up;
/** Namespaces are the whole machine's: names of our own. */
let names: readonly [string, string];

async function ok(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await up.commandAt(made, ...args);
  if (code !== 0) throw new Error(`portcullis ${args.join(' ')}: exit ${code}: ${stderr}${up.stderr}`);
  return stdout;
}

/** Devices beside the switch. */
function links(): Promise<string> {
  const [program, ...words] = made.entered('ip', '-o', 'link');
  return run(program, words);
}

async function namespaces(): Promise<string[]> {
  return (await run('ip', ['netns', 'list'])).split('\n').map((line) => line.split(' ')[0] ?? '');
}

describeRoot('portcullis guest', () => {
  beforeEach(async () => {
    const id = randomBytes(3).toString('hex');
    names = [`pctg-${id}-a`, `pctg-${id}-b`];
    made = await startSwitch({ isolated: true });
    up = await startUp(made.dbTarget);
    relay = await startRelay(made, () => up.endpoint());
    const { id: network_id } = await up.create('network', { name: 'net' });
    await up.create('subnet', { network_id, ip_version: 4, cidr: '192.0.2.0/24' });
    await up.create('subnet', { network_id, ip_version: 6, cidr: '2001:db8:7::/64' });
    for (const name of names) await up.create('port', { network_id, name });
  });
  afterEach(async () => {
    for (const name of names) await up.commandAt(made, 'guest', 'del', name);
    await relay.stop();
    await up.stop();
    await made.stop();
  });

  test('two guests have their addresses and reach each other; deleted, nothing is left', async () => {
    const [one, two] = names;
    const before = await links();
    for (const name of names) await ok('guest', 'add', name);

    const rows = JSON.parse(await ok('guest', 'list', '--json')) as {
      readonly namespace: string;
      readonly device: string;
      readonly addresses: readonly string[];
      readonly mac_address: string;
      readonly status: string;
    }[];
    expect(rows.map(({ namespace, status }) => [namespace, status])).toEqual(
      expect.arrayContaining(names.map((name) => [name, 'ACTIVE'])),
    );
    for (const { namespace, addresses, mac_address } of rows) {
      const inside = await run('ip', ['-n', namespace, 'address', 'show', 'eth0']);
      expect(inside).toContain(mac_address);
      for (const address of addresses) expect(inside).toContain(`${address}/`);
    }
    const there = rows.find(({ namespace }) => namespace === two)?.addresses ?? [];
    expect(there).toHaveLength(2);
    for (const address of there) {
      // The kernel still looks for duplicates of an IPv6 address when the guest is ready.
      await until(
        async () =>
          (await runAnyway('ip', ['netns', 'exec', one, 'ping', '-c', '1', '-W', '1', address])).code === 0,
        { what: `${one} reaches ${address}` },
      );
    }

    expect(await up.commandAt(made, 'guest', 'add', one)).toMatchObject({ code: 1, stdout: '' });
    for (const name of names) expect(await ok('guest', 'del', name)).toBe(`guest ${name} removed\n`);
    expect(await ok('guest', 'del', one)).toBe(`no guest for ${one}\n`);
    for (const name of names) expect(await namespaces()).not.toContain(name);
    for (const { device } of rows) expect(await links()).not.toContain(device);
    expect(before).not.toContain(rows[0]?.device);
    expect(await made.vsctl('list-ports', up.bridge)).toBe('');
  });

  test('a half-made guest is removed too, and a namespace of somebody else is not touched', async () => {
    const [one, two] = names;
    await ok('guest', 'add', one);
    await run('ip', ['netns', 'delete', one]);
    expect(await ok('guest', 'del', one)).toBe(`guest ${one} removed\n`);
    expect(await made.vsctl('list-ports', up.bridge)).toBe('');

    await run('ip', ['netns', 'add', two]);
    try {
      expect((await up.commandAt(made, 'guest', 'add', two)).stderr).toMatch(/exists already/);
      await up.commandAt(made, 'guest', 'del', two);
      expect(await namespaces()).toContain(two);
    } finally {
      await run('ip', ['netns', 'delete', two]);
    }
  });

  test('--no-addresses leaves addressing to the guest', async () => {
    const [one] = names;
    await ok('guest', 'add', one, '--no-addresses');
    expect(await run('ip', ['-n', one, '-4', 'address', 'show', 'eth0'])).toBe('');
    expect(await run('ip', ['-n', one, 'route'])).toBe('');
  });
});
