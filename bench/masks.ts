/**
 * The effect of one guest's packets on the switch's megaflows: the masks that they cause, the tables that a
 * packet of the guest then visits, and the throughput left to two other guests. It runs with usual groups,
 * and with the worst that a tenant may write. The attack has a fixed rate: a guest that sends without a pause
 * takes the processor from all others. Beside it runs a plain guest, which sends one packet at the same rate: what it
 * costs its neighbours, any guest may cost them.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Cidr, formatCidr } from '../src/net/cidr.ts';
import { readMegaflowMasks } from '../src/ovsdb/index.ts';
import { type Attack, type Attacker, attackFrames, attacks, siblings } from '../test/lib/attack.ts';
import { ip, mac, net } from '../test/lib/frames.ts';
import { type Guest, isRoot, startGuest } from '../test/lib/netns.ts';
import { type Switch, startSwitch } from '../test/lib/switch.ts';
import { until } from '../test/lib/wait.ts';
import { bridge, makeDataDirectory, startController } from './controller.ts';
import { HttpConnection } from './http-connection.ts';
import type { SectionOptions } from './machine.ts';
import { threadNanoseconds } from './process-usage.ts';
import { emit, median, progress, quantile, round } from './report.ts';
import { createNetwork, createPorts, type Port } from './world.ts';

const sendProgram = fileURLToPath(new URL('send-frames.py', import.meta.url));
const frameCount = 3000;
/** Frames a second. */
const rate = 1000;
/** A wide window loses packets, because the buffers of the switch's packet sockets overflow. */
const window = ['-w', '96K'];
const groups = ['usual', 'nasty'] as const;
type Groups = (typeof groups)[number];

const address = (port: Port): Cidr => ip(port.fixed_ips[0]?.ip_address ?? '');
const range = (from: number, to: number, by = 1): number[] =>
  Array.from({ length: Math.floor((to - from) / by) + 1 }, (_, at) => from + at * by);

/** Address groups take prefixes only. */
const withLength = (prefix: Cidr): string =>
  formatCidr(prefix).includes('/') ? formatCidr(prefix) : `${formatCidr(prefix)}/${prefix.length}`;

/** A group with prefixes and port ranges of every length, so that no packet is decided early. */
async function nastyGroup(api: HttpConnection, peers: readonly Cidr[]): Promise<string> {
  const { security_group } = await api.json<{ security_group: { id: string } }>(
    'POST',
    '/v2.0/security-groups',
    {
      security_group: { name: 'nasty' },
    },
  );
  const prefixes = peers.flatMap((peer) => siblings(peer, range(1, 32)).map(withLength));
  const { address_group } = await api.json<{ address_group: { id: string } }>(
    'POST',
    '/v2.0/address-groups',
    {
      address_group: { name: 'nasty', addresses: [...new Set(prefixes)] },
    },
  );
  const base = { security_group_id: security_group.id, ethertype: 'IPv4' };
  const every = { port_range_min: 1, port_range_max: 65534 };
  const rules = (['ingress', 'egress'] as const).flatMap((direction) => [
    ...['tcp', 'udp'].map((protocol) => ({ ...base, direction, protocol, ...every })),
    ...[0, 3, 8, 17, 40, 128, 200].map((type) => ({
      ...base,
      direction,
      protocol: 'icmp',
      port_range_min: type,
      ...(type % 2 === 0 ? { port_range_max: 3 } : {}),
    })),
    { ...base, direction, remote_group_id: security_group.id },
    { ...base, direction, protocol: 'tcp', ...every, remote_address_group_id: address_group.id },
    ...[...new Set(prefixes)].map((prefix) => ({
      ...base,
      direction,
      protocol: 'udp',
      port_range_min: 100,
      port_range_max: 61000,
      remote_ip_prefix: prefix,
    })),
  ]);
  await api.json('POST', '/v2.0/security-group-rules', { security_group_rules: rules });
  return security_group.id;
}

