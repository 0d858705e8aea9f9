/**
 * The cost of the guards on the wire. Three pairs of guests are compared: behind Portcullis' flows (default
 * group, both directions), behind one NORMAL flow, and behind the fewest flows that track connections. Their
 * bridges share one ovs-vswitchd with its userspace datapath. The sides take turns, so other load on the
 * machine falls on all. Ratios are taken turn by turn.
 */
import { fileURLToPath } from 'node:url';
import { type Guest, isRoot, startGuest } from '../test/lib/netns.ts';
import { type Switch, startSwitch } from '../test/lib/switch.ts';
import { until } from '../test/lib/wait.ts';
import type { LoadResult } from './connection-load.ts';
import { bridge, floorBridge, makeDataDirectory, plainBridge, startController } from './controller.ts';
import { HttpConnection } from './http-connection.ts';
import type { SectionOptions } from './machine.ts';
import { passesBetween, tcpMegaflows } from './megaflows.ts';
import { cpuSeconds } from './process-usage.ts';
import { emit, type Limit, median, progress, quantile, round } from './report.ts';
import { createNetwork, createPorts, type Port } from './world.ts';

const loadProgram = ['--import', 'tsx', fileURLToPath(new URL('connection-load.ts', import.meta.url))];
/** A wide window loses packets, because the buffers of the switch's packet sockets overflow. */
const window = ['-w', '96K'];
const concurrency = 16;

const names = ['plain', 'floor', 'guarded'] as const;
type Name = (typeof names)[number];

interface Side {
  readonly name: Name;
  readonly client: Guest;
  readonly server: Guest;
  readonly serverAddress: string;
}

interface Stream {
  readonly bitsPerSecond: number;
  readonly cpuPerGigabyte: number;
}

async function stream(side: Side, vswitchd: number, seconds: number): Promise<Stream> {
  const server = side.server.start('iperf3', '-s', '-1', '--forceflush');
  await until(() => server.output.includes('listening'), { what: 'iperf3 listens' });
  const before = cpuSeconds(vswitchd);
  const text = await side.client.run(
    'iperf3',
    '-c',
    side.serverAddress,
    '-t',
    String(seconds),
    ...window,
    '-J',
  );
  const cpu = cpuSeconds(vswitchd) - before;
  await server.stop();
  const { bytes, bits_per_second: bitsPerSecond } = (
    JSON.parse(text) as { end: { sum_received: { bytes: number; bits_per_second: number } } }
  ).end.sum_received;
  return { bitsPerSecond, cpuPerGigabyte: cpu / (bytes / 1e9) };
}

interface Churn extends LoadResult {
  readonly cpuPerConnection: number;
}

/** `port`: no earlier load has used it, so no connection meets the remains of another. */
async function churn(side: Side, vswitchd: number, count: number, port: number): Promise<Churn> {
  const server = side.server.start(process.execPath, ...loadProgram, 'server', String(port));
  await until(() => server.output.includes('listening'), { what: 'the server listens' });
  const target = [side.serverAddress, String(port), String(count), String(concurrency)];
  const before = cpuSeconds(vswitchd);
  const text = await side.client.run(process.execPath, ...loadProgram, 'client', ...target);
  const cpu = cpuSeconds(vswitchd) - before;
  await server.stop();
  const result = JSON.parse(text) as LoadResult;
  return { ...result, cpuPerConnection: cpu / result.connections };
}

type Taken<T> = Readonly<Record<Name, readonly T[]>>;

/** All sides take a turn, in changing order. */
async function alternate<T>(
  sides: readonly Side[],
  turns: number,
  measure: (side: Side, turn: number) => Promise<T>,
): Promise<Taken<T>> {
  const taken: Record<Name, T[]> = { plain: [], floor: [], guarded: [] };
  for (let turn = 0; turn < turns; turn++) {
    const first = turn % sides.length;
    const order = [...sides.slice(first), ...sides.slice(0, first)];
    for (const side of turn % 2 === 0 ? order : order.toReversed())
      taken[side.name].push(await measure(side, turn));
  }
  return taken;
}

