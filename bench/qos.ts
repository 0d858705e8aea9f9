/**
 * The accuracy of a QoS policy's limit on the wire: the configured rate of a port against the rate of TCP and
 * UDP between two guests, in each direction, and without a limit.
 */
import { type Guest, isRoot, startGuest } from '../test/lib/netns.ts';
import { startSwitch } from '../test/lib/switch.ts';
import { until } from '../test/lib/wait.ts';
import { bridge, makeDataDirectory, startController } from './controller.ts';
import { HttpConnection } from './http-connection.ts';
import type { SectionOptions } from './machine.ts';
import { emit, type Figures, type Limit, median, progress, round } from './report.ts';
import { createNetwork, createPorts, type Port } from './world.ts';

type Direction = 'egress' | 'ingress';
type Transport = 'tcp' | 'udp';

/** A wide window loses packets, because the buffers of the switch's packet sockets overflow. */
const window = ['-w', '96K'];
const address = (port: Port): string => port.fixed_ips[0]?.ip_address ?? '';

/** Kilobits or packets a second that arrive. UDP is offered `offered` kilobits in datagrams of `size` bytes. */
async function measure(
  from: Guest,
  to: { readonly guest: Guest; readonly address: string },
  seconds: number,
  udp?: { readonly offered: number; readonly size: number },
): Promise<{ readonly kilobits: number; readonly packets: number }> {
  const server = to.guest.start('iperf3', '-s', '-1', '--forceflush');
  await until(() => server.output.includes('listening'), { what: 'iperf3 listens' });
  const load =
    udp === undefined ? ['-O', '1', ...window] : ['-u', '-b', `${udp.offered}K`, '-l', String(udp.size)];
  const text = await from.run('iperf3', '-J', '-c', to.address, '-t', String(seconds), ...load);
  await server.stop();
  const { end } = JSON.parse(text) as {
    end: {
      sum_received?: { bits_per_second: number };
      sum: { packets?: number; lost_packets?: number; seconds: number };
    };
  };
  if (udp === undefined) return { kilobits: (end.sum_received?.bits_per_second ?? 0) / 1000, packets: 0 };
  const packets = ((end.sum.packets ?? 0) - (end.sum.lost_packets ?? 0)) / end.sum.seconds;
  // The switch measures frames: each datagram has 42 bytes of Ethernet, IP and UDP around it.
  return { kilobits: (packets * (udp.size + 42) * 8) / 1000, packets };
}

export async function benchQos({ quick }: SectionOptions): Promise<void> {
  if (!isRoot) {
    progress('qos: skipped, network namespaces need root');
    return;
  }
  await using at = await startSwitch();
  await at.addBridge(bridge);
  await using data = await makeDataDirectory();
  await using controller = startController(at, data);
  const api = await HttpConnection.open(await controller.ready());
  const network = await createNetwork(api, 1);
  const [held, free] = await createPorts(api, network, 2, () => ({}));
  if (held === undefined || free === undefined) throw new Error('no ports were made');
  const guest = (port: Port) => startGuest({ mac: port.mac_address, addresses: [`${address(port)}/16`] });
  await using heldGuest = await guest(held);
  await using freeGuest = await guest(free);
  await heldGuest.plug(at, bridge, { 'iface-id': held.id });
  await freeGuest.plug(at, bridge, { 'iface-id': free.id });
  await until(
    async () => (await api.json<{ ports: unknown[] }>('GET', '/v2.0/ports?status=ACTIVE')).ports.length === 2,
    { what: 'both ports are ACTIVE' },
  );

  const give = async (kind: string, rule: object | null): Promise<void> => {
    let policy: string | null = null;
    if (rule !== null) {
      const made = await api.json<{ policy: { id: string } }>('POST', '/v2.0/qos/policies', {
        policy: { name: 'bench' },
      });
      policy = made.policy.id;
      await api.json('POST', `/v2.0/qos/policies/${policy}/${kind}_rules`, { [`${kind}_rule`]: rule });
    }
    await api.json('PUT', `/v2.0/ports/${held.id}`, { port: { qos_policy_id: policy } });
    await api.json('GET', '/v1/sync?timeout=60');
  };
  const seconds = quick ? 2 : 5;
  const turns = quick ? 1 : 3;
  const run = async (direction: Direction, udp?: { offered: number; size: number }) => {
    const [from, to] = direction === 'egress' ? [heldGuest, freeGuest] : [freeGuest, heldGuest];
    const target = { guest: to, address: address(direction === 'egress' ? free : held) };
    const taken = [];
    for (let turn = 0; turn < turns; turn++) taken.push(await measure(from, target, seconds, udp));
    return {
      kilobits: median(taken.map(({ kilobits }) => kilobits)),
      packets: median(taken.map(({ packets }) => packets)),
    };
  };
  const tell = (bench: string, figures: Figures, bounds: readonly [number, number] | null): void => {
    const limits: Limit[] =
      bounds === null ? [] : [{ figure: 'share', atLeast: bounds[0], atMost: bounds[1] }];
    emit(bench, turns, figures, limits);
  };

  for (const direction of ['egress', 'ingress'] as const) {
    const open = await run(direction);
    tell('qos.unlimited', { direction, transport: 'tcp', kbps: round(open.kilobits) }, null);
    for (const max_kbps of quick ? [10_000] : [1000, 10_000, 100_000]) {
      // Neutron advises a burst of 80 % for TCP; the small burst shows why.
      for (const part of [0.8, 0.1]) {
        const max_burst_kbps = max_kbps * part;
        await give('bandwidth_limit', { direction, max_kbps, max_burst_kbps });
        for (const transport of ['tcp', 'udp'] satisfies Transport[]) {
          const udp = transport === 'udp' ? { offered: max_kbps * 2, size: 1400 } : undefined;
          const { kilobits } = await run(direction, udp);
          const share = round(kilobits / max_kbps);
          const most = round(1.05 + part / seconds);
          const bounds =
            transport === 'udp' ? ([0.95, most] as const) : part === 0.8 ? ([0.5, 1.3] as const) : null;
          const figures = { direction, transport, limit_kbps: max_kbps, burst_kbit: max_burst_kbps };
          tell('qos.bandwidth', { ...figures, kbps: round(kilobits, 4), share }, bounds);
        }
      }
    }
    await give('packet_rate_limit', { direction, max_kpps: 1, max_burst_kpps: 0 });
    const { packets } = await run(direction, { offered: 4000, size: 100 });
    const figures = { direction, limit_pps: 1000, burst: 800, offered_pps: 5000, pps: round(packets, 4) };
    tell('qos.packets', { ...figures, share: round(packets / 1000) }, [0.9, round(1.05 + 0.8 / seconds)]);
    await give('', null);
  }
  api.close();
}
