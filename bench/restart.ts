/**
 * The cost of a restart of ovs-vswitchd for a stream of a thousand packets a second.
 *
 * Idea: two ways are measured in turns, on one switch with the same flows. With Portcullis, the agent fills
 * the switch when it finds it empty. Without, the switch restores its own flows as `ovs-ctl restart` does:
 * saved before, `flow-restore-wait` until they are back. Times count from the moment when the bridge's
 * OpenFlow socket accepts connections.
 */
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { isRoot, startGuest } from '../test/lib/netns.ts';
import { Probe } from '../test/lib/probe.ts';
import { type Switch, startSwitch } from '../test/lib/switch.ts';
import { until } from '../test/lib/wait.ts';
import { bridge, type Controller, makeDataDirectory, startController } from './controller.ts';
import { HttpConnection } from './http-connection.ts';
import type { SectionOptions } from './machine.ts';
import { emit, median, progress, quantile, round } from './report.ts';
import { createNetwork, createPorts, type Port } from './world.ts';

interface Restart {
  /** Milliseconds from the socket's first connection to all flows. */
  readonly filled: number;
  readonly lost: number;
  /** Milliseconds. */
  readonly gap: number;
}

interface Guests {
  readonly sender: Probe;
  readonly receiver: Probe;
  readonly address: string;
}

const period = 0.001;
let streams = 9000;

