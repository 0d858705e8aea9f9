/**
 * Many hosts on one cloud. `cluster.write`: from a request to the acknowledgement of three switches, with three members of
 * etcd. `cluster.compile`: a hundred hosts without switches in four processes, against one etcd. It measures the time
 * to the last host that has derived its flows. `sync` and a host that does not carry the network are measured too.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { keys } from '../src/model/keys.ts';
import { scopeDepth } from '../src/model/scopes.ts';
import type { PortId } from '../src/policy/world.ts';
import { EtcdStore } from '../src/store/etcd/etcd-store.ts';
import { Cloud } from '../test/chaos/cloud.ts';
import { type Etcd, freePorts, startEtcd } from '../test/lib/etcd.ts';
import { lineTo } from '../test/lib/line.ts';
import { RestartableProcess } from '../test/lib/restartable-process.ts';
import { StoreSideAgent } from '../test/lib/store-side-agent.ts';
import { until } from '../test/lib/wait.ts';
import type { Round } from './cluster/agents.ts';
import { nameOf, networksOf } from './cluster/world.ts';
import { type FlowWatch, watchFlows } from './flow-watch.ts';
import { writeAll } from './groups/records.ts';
import { HttpConnection } from './http-connection.ts';
import type { SectionOptions } from './machine.ts';
import { cpuSeconds, memory } from './process-usage.ts';
import { emit, median, progress, quantile, round } from './report.ts';
import { createNetwork, createPorts } from './world.ts';

const hostCount = 100;
const processCount = 4;
const agentsProgram = fileURLToPath(new URL('cluster/agents.ts', import.meta.url));
/** Milliseconds over which the cost of hosts that have nothing to do is measured. */
const idleTime = 15_000;
/** Milliseconds without a change of flows after which a write counts as complete. */
const quiet = 40;

export async function benchCluster({ quick }: SectionOptions): Promise<void> {
  await benchWrites(quick ? 10 : 200);
  for (const ports of quick ? [10_000] : [10_000, 100_000]) await benchCompile(ports, quick ? 10 : 200);
}

async function benchWrites(turns: number): Promise<void> {
  const cloud = await Cloud.start(3, 'direct');
  const watches: FlowWatch[] = [];
  try {
    const api = await HttpConnection.open(cloud.servers[0]?.endpoint ?? '');
    const network = await createNetwork(api, 1);
    const ports = await createPorts(api, network, 3, () => ({}));
    for (const [at, host] of cloud.hosts.entries()) {
      const plug = { name: 'tap0', externalIds: { 'iface-id': ports[at]?.id ?? '' } };
      await host.at.addDummyPorts('br-int', [plug]);
    }
    await until(
      async () =>
        (await api.json<{ ports: unknown[] }>('GET', '/v2.0/ports?status=ACTIVE')).ports.length === 3,
      { timeout: 20_000, what: 'the ports are ACTIVE' },
    );
    await cloud.synced();
    for (const host of cloud.hosts) watches.push(await watchFlows(host.at, 'br-int'));
    const times: number[] = [];
    const answers: number[] = [];
    for (let turn = -5; turn < turns; turn++) {
      const before = watches.map(({ events }) => events);
      const begin = performance.now();
      await createPorts(api, network, 1, () => ({}));
      const answered = performance.now();
      await Promise.all(watches.map((watch, at) => watch.settled(before[at] ?? 0, quiet)));
      // The first ones run code that is not compiled yet.
      if (turn < 0) continue;
      times.push(Math.max(...watches.map(({ lastAt }) => lastAt)) - begin);
      answers.push(answered - begin);
    }
    const figures = {
      hosts: 3,
      etcd_members: 3,
      request_to_answer_p50_ms: round(median(answers)),
      request_to_all_switches_p50_ms: round(median(times)),
      request_to_all_switches_p99_ms: round(quantile(times, 0.99)),
    };
    emit('cluster.write', turns, figures, [
      { figure: 'request_to_all_switches_p50_ms', atMost: 15 },
      { figure: 'request_to_all_switches_p99_ms', atMost: 40 },
    ]);
    api.close();
  } finally {
    for (const watch of watches) await watch[Symbol.asyncDispose]();
    await cloud.stop();
  }
}

