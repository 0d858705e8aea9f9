/** `portcullis guest` on a private switch: its guests carry traffic, and removing them leaves nothing behind. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { run, runAnyway } from '../lib/command.ts';
import { describeRoot } from '../lib/netns.ts';
import { type Relay, startRelay } from '../lib/relay.ts';
import { type Switch, startSwitch } from '../lib/switch.ts';
import { cleanEnvironment, program as commandLine } from '../lib/up-process.ts';
import { until } from '../lib/wait.ts';
import { startUp, type Up } from './portcullis.ts';

let made: Switch;
let relay: Relay;
let up: Up;
/** Namespaces belong to the whole machine, so these names are unique. */
let names: readonly [string, string];

async function ok(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await up.commandAt(made, ...args);
  if (code !== 0) throw new Error(`portcullis ${args.join(' ')}: exit ${code}: ${stderr}${up.stderr}`);
  return stdout;
}

/** Devices beside the switch's. */
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
      // The kernel still checks an IPv6 address for duplicates when the guest is ready.
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

  test('a half-made guest is removed too, and a foreign namespace is not touched', async () => {
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

  const v4 = { ip_version: 4, cidr: '192.0.2.0/24' };
  const v6 = { ip_version: 6, cidr: '2001:db8:7::/64' };
  const at = (...addresses: string[]) => ({ fixed_ips: addresses.map((ip_address) => ({ ip_address })) });
  const unusual = [
    { is: 'the gateway of both families', subnets: [v4, v6], port: at('192.0.2.1', '2001:db8:7::1') },
    {
      is: 'the gateway of IPv4',
      subnets: [v4, v6],
      port: at('192.0.2.1', '2001:db8:7::9'),
      ways: ['2001:db8:7::1'],
    },
    {
      is: 'a gateway, and a member elsewhere',
      subnets: [v4, { ip_version: 4, cidr: '198.51.100.0/24' }],
      port: at('192.0.2.1', '198.51.100.7'),
      ways: ['198.51.100.1'],
    },
    { is: 'without addresses', subnets: [v4], port: { fixed_ips: [] } },
    { is: 'of IPv6 alone', subnets: [v6], ways: ['2001:db8:7::1'] },
    { is: 'behind a link-local gateway', subnets: [{ ...v6, gateway_ip: 'fe80::1' }], ways: ['fe80::1'] },
    { is: 'on a /31', subnets: [{ ...v4, cidr: '192.0.2.0/31' }], ways: ['192.0.2.0'] },
    { is: 'on a /32', subnets: [{ ...v4, cidr: '192.0.2.9/32', gateway_ip: null }] },
    {
      is: 'on a /128',
      subnets: [{ ...v6, cidr: '2001:db8:7::9/128', gateway_ip: 'fe80::1' }],
      ways: ['fe80::1'],
    },
    { is: 'where IPv6 does not fit', network: { mtu: 600 }, subnets: [v4], ways: ['192.0.2.1'] },
  ];

  test('unusual ports have guests, with the routes that exist', async () => {
    const [name] = names;
    for (const { is, network = {}, subnets, port = {}, ways = [] } of unusual) {
      const { id: network_id } = await up.create('network', network);
      for (const subnet of subnets) await up.create('subnet', { network_id, enable_dhcp: false, ...subnet });
      const { id } = await up.create('port', { network_id, ...port });
      await ok('guest', 'add', id, '--name', name);
      const [row] = JSON.parse(await ok('guest', 'list', '--json')) as { readonly addresses: string[] }[];
      const inside = await run('ip', ['-n', name, 'address', 'show', 'eth0']);
      for (const address of row?.addresses ?? []) expect(inside, is).toContain(` ${address}/`);
      const routes = await Promise.all(
        ['-4', '-6'].map((family) => run('ip', ['-n', name, family, 'route', 'show', 'default'])),
      );
      const vias = [...routes.join('').matchAll(/^default via (\S+)/gm)].map(([, via]) => via);
      expect({ is, vias }).toEqual({ is, vias: ways });
      expect(await ok('guest', 'del', name)).toBe(`guest ${name} removed\n`);
    }
  });

  test('a guest that cannot be made leaves nothing behind', async () => {
    const [name] = names;
    const before = await links();
    // Linux accepts no Ethernet MTU below 68.
    const { id: network_id } = await up.create('network', { mtu: 60 });
    const { id } = await up.create('port', { network_id });
    const result = await up.commandAt(made, 'guest', 'add', id, '--name', name);
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('ip link add') });
    expect(await namespaces()).not.toContain(name);
    expect(await links()).toBe(before);
    expect(await made.vsctl('list-ports', up.bridge)).toBe('');
  });

  test('an interrupted creation leaves nothing of the guest behind', async () => {
    const [name] = names;
    // No agent binds a port of another host, so the command waits.
    const { id: network_id } = await up.create('network', {});
    const { id } = await up.create('port', { network_id, 'binding:host_id': 'elsewhere' });
    const [program, ...words] = made.entered(...commandLine, 'guest', 'add', id, '--name', name);
    const command = spawn(program, words, {
      env: cleanEnvironment({ PORTCULLIS_OVSDB: made.dbTarget, PORTCULLIS_BRIDGE: up.bridge }),
    });
    const ended = once(command, 'close');
    await until(async () => (await made.vsctl('list-ports', up.bridge)).includes('pg'), {
      what: 'the guest is being made',
    });
    await until(async () => (await namespaces()).includes(name), { what: 'it has a namespace' });
    command.kill('SIGINT');
    expect(await ended).toEqual([1, null]);
    expect(await namespaces()).not.toContain(name);
    expect(await made.vsctl('list-ports', up.bridge)).toBe('');
  });
});