interface World {
  readonly at: Switch;
  readonly attacker: Guest;
  readonly frames: Attacker;
  readonly server: Guest;
  readonly client: Guest;
  readonly serverAddress: string;
}

async function throughput({ server, client, serverAddress }: World, seconds: number): Promise<number> {
  const listening = server.start('iperf3', '-s', '-1', '--forceflush');
  await until(() => listening.output.includes('listening'), { what: 'iperf3 listens' });
  const text = await client.run('iperf3', '-c', serverAddress, '-t', String(seconds), ...window, '-J');
  await listening.stop();
  return (JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } }).end.sum_received
    .bits_per_second;
}

async function visitedTables(at: Switch): Promise<number> {
  const text = await at.appctl('dpif-netdev/pmd-stats-show');
  return Number(/avg\. subtable lookups per megaflow hit: ([\d.]+)/.exec(text)?.[1] ?? Number.NaN);
}

async function writeFrames(file: string, frames: readonly Buffer[]): Promise<void> {
  const parts = frames.flatMap((frame) => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(frame.length);
    return [length, frame];
  });
  await writeFile(file, Buffer.concat(parts));
}

/** CPU milliseconds a second of ovs-vswitchd while one guest sends the frames of a file once and all others rest. */
async function switchCost({ at, attacker }: World, file: string): Promise<number> {
  const pid = at.pidOf('ovs-vswitchd');
  if (pid === null) throw new Error('ovs-vswitchd does not run');
  const [before, began] = [threadNanoseconds(pid), performance.now()];
  await attacker.start('python3', sendProgram, file, 'eth0', String(rate), '0').ended();
  return (threadNanoseconds(pid) - before) / 1e6 / ((performance.now() - began) / 1000);
}

const sides = ['quiet', 'plain', 'attacked'] as const;
type Side = (typeof sides)[number];

async function measure(
  world: World,
  name: Groups,
  attack: Attack,
  directory: string,
  quick: boolean,
): Promise<void> {
  const { at, attacker } = world;
  const files = { attacked: join(directory, 'frames'), plain: join(directory, 'plain-frames') };
  await writeFrames(files.attacked, attackFrames(frameCount, attack, world.frames));
  // What any guest may do: one packet again and again, at the same rate.
  const [plain] = attackFrames(1, 'ports', { ...world.frames, sources: world.frames.sources.slice(-1) });
  if (plain === undefined) throw new Error('no frame was made');
  await writeFrames(files.plain, Array<Buffer>(frameCount).fill(plain));
  const plainCost = await switchCost(world, files.plain);
  await at.appctl('revalidator/purge');
  await at.appctl('dpif-netdev/pmd-stats-clear');
  const attackCost = await switchCost(world, files.attacked);
  const { megaflows, masks, masksOfPort } = readMegaflowMasks(
    await at.appctl('dpctl/dump-flows', '-m', '--names'),
  );
  const tables = await visitedTables(at);

  const turns = quick ? 2 : 9;
  const seconds = quick ? 1 : 2;
  const of = async (side: Side): Promise<number> => {
    if (side === 'quiet') return throughput(world, seconds);
    const file = files[side];
    const sending = attacker.start('python3', sendProgram, file, 'eth0', String(rate), String(seconds + 1));
    await until(() => sending.output.includes('sending'), { what: 'the guest begins to send' });
    const rateLeft = await throughput(world, seconds);
    await sending.ended();
    return rateLeft;
  };
  const toQuiet: number[] = [];
  const toPlain: number[] = [];
  for (let turn = 0; turn < turns; turn++) {
    // In changing order, so that other load on the machine falls on all.
    const rates: Record<Side, number> = { quiet: 0, plain: 0, attacked: 0 };
    for (const at of sides.keys()) {
      const side = sides[(turn + (turn % 2 === 0 ? at : sides.length - at)) % sides.length] ?? 'quiet';
      rates[side] = await of(side);
    }
    toQuiet.push(rates.attacked / rates.quiet);
    toPlain.push(rates.attacked / rates.plain);
  }
  emit(
    'masks.attack',
    frameCount,
    {
      groups: name,
      attack,
      frames_per_s: rate,
      masks_port: masksOfPort.get(attacker.outer) ?? 0,
      masks_datapath: masks,
      megaflows,
      tables_per_packet: round(tables),
      switch_ms_per_s: round(attackCost),
      switch_ms_per_s_plain: round(plainCost),
      neighbour_throughput_ratio: round(median(toQuiet)),
      neighbour_throughput_ratio_quartile_1: round(quantile(toQuiet, 0.25)),
      neighbour_throughput_ratio_quartile_3: round(quantile(toQuiet, 0.75)),
      neighbour_throughput_ratio_to_plain: round(median(toPlain)),
    },
    [
      { figure: 'masks_port', atMost: 32 },
      { figure: 'neighbour_throughput_ratio', atLeast: 0.95 },
    ],
  );
}

