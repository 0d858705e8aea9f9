/**
 * The cost of a network's size for a hypervisor: N ports in one default group, 20 of them plugged here. First
 * a cold agent on an empty switch, then one more member at a time.
 */
import { type Switch, startSwitch } from '../test/lib/switch.ts';
import { type Cold, coldStart } from './cold-start.ts';
import { bridge, type DataDirectory, makeDataDirectory, metric, startController } from './controller.ts';
import { watchFlows } from './flow-watch.ts';
import { HttpConnection } from './http-connection.ts';
import type { SectionOptions } from './machine.ts';
import { threadNanoseconds } from './process-usage.ts';
import { emit, type Limit, median, progress, quantile, round } from './report.ts';
import { createNetwork, createPorts, type Network, type Port } from './world.ts';

const local = 20;
/** CPU of the controller and of the switch's two processes together, in milliseconds. */
const cpuOf = (controller: number, at: Switch): number =>
  [
    controller,
    ...(['ovs-vswitchd', 'ovsdb-server'] as const).map((daemon) => at.pidOf(daemon)),
  ].reduce<number>((sum, pid) => sum + (pid === null ? 0 : threadNanoseconds(pid)), 0) / 1e6;

/** Ports of one remote hypervisor. */
const density = 20;
/** Milliseconds without a change after which one member's flows count as complete. */
const quiet = 40;

interface World {
  readonly network: Network;
  readonly locals: readonly Port[];
}

/** A controller fills the data directory and ends, so that the store remains. */
async function fill(at: Switch, data: DataDirectory, n: number): Promise<World> {
  await using controller = startController(at, data);
  const api = await HttpConnection.open(await controller.ready());
  const network = await createNetwork(api, 1);
  const locals = await createPorts(api, network, local, () => ({}));
  await createPorts(api, network, n - local, remoteHost);
  api.close();
  return { network, locals };
}

const remoteHost = (at: number) => ({ 'binding:host_id': `hypervisor-${Math.floor(at / density)}` });

function tellCold(n: number, colds: readonly Cold[]): void {
  const flows = colds[0]?.flows ?? Number.NaN;
  const of = (figure: (cold: Cold) => number) => round(median(colds.map(figure)));
  const limits: readonly Limit[] = [
    { figure: 'agent_to_last_flow_s', atMost: 1 },
    { figure: 'peak_rss_mb', atMost: 200 },
    { figure: 'flows_per_remote_port', atMost: 3.2 },
    // Only then is the acknowledgement of the first round that of the last flow.
    { figure: 'flows_after_first_round', atMost: 0 },
  ];
  emit(
    'scale.cold_start',
    n,
    {
      local_ports: local,
      repetitions: colds.length,
      spawn_to_last_flow_s: of(({ fromSpawn }) => fromSpawn / 1000),
      agent_to_last_flow_s: of(({ fromAgent }) => fromAgent / 1000),
      cpu_s: of(({ cpu }) => cpu),
      peak_rss_mb: of(({ peak }) => peak),
      flows,
      // All of them, those for local ports included, as in the peers' figure.
      flows_per_remote_port: round(flows / (n - local)),
      flows_after_first_round: Math.max(...colds.map((cold) => cold.flows - cold.flowsInFirstRound)),
    },
    n === 5000 ? limits : [],
  );
}

interface Member {
  readonly fromAnswer: number;
  readonly fromRequest: number;
  readonly cpu: number;
}