/** Seconds of CPU up to a moment of `performance.now()`. */
interface Usage {
  readonly at: number;
  readonly hosts: number;
  readonly etcd: number;
}

/** Seconds of CPU a second. */
function rateBetween(before: Usage, after: Usage): { readonly hosts: number; readonly etcd: number } {
  const seconds = (after.at - before.at) / 1000;
  return { hosts: (after.hosts - before.hosts) / seconds, etcd: (after.etcd - before.etcd) / seconds };
}

/** The latest round of each host. */
class Hosts {
  readonly #children: ChildProcess[] = [];
  readonly rounds = new Map<number, Round>();

  async start(etcd: Etcd, ports: number): Promise<void> {
    const each = hostCount / processCount;
    await Promise.all(
      Array.from({ length: processCount }, async (_, at) => {
        const args = [etcd.addresses.join(','), String(at * each), String(each), String(ports)];
        const child = fork(agentsProgram, args, { execArgv: ['--import', 'tsx'] });
        this.#children.push(child);
        await new Promise<void>((resolve, reject) => {
          child.once('exit', (code) => reject(new Error(`simulated hosts ended with ${code}`)));
          child.on('message', (told: Round | 'ready') => {
            if (told === 'ready') resolve();
            else this.rounds.set(told.host, told);
          });
        });
      }),
    );
  }

  /** When the last host had derived the revision; milliseconds since 1970. */
  async reached(revision: number): Promise<number> {
    const late = () =>
      hostCount - [...this.rounds.values()].filter((each) => each.revision >= revision).length;
    await until(() => late() === 0, { timeout: 20_000, what: `all hosts have derived ${revision}` });
    return Math.max(...[...this.rounds.values()].map(({ at }) => at));
  }

  get pids(): readonly number[] {
    return this.#children.map(({ pid }) => pid ?? -1);
  }

  async stop(): Promise<void> {
    for (const child of this.#children) {
      const exit = once(child, 'exit');
      child.disconnect();
      await exit;
    }
  }
}