/** When the socket accepts a connection, in milliseconds since 1970. */
async function listening(path: string): Promise<number> {
  for (;;) {
    const connected = await new Promise<boolean>((resolve) => {
      const socket = connect(path);
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (connected) return Date.now();
    await delay(1);
  }
}

/** `restart` resolves when the switch has all its flows, with that time. */
async function measure(at: Switch, guests: Guests, restart: () => Promise<number>): Promise<Restart> {
  const { sender, receiver, address } = guests;
  const port = ++streams;
  const name = String(port);
  await receiver.count(port);
  await sender.stream(name, address, port, period);
  const flowing = async () => {
    const { sent } = await sender.streamState(name);
    await until(async () => (await sender.streamState(name)).sent > sent + 500, { timeout: 30_000 });
  };
  await flowing();
  await at.stopDaemon('ovs-vswitchd');
  const opened = listening(`${at.dir}/${bridge}.mgmt`);
  const full = await restart();
  const filled = full - (await opened);
  await flowing();
  const { sent } = await sender.streamEnd(name);
  await delay(200);
  const { lost, gap } = await receiver.counted(port, sent);
  return { filled, lost, gap: gap * 1000 };
}

async function controlled(at: Switch, controller: Controller): Promise<number> {
  const said = controller.count('switch and pipeline are equal');
  await at.startVswitchd();
  await until(() => controller.count('switch and pipeline are equal') > said, { timeout: 30_000 });
  return (await controller.said('switch and pipeline are equal', said)).at;
}

/** The flows that `ovs-save` keeps of a bridge and `ovs-ctl restart` restores; ovs-ofctl reads no list of meters. */
async function save(at: Switch): Promise<readonly string[]> {
  const flows = await at.ofctl('--no-names', '--no-stats', 'dump-flows', bridge);
  const lines = flows.split('\n').filter((line) => line.includes('actions='));
  await writeFile(`${at.dir}/saved`, lines.join('\n'));
  const meters = await at.ofctl('dump-meters', bridge);
  return [...meters.matchAll(/meter=(\d+) (\w+) burst bands=\s*type=drop rate=(\d+) burst_size=(\d+)/g)].map(
    ([, meter, unit, rate, burst]) =>
      `meter=${meter},${unit},burst,band=type=drop,rate=${rate},burst_size=${burst}`,
  );
}

async function restoring(at: Switch, meters: readonly string[]): Promise<number> {
  await at.vsctl('--no-wait', 'set', 'Open_vSwitch', '.', 'other_config:flow-restore-wait=true');
  await at.startVswitchd();
  for (const meter of meters) await at.ofctl('add-meter', bridge, meter);
  await at.ofctl('--bundle', 'replace-flows', bridge, `${at.dir}/saved`);
  await at.vsctl('--no-wait', 'remove', 'Open_vSwitch', '.', 'other_config', 'flow-restore-wait');
  return Date.now();
}

const address = (port: Port): string => port.fixed_ips[0]?.ip_address ?? '';

function figuresOf(name: string, taken: readonly Restart[]) {
  const of = (pick: (one: Restart) => number) => taken.map(pick);
  return {
    [`${name}_filled_ms`]: round(median(of(({ filled }) => filled))),
    [`${name}_filled_worst_ms`]: round(
      quantile(
        of(({ filled }) => filled),
        1,
      ),
    ),
    [`${name}_lost`]: median(of(({ lost }) => lost)),
    [`${name}_lost_worst`]: quantile(
      of(({ lost }) => lost),
      1,
    ),
    [`${name}_gap_ms`]: round(median(of(({ gap }) => gap))),
  };
}

export async function benchRestart({ quick }: SectionOptions): Promise<void> {
  if (!isRoot) {
    progress('restart: skipped, network namespaces need root');
    return;
  }
  const turns = quick ? 2 : 7;
  const count = 20;
  await using at = await startSwitch();
  await at.addBridge(bridge);
  await using data = await makeDataDirectory();
  let controller = startController(at, data);
  try {
    const api = await HttpConnection.open(await controller.ready());
    const network = await createNetwork(api, 1);
    const ports = await createPorts(api, network, count, () => ({}));
    const [first, second, ...others] = ports;
    if (first === undefined || second === undefined) throw new Error('no ports were made');
    const guest = (port: Port) => startGuest({ mac: port.mac_address, addresses: [`${address(port)}/16`] });
    await using from = await guest(first);
    await using to = await guest(second);
    await from.plug(at, bridge, { 'iface-id': first.id });
    await to.plug(at, bridge, { 'iface-id': second.id });
    // The other ports need no guests.
    for (const [n, { id }] of others.entries()) {
      const name = `${bridge.slice(-8)}o${n}`;
      await at.vsctl(
        ...`--no-wait add-port ${bridge} ${name} -- set Interface ${name} type=internal`.split(' '),
        `external_ids:iface-id=${id}`,
      );
    }
    const active = async () =>
      (await api.json<{ ports: unknown[] }>('GET', '/v2.0/ports?status=ACTIVE')).ports.length;
    await until(async () => (await active()) === count, { timeout: 60_000, what: 'all ports are ACTIVE' });
    await api.json('GET', '/v1/sync?timeout=60');
    api.close();
    const guests = { sender: new Probe(from.name), receiver: new Probe(to.name), address: address(second) };
    const taken = { controlled: [] as Restart[], restoring: [] as Restart[] };
    const flows = Number(/flow_count=(\d+)/.exec(await at.ofctl('dump-aggregate', bridge))?.[1]);
    for (let turn = 0; turn < turns; turn++) {
      taken.controlled.push(await measure(at, guests, () => controlled(at, controller)));
      await controller.stop();
      const meters = await save(at);
      taken.restoring.push(await measure(at, guests, () => restoring(at, meters)));
      controller = startController(at, data);
      await controller.ready();
      progress(`restart: ${JSON.stringify([taken.controlled.at(-1), taken.restoring.at(-1)])}`);
    }
    await Promise.all([guests.sender.stop(), guests.receiver.stop()]);
    const ratio =
      median(taken.controlled.map(({ lost }) => lost)) / median(taken.restoring.map(({ lost }) => lost));
    emit(
      'restart.vswitchd',
      turns,
      {
        ports: count,
        flows,
        ...figuresOf('portcullis', taken.controlled),
        ...figuresOf('restoring', taken.restoring),
        lost_ratio: round(ratio),
      },
      [
        { figure: 'portcullis_filled_ms', atMost: 100 },
        { figure: 'lost_ratio', atMost: 1 },
      ],
    );
  } finally {
    await controller.stop();
  }
}