async function oneMore(
  at: Switch,
  data: DataDirectory,
  world: World,
  n: number,
  turns: number,
): Promise<Member> {
  await using controller = startController(at, data);
  const endpoint = await controller.ready();
  const api = await HttpConnection.open(endpoint);
  await api.json('GET', '/v1/sync?timeout=60');
  const fromAnswer: number[] = [];
  const fromRequest: number[] = [];
  const changed: number[] = [];
  const toSync: number[] = [];
  let cpuPerMember = Number.NaN;
  {
    await using watch = await watchFlows(at);
    const create = () => createPorts(api, world.network, 1, () => remoteHost(n));
    // The first ones run code that is not compiled yet.
    for (let turn = 0; turn < 5; turn++) {
      const before = watch.events;
      await create();
      await watch.settled(before, quiet);
    }
    const cpuBefore = cpuOf(controller.pid, at);
    for (let turn = 0; turn < turns; turn++) {
      const before = watch.events;
      const begin = performance.now();
      await create();
      const answered = performance.now();
      await watch.settled(before, quiet);
      // Never below zero: the agent receives a write when the API does, and may finish before the answer is
      // read.
      fromAnswer.push(Math.max(0, watch.lastAt - answered));
      fromRequest.push(watch.lastAt - begin);
      changed.push(watch.events - before);
    }
    cpuPerMember = (cpuOf(controller.pid, at) - cpuBefore) / turns;
    const limits = [
      { figure: 'answer_to_switch_p50_ms', atMost: 10 },
      { figure: 'cpu_ms_per_member', atMost: 8 },
    ];
    for (let turn = 0; turn < 10; turn++) {
      await create();
      const answered = performance.now();
      await api.json('GET', '/v1/sync?timeout=60');
      toSync.push(performance.now() - answered);
    }
    const page = (await api.request('GET', '/metrics')).body.toString();
    emit(
      'scale.one_more_member',
      n,
      {
        repetitions: turns,
        answer_to_switch_p50_ms: round(median(fromAnswer)),
        answer_to_switch_p99_ms: round(quantile(fromAnswer, 0.99)),
        request_to_switch_p50_ms: round(median(fromRequest)),
        request_to_switch_p99_ms: round(quantile(fromRequest, 0.99)),
        answer_to_sync_p50_ms: round(median(toSync)),
        flows_changed_p50: median(changed),
        flows_changed_most: Math.max(...changed),
        cpu_ms_per_member: round(cpuPerMember),
        rounds_failed: metric(page, 'portcullis_round_failures_total'),
      },
      limits,
    );
  }
  api.close();
  return { fromAnswer: median(fromAnswer), fromRequest: median(fromRequest), cpu: cpuPerMember };
}

export async function benchScale({ quick }: SectionOptions): Promise<void> {
  const members: Member[] = [];
  for (const n of quick ? [100, 1000] : [100, 1000, 5000]) {
    progress(`scale: ${n} ports`);
    await using at = await startSwitch({ dummy: true });
    await at.addBridge(bridge);
    await using data = await makeDataDirectory();
    const world = await fill(at, data, n);
    await at.addDummyPorts(
      bridge,
      world.locals.map(({ id }, index) => ({ name: `p${index}`, externalIds: { 'iface-id': id } })),
    );
    // The first start only binds the ports. The flows that depend on bindings come a round later, as on a new
    // host.
    await coldStart(at, data, local);
    const colds: Cold[] = [];
    for (let turn = 0; turn < (quick ? 2 : 5); turn++) colds.push(await coldStart(at, data, local));
    tellCold(n, colds);
    members.push(await oneMore(at, data, world, n, quick ? 10 : 50));
  }
  const growth = (figure: (member: Member) => number): number => {
    const [least, most] = [members[0], members.at(-1)];
    return least === undefined || most === undefined ? Number.NaN : round(figure(most) / figure(least));
  };
  emit(
    'scale.one_more_member_flat',
    null,
    {
      answer_to_switch_p50_ratio: growth(({ fromAnswer }) => fromAnswer),
      request_to_switch_p50_ratio: growth(({ fromRequest }) => fromRequest),
      cpu_per_member_ratio: growth(({ cpu }) => cpu),
    },
    ['answer_to_switch_p50_ratio', 'request_to_switch_p50_ratio', 'cpu_per_member_ratio'].map((figure) => ({
      figure,
      atMost: 1.5,
    })),
  );
}