const comparisons = [
  { name: 'ratio', of: 'guarded', to: 'plain' },
  { name: 'floor_ratio', of: 'floor', to: 'plain' },
  { name: 'over_floor', of: 'guarded', to: 'floor' },
] as const;

/**
 * Medians of one figure on all sides, and the median of its ratios, turn by turn. The machine was too busy
 * for a result when the quartiles are far apart, or when the ratio of the medians differs.
 */
function compared<T>(taken: Taken<T>, name: string, unit: string, figure: (one: T) => number) {
  const medians = names.map((side) => [`${name}_${side}_${unit}`, round(median(taken[side].map(figure)))]);
  const ratios = comparisons.flatMap((each) => {
    const to = taken[each.to];
    const values = taken[each.of].map((one, turn) => figure(one) / figure(to[turn] ?? one));
    return [
      [`${name}_${each.name}`, round(median(values))],
      [`${name}_${each.name}_quartile_1`, round(quantile(values, 0.25))],
      [`${name}_${each.name}_quartile_3`, round(quantile(values, 0.75))],
      [`${name}_${each.name}_of_medians`, round(median(taken[each.of].map(figure)) / median(to.map(figure)))],
    ];
  });
  return Object.fromEntries([...medians, ...ratios]) as Record<string, number>;
}

async function measureSides(at: Switch, sides: readonly Side[], quick: boolean): Promise<void> {
  const vswitchd = at.pidOf('ovs-vswitchd') ?? 0;
  const turns = quick ? 2 : 15;
  const seconds = quick ? 1 : 2;
  const count = quick ? 1000 : 5000;
  for (const side of sides) await stream(side, vswitchd, 1);

  progress('datapath: streams');
  const streams = await alternate(sides, turns, (side) => stream(side, vswitchd, seconds));
  const streamLimits: Limit[] = [
    { figure: 'cpu_per_gb_ratio', atMost: 1.08 },
    { figure: 'cpu_per_gb_over_floor', atMost: 1.05 },
  ];
  emit(
    'datapath.stream',
    turns,
    {
      ...compared(streams, 'throughput', 'mbit_per_s', ({ bitsPerSecond }) => bitsPerSecond / 1e6),
      ...compared(streams, 'cpu_per_gb', 's', ({ cpuPerGigabyte }) => cpuPerGigabyte),
    },
    streamLimits,
  );

  progress('datapath: connections');
  const loads = await alternate(sides, turns, (side, turn) => churn(side, vswitchd, count, 5000 + turn));
  const all = names.flatMap((name) => loads[name]);
  emit(
    'datapath.connections',
    turns,
    {
      connections_each: count,
      failed: all.reduce((sum, { failed }) => sum + failed, 0),
      ...compared(loads, 'rate', 'per_s', (one) => one.connections / one.seconds),
      ...compared(loads, 'cpu_per_connection', 'us', ({ cpuPerConnection }) => cpuPerConnection * 1e6),
    },
    [
      { figure: 'cpu_per_connection_ratio', atMost: 1.08 },
      { figure: 'cpu_per_connection_over_floor', atMost: 1.05 },
      { figure: 'failed', atMost: 0 },
    ],
  );

  progress('datapath: passes');
  for (const side of sides) await tellPasses(at, side, vswitchd, count);
}