/** A guest at a port, plugged in. */
async function plugged(at: Switch, port: Port): Promise<Guest> {
  const addresses = [`${formatCidr(address(port))}/16`];
  const guest = await startGuest({ mac: port.mac_address, addresses });
  await guest.plug(at, bridge, { 'iface-id': port.id });
  return guest;
}

export async function benchMasks({ quick }: SectionOptions): Promise<void> {
  if (!isRoot) {
    progress('masks: skipped, network namespaces need root');
    return;
  }
  await using at = await startSwitch();
  await at.addBridge(bridge);
  await using data = await makeDataDirectory();
  await using controller = startController(at, data);
  const endpoint = await controller.ready();
  const api = await HttpConnection.open(endpoint);
  const network = await createNetwork(api, 1);
  const [attackerPort, victimPort, serverPort, clientPort] = await createPorts(api, network, 4, () => ({}));
  if (
    attackerPort === undefined ||
    victimPort === undefined ||
    serverPort === undefined ||
    clientPort === undefined
  )
    throw new Error('no ports were made');
  await using attacker = await plugged(at, attackerPort);
  await using _victim = await plugged(at, victimPort);
  await using server = await plugged(at, serverPort);
  await using client = await plugged(at, clientPort);
  await until(
    async () => (await api.json<{ ports: unknown[] }>('GET', '/v2.0/ports?status=ACTIVE')).ports.length === 4,
    { what: 'all ports are ACTIVE' },
  );
  api.close();
  const own = address(attackerPort);
  const victim = address(victimPort);
  for (const name of groups) {
    // One for each: the server closes idle ones while the attacks go on.
    const api = await HttpConnection.open(endpoint);
    if (name === 'nasty') {
      const group = await nastyGroup(api, [own, victim]);
      const pairs = ['10.0.0.0/8', ...siblings(own, range(12, 30, 3)).map(formatCidr)];
      const allowed_address_pairs = pairs.map((ip_address) => ({ ip_address }));
      await api.json('PUT', `/v2.0/ports/${attackerPort.id}`, {
        port: { security_groups: [group], allowed_address_pairs },
      });
      await api.json('PUT', `/v2.0/ports/${victimPort.id}`, { port: { security_groups: [group] } });
    }
    await api.json('GET', '/v1/sync?timeout=60');
    api.close();
    const frames: Attacker = {
      mac: mac(attackerPort.mac_address),
      to: mac(victimPort.mac_address),
      sources: name === 'nasty' ? [net('10.0.0.0/8'), own] : [own],
      destinations: [victim],
    };
    const serverAddress = serverPort.fixed_ips[0]?.ip_address ?? '';
    const world: World = { at, attacker, frames, server, client, serverAddress };
    await throughput(world, 1);
    for (const attack of attacks) {
      progress(`masks: ${name} groups, attack ${attack}`);
      await measure(world, name, attack, data.path, quick);
    }
  }
}
