/**
 * The API under concurrent keep-alive clients: the real process, durable writes, one operation at a time. No
 * guest uses the ports. The figures therefore measure HTTP, model and store, with an agent that follows the
 * store.
 */
import { startSwitch } from '../test/lib/switch.ts';
import { bridge, makeDataDirectory, startController } from './controller.ts';
import { HttpConnection } from './http-connection.ts';
import type { SectionOptions } from './machine.ts';
import { cpuSeconds, memory } from './process-usage.ts';
import { emit, type Limit, progress, quantile, round } from './report.ts';
import { createNetwork, createPorts, type Network } from './world.ts';

/** Sends one request of its kind; `turn` numbers all requests. */
type Operation = (connection: HttpConnection, turn: number) => Promise<number>;

interface Load {
  readonly pid: number;
  readonly connections: readonly HttpConnection[];
  readonly operation: Operation;
  /** Milliseconds, and requests; the first limit that is reached ends the run. */
  readonly duration: number;
  readonly requests: number;
}

interface Outcome {
  readonly times: readonly number[];
  readonly failed: number;
  readonly seconds: number;
  readonly cpu: number;
}

async function drive({ pid, connections, operation, duration, requests }: Load): Promise<Outcome> {
  const times: number[] = [];
  let sent = 0;
  let failed = 0;
  const cpuBefore = cpuSeconds(pid);
  const begin = performance.now();
  await Promise.all(
    connections.map(async (connection) => {
      while (sent < requests && performance.now() - begin < duration) {
        const turn = sent++;
        const from = performance.now();
        const status = await operation(connection, turn);
        times.push(performance.now() - from);
        if (status < 200 || status > 299) failed++;
      }
    }),
  );
  const seconds = (performance.now() - begin) / 1000;
  return { times, failed, seconds, cpu: cpuSeconds(pid) - cpuBefore };
}

function tell(bench: string, pid: number, clients: number, outcome: Outcome, limits: readonly Limit[]): void {
  const { times, failed, seconds, cpu } = outcome;
  const { now, peak } = memory(pid);
  emit(
    bench,
    clients,
    {
      clients,
      requests: times.length,
      failed,
      seconds: round(seconds),
      requests_per_s: round(times.length / seconds),
      p50_ms: round(quantile(times, 0.5)),
      p99_ms: round(quantile(times, 0.99)),
      server_cpu_ms_per_request: round((cpu / times.length) * 1000),
      rss_mb: round(now),
      peak_rss_mb: round(peak),
    },
    [...limits, { figure: 'failed', atMost: 0 }],
  );
}

function operations(network: Network, ids: readonly string[], listed: string, group: string) {
  const id = (turn: number) => ids[(turn * 7919) % ids.length] ?? '';
  const post = async (connection: HttpConnection, path: string, body: unknown) =>
    (await connection.request('POST', path, body)).status;
  return {
    show: async (connection, turn) => (await connection.request('GET', `/v2.0/ports/${id(turn)}`)).status,
    list_1000: async (connection) =>
      (await connection.request('GET', `/v2.0/ports?network_id=${listed}`)).status,
    update: async (connection, turn) => {
      const pair = { ip_address: `10.${network.octet}.${200 + (turn % 50)}.${(turn >> 6) % 256}` };
      const body = { port: { allowed_address_pairs: [pair] } };
      return (await connection.request('PUT', `/v2.0/ports/${id(turn)}`, body)).status;
    },
    rule_create: (connection, turn) =>
      post(connection, '/v2.0/security-group-rules', {
        security_group_rule: {
          security_group_id: group,
          direction: 'ingress',
          protocol: 'tcp',
          port_range_min: turn + 1,
          port_range_max: turn + 1,
        },
      }),
  } satisfies Record<string, Operation>;
}

export async function benchApi({ quick }: SectionOptions): Promise<void> {
  const [createFor, otherFor, mostPorts] = quick ? [1000, 500, 500] : [30_000, 3000, 5000];
  await using at = await startSwitch({ dummy: true });
  await at.addBridge(bridge);
  await using data = await makeDataDirectory();
  await using controller = startController(at, data);
  const endpoint = await controller.ready();
  const { pid } = controller;
  const admin = await HttpConnection.open(endpoint);
  const listed = await createNetwork(admin, 1);
  await createPorts(admin, listed, 1000, () => ({}));

  for (const clients of [1, 8, 32]) {
    progress(`api: ${clients} clients`);
    const connections = await Promise.all(
      Array.from({ length: clients }, () => HttpConnection.open(endpoint)),
    );
    const network = await createNetwork(admin, 10 + clients);
    const ids: string[] = [];
    const create: Operation = async (connection, turn) => {
      const body = { port: { network_id: network.id, name: `port-${turn}` } };
      const { status, body: answer } = await connection.request('POST', '/v2.0/ports', body);
      if (status === 201) ids.push(answer.toString('latin1', answer.indexOf('"id":"') + 6).slice(0, 36));
      return status;
    };
    const load = { pid, connections };
    const created = await drive({ ...load, operation: create, duration: createFor, requests: mostPorts });
    // One client's answers wait for the disk's flushes; the target is for concurrent clients.
    const limits = clients === 1 ? [] : [{ figure: 'requests_per_s', atLeast: 500 }];
    tell('api.port_create', pid, clients, created, limits);

    const made = await admin.json<{ security_group: { id: string } }>('POST', '/v2.0/security-groups', {
      security_group: { name: `group-${clients}` },
    });
    const rest = operations(network, ids, listed.id, made.security_group.id);
    for (const [name, operation] of Object.entries(rest)) {
      const outcome = await drive({ ...load, operation, duration: otherFor, requests: 60_000 });
      const quick = name === 'show' && clients === 8 ? [{ figure: 'p99_ms', atMost: 5 }] : [];
      tell(`api.${name}`, pid, clients, outcome, quick);
    }
    for (const connection of connections) connection.close();
  }
  admin.close();
}