async function tellPasses(at: Switch, side: Side, vswitchd: number, count: number): Promise<void> {
  const ports = [side.client.outer, side.server.outer];
  const running = stream(side, vswitchd, 3);
  // After the handshake and slow start: the cost for a packet of an established connection.
  const packetsIn = async () => passesBetween(new Map(), await tcpMegaflows(at, ports)).packets;
  await until(async () => (await packetsIn()) > 5000, { interval: 50, what: 'the stream flows' });
  const before = await tcpMegaflows(at, ports);
  await until(async () => passesBetween(before, await tcpMegaflows(at, ports)).packets > 5000, {
    interval: 50,
    what: 'the stream goes on',
  });
  const after = await tcpMegaflows(at, ports);
  await running;
  const established = passesBetween(before, after);

  const loadBefore = await tcpMegaflows(at, ports);
  await churn(side, vswitchd, count, 4999);
  const loadAfter = await tcpMegaflows(at, ports);
  const opened = passesBetween(loadBefore, loadAfter);
  emit(
    `datapath.passes_${side.name}`,
    established.packets,
    {
      ct_per_packet_established: round(established.ctPerPacket),
      recirculations_per_packet_established: round(established.recirculationsPerPacket),
      ct_per_packet_connections: round(opened.ctPerPacket),
      recirculations_per_packet_connections: round(opened.recirculationsPerPacket),
      packets_per_connection: round(opened.packets / count),
      megaflows_stream: after.size,
      megaflows_connections: loadAfter.size,
    },
    side.name === 'guarded' ? [{ figure: 'ct_per_packet_established', atMost: 1.01 }] : [],
  );
}

/**
 * One lookup a packet, one commit a connection, and nothing else that a switch of two ports could do without.
 * It measures what connection tracking costs by itself.
 */
const floorFlows = (first: Guest, second: Guest): string[] => [
  'table=0,priority=10,arp,actions=NORMAL',
  'table=0,priority=20,ip,ct_state=-trk,actions=ct(table=1,zone=1)',
  ...[
    [first, second],
    [second, first],
  ].flatMap(([from, to]) => [
    `table=1,priority=20,ip,ct_state=+trk+est,in_port=${from?.outer},actions=output:${to?.outer}`,
    `table=1,priority=10,ip,ct_state=+trk+new,in_port=${from?.outer},actions=ct(commit,zone=1),output:${to?.outer}`,
  ]),
];

const address = (port: Port): string => port.fixed_ips[0]?.ip_address ?? '';

export async function benchDatapath({ quick }: SectionOptions): Promise<void> {
  if (!isRoot) {
    progress('datapath: skipped, network namespaces need root');
    return;
  }
  await using at = await startSwitch();
  await at.addBridge(bridge);
  await at.addBridge(plainBridge);
  await at.ofctl('add-flow', plainBridge, 'actions=NORMAL');
  await using plainClient = await startGuest({ addresses: ['10.2.0.10/16'] });
  await using plainServer = await startGuest({ addresses: ['10.2.0.11/16'] });
  await plainClient.plug(at, plainBridge);
  await plainServer.plug(at, plainBridge);
  await at.addBridge(floorBridge);
  await using floorClient = await startGuest({ addresses: ['10.3.0.10/16'] });
  await using floorServer = await startGuest({ addresses: ['10.3.0.11/16'] });
  await floorClient.plug(at, floorBridge);
  await floorServer.plug(at, floorBridge);
  for (const flow of floorFlows(floorClient, floorServer))
    await at.ofctl('--names', 'add-flow', floorBridge, flow);

  await using data = await makeDataDirectory();
  await using controller = startController(at, data);
  const api = await HttpConnection.open(await controller.ready());
  const network = await createNetwork(api, 1);
  const [first, second] = await createPorts(api, network, 2, () => ({}));
  if (first === undefined || second === undefined) throw new Error('no ports were made');
  const guest = (port: Port) => startGuest({ mac: port.mac_address, addresses: [`${address(port)}/16`] });
  await using guardedClient = await guest(first);
  await using guardedServer = await guest(second);
  await guardedClient.plug(at, bridge, { 'iface-id': first.id });
  await guardedServer.plug(at, bridge, { 'iface-id': second.id });
  await until(
    async () => (await api.json<{ ports: unknown[] }>('GET', '/v2.0/ports?status=ACTIVE')).ports.length === 2,
    { what: 'both ports are ACTIVE' },
  );
  await api.json('GET', '/v1/sync?timeout=60');
  await measureSides(
    at,
    [
      { name: 'plain', client: plainClient, server: plainServer, serverAddress: '10.2.0.11' },
      { name: 'floor', client: floorClient, server: floorServer, serverAddress: '10.3.0.11' },
      { name: 'guarded', client: guardedClient, server: guardedServer, serverAddress: address(second) },
    ],
    quick,
  );
  api.close();
}