async function benchCompile(ports: number, turns: number): Promise<void> {
  const etcd = await startEtcd();
  const store = await EtcdStore.open({ addresses: etcd.addresses, depthOf: scopeDepth });
  const hosts = new Hosts();
  const [port] = await freePorts(1);
  const listen = `127.0.0.1:${port}`;
  const flags = ['server', '--listen', listen, '--store', `etcd://${etcd.addresses.join(',')}`];
  const server = new RestartableProcess('server', flags, `${etcd.dir}/server.log`);
  const elsewhere = await startElsewhere(etcd);
  try {
    for (const writes of networksOf(ports)) await writeAll(store, writes);
    progress(`cluster: ${ports} ports are in etcd`);
    server.start();
    await server.ready();
    await hosts.start(etcd, ports);
    progress(`cluster: ${hostCount} hosts have their flows`);
    await elsewhere.agent.start();
    await until(() => elsewhere.agent.isComplete, { timeout: 20_000 });
    const api = await HttpConnection.open(`http://${listen}`);
    const write = async (turn: number): Promise<number> => {
      const pairs = [{ ip_address: `10.9.${turn >> 8}.${turn & 255}` }];
      const begin = performance.timeOrigin + performance.now();
      await api.json('PUT', `/v2.0/ports/${nameOf(0, 99)}`, { port: { allowed_address_pairs: pairs } });
      const entry = await store.get(keys.port('n0', nameOf(0, 99)));
      return (await hosts.reached(entry?.modRevision ?? Number.NaN)) - begin;
    };
    for (let turn = 0; turn < 5; turn++) await write(10_000 + turn);
    const used = (): Usage => ({
      at: performance.now(),
      hosts: hosts.pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0),
      etcd: cpuSeconds(etcd.members[0]?.pid ?? 0),
    });
    const resting = used();
    await delay(idleTime);
    const idle = rateBetween(resting, used());
    const before = { ...used(), rounds: elsewhere.rounds() };
    const times: number[] = [];
    for (let turn = 0; turn < turns; turn++) times.push(await write(turn));
    const after = used();
    const perWrite = (which: 'hosts' | 'etcd') =>
      ((after[which] - before[which] - (idle[which] * (after.at - before.at)) / 1000) * 1000) / turns;
    const unconcerned = await elsewhere.received(write);
    const unconcernedRounds = elsewhere.rounds() - before.rounds;
    const syncs: number[] = [];
    for (let turn = 0; turn < Math.min(turns, 50); turn++) {
      const begin = performance.now();
      await api.json('GET', '/v1/sync?timeout=60');
      syncs.push(performance.now() - begin);
    }
    const page = await (await fetch(`http://${etcd.addresses[0]}/metrics`)).text();
    const metric = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(page)?.[1]);
    const figures = {
      hosts: hostCount,
      request_to_last_compile_p50_ms: round(median(times)),
      request_to_last_compile_p99_ms: round(quantile(times, 0.99)),
      cpu_ms_per_write_and_host: round(perWrite('hosts') / hostCount),
      etcd_cpu_ms_per_write: round(perWrite('etcd')),
      idle_cpu_ms_per_s_and_host: round((idle.hosts * 1000) / hostCount),
      etcd_idle_cpu_ms_per_s: round(idle.etcd * 1000),
      unconcerned_host_rounds: unconcernedRounds,
      unconcerned_host_bytes: unconcerned,
      sync_p50_ms: round(median(syncs)),
      sync_p99_ms: round(quantile(syncs, 0.99)),
      rss_mb_per_host: round(hosts.pids.reduce((sum, pid) => sum + memory(pid).now, 0) / hostCount),
      etcd_rss_mb: round(memory(etcd.members[0]?.pid ?? 0).now),
      etcd_watches: metric('etcd_debugging_mvcc_watcher_total'),
      etcd_db_mb: round(metric('etcd_mvcc_db_total_size_in_use_in_bytes') / 1e6),
    };
    emit('cluster.compile', ports, figures, [
      { figure: 'request_to_last_compile_p99_ms', atMost: 100 },
      { figure: 'unconcerned_host_rounds', atMost: 0 },
      { figure: 'unconcerned_host_bytes', atMost: 0 },
      { figure: 'sync_p99_ms', atMost: 100 },
    ]);
    api.close();
  } finally {
    await hosts.stop();
    await elsewhere.stop();
    await server.end('SIGTERM');
    await store.close();
    await etcd.stop();
  }
}

/** A host that does not carry the first network, on a line that counts. */
async function startElsewhere(etcd: Etcd) {
  const line = await lineTo(etcd.addresses[0] ?? '');
  const store = await EtcdStore.open({ addresses: [line.address], depthOf: scopeDepth });
  let count = 0;
  const plugged = [nameOf(1, 99) as PortId];
  const agent = new StoreSideAgent({ store, host: 'elsewhere', plugged, onRound: () => count++ });
  return {
    agent,
    rounds: () => count,
    /** Bytes from etcd during a write that does not concern the host, between two renewals of its leases. */
    received: async (write: (turn: number) => Promise<number>): Promise<number> => {
      for (let renewals = line.received; renewals === line.received; ) await delay(5);
      await delay(200);
      const before = line.received;
      for (let turn = 0; turn < 10; turn++) await write(20_000 + turn);
      return line.received - before;
    },
    stop: async () => {
      await agent.stop();
      await store.close();
      line.close();
    },
  };
}
