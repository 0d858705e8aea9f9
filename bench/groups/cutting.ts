/**
 * The removal of one rule forbids half of many live connections.
 *
 * Idea: the bench measures how long after the answer exactly those are gone from the connection table, and
 * what a stream on an allowed connection notices. The traffic is real TCP between two guests. During the
 * measurement the switch reports only its number of connections, which costs it nothing. The table is read
 * before and after.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Background, isRoot, startGuest } from '../../test/lib/netns.ts';
import { type Switch, startSwitch } from '../../test/lib/switch.ts';
import { until } from '../../test/lib/wait.ts';
import { bridge, makeDataDirectory, startController } from '../controller.ts';
import { HttpConnection } from '../http-connection.ts';
import { emit, median, progress, round } from '../report.ts';
import { createNetwork, createPorts, type Port } from '../world.ts';
import type { StreamResult } from './steady-stream.ts';

const program = (name: string) => ['--import', 'tsx', fileURLToPath(new URL(name, import.meta.url))];
const held = program('held-connections.ts');
const steady = program('steady-stream.ts');

const forbiddenPort = 7001;
const allowedPort = 7002;
const streamPort = 7003;

/** Milliseconds after which a connection that is still there counts as kept. */
const cutTimeout = 10_000;
/** Milliseconds of the stream that are compared, after the removal and before it. */
const window = 2000;

const address = (port: Port): string => port.fixed_ips[0]?.ip_address ?? '';

/** A program in a guest that answers a line with a line. */
class Dialogue {
  readonly #program: Background;
  #read = 0;

  constructor(program: Background) {
    this.#program = program;
  }

  async line(timeout: number): Promise<string> {
    return until(
      () => {
        const end = this.#program.output.indexOf('\n', this.#read);
        if (end < 0) return null;
        const line = this.#program.output.slice(this.#read, end);
        this.#read = end + 1;
        return line;
      },
      { timeout, what: `a line; so far ${this.#program.output.slice(-300)}` },
    );
  }

  async ask<T>(line: string): Promise<T> {
    this.#program.write(`${line}\n`);
    return JSON.parse(await this.line(30_000)) as T;
  }
}

const connectionCount = async (at: Switch): Promise<number> =>
  Number((await at.appctl('dpctl/ct-get-nconns')).trim());

/** Tracked TCP connections to a port. */
async function tracked(at: Switch, port: number): Promise<number> {
  const table = await at.appctl('dpctl/dump-conntrack');
  return table.split('\n').filter((line) => line.startsWith('tcp,') && line.includes(`dport=${port}),reply`))
    .length;
}

interface Cut {
  readonly gone: number | null;
  readonly synced: number;
  readonly told: unknown;
  readonly forbiddenLeft: number;
  readonly allowedLeft: number;
  readonly allowedAlive: number;
  readonly during: StreamResult;
  readonly before: StreamResult;
}

interface Scene {
  readonly at: Switch;
  readonly endpoint: string;
  readonly api: HttpConnection;
  readonly group: string;
  readonly each: number;
  readonly connections: Dialogue;
  readonly stream: Dialogue;
}

async function allow(api: HttpConnection, group: string, protocol: string, port: number): Promise<string> {
  const rule = {
    security_group_id: group,
    direction: 'ingress',
    protocol,
    port_range_min: port,
    port_range_max: port,
  };
  const body = { security_group_rule: rule };
  const made = await api.json<{ security_group_rule: { id: string } }>(
    'POST',
    '/v2.0/security-group-rules',
    body,
  );
  return made.security_group_rule.id;
}

async function cut({ at, endpoint, api, group, each, connections, stream }: Scene): Promise<Cut> {
  const rule = await allow(api, group, 'tcp', forbiddenPort);
  await api.json('GET', '/v1/sync?timeout=60');
  const alive = await connections.ask<Record<string, number>>(`${forbiddenPort} ${allowedPort}`);
  if (alive[forbiddenPort] !== each || alive[allowedPort] !== each)
    throw new Error(`not all connections live before the cut: ${JSON.stringify(alive)}`);
  for (const port of [forbiddenPort, allowedPort])
    if ((await tracked(at, port)) !== each) throw new Error(`not all connections to ${port} are tracked`);
  // The effect of the table's dump on the stream is over.
  await delay(window + 300);
  const other = await HttpConnection.open(endpoint);
  const total = await connectionCount(at);
  const start = process.hrtime.bigint();
  await api.json('DELETE', `/v2.0/security-group-rules/${rule}`);
  const answered = performance.now();
  const sync = other.json<unknown>('GET', '/v1/sync?timeout=60');
  const told = sync.then((told) => ({ told, at: performance.now() - answered }));
  const gone = await until(async () => (await connectionCount(at)) <= total - each, {
    timeout: cutTimeout,
    interval: 2,
  }).then(
    () => performance.now() - answered,
    () => null,
  );
  const synced = await told;
  other.close();
  await delay(window);
  const second = 1_000_000n;
  const judged = (from: bigint, to: bigint) => stream.ask<StreamResult>(`${from} ${to}`);
  const during = await judged(start, start + BigInt(window) * second);
  const before = await judged(start - BigInt(window) * second, start);
  const [forbiddenLeft, allowedLeft] = [await tracked(at, forbiddenPort), await tracked(at, allowedPort)];
  // Not the forbidden ones: what they sent now would be sent again when they are allowed.
  const after = await connections.ask<Record<string, number>>(String(allowedPort));
  return {
    gone,
    synced: synced.at,
    told: synced.told,
    forbiddenLeft,
    allowedLeft,
    allowedAlive: after[allowedPort] ?? 0,
    during,
    before,
  };
}

function tell(cuts: readonly Cut[], each: number): void {
  const of = (figure: (cut: Cut) => number) => round(median(cuts.map(figure)));
  const most = (figure: (cut: Cut) => number) => round(Math.max(...cuts.map(figure)));
  emit(
    'groups.cutting',
    2 * each,
    {
      peer: 'portcullis',
      repetitions: cuts.length,
      forbidden: each,
      answer_to_gone_p50_ms: of(({ gone }) => gone ?? Number.NaN),
      answer_to_gone_most_ms: most(({ gone }) => gone ?? Infinity),
      answer_to_sync_p50_ms: of(({ synced }) => synced),
      sync_said: JSON.stringify(cuts.at(-1)?.told),
      forbidden_left: most(({ forbiddenLeft }) => forbiddenLeft),
      allowed_cut: most(({ allowedLeft }) => each - allowedLeft),
      allowed_dead: most(({ allowedAlive }) => each - allowedAlive),
      stream_sent: of(({ during }) => during.sent),
      stream_lost: most(({ during }) => during.lost),
      stream_longest_stall_p50_ms: of(({ during }) => during.longestStallMs),
      stream_longest_stall_most_ms: most(({ during }) => during.longestStallMs),
      stream_longest_delay_most_ms: most(({ during }) => during.longestDelayMs),
      stream_longest_stall_before_ms: most(({ before }) => before.longestStallMs),
    },
    [
      { figure: 'answer_to_gone_most_ms', atMost: 1000 },
      ...['forbidden_left', 'allowed_cut', 'allowed_dead', 'stream_lost'].map((figure) => ({
        figure,
        atMost: 0,
      })),
    ],
  );
}

/** `each`: connections that are forbidden, and as many that stay. */
export async function tellCutting(each: number, turns: number): Promise<void> {
  if (!isRoot) {
    progress('groups: cutting is skipped, network namespaces need root');
    return;
  }
  await using at = await startSwitch();
  await at.addBridge(bridge);
  await using data = await makeDataDirectory();
  await using controller = startController(at, data);
  const endpoint = await controller.ready();
  const api = await HttpConnection.open(endpoint);
  const network = await createNetwork(api, 1);
  const { security_group: group } = await api.json<{ security_group: { id: string } }>(
    'POST',
    '/v2.0/security-groups',
    { security_group: { name: 'servers' } },
  );
  await allow(api, group.id, 'tcp', allowedPort);
  await allow(api, group.id, 'udp', streamPort);
  const first = await allow(api, group.id, 'tcp', forbiddenPort);
  const [client] = await createPorts(api, network, 1, () => ({}));
  const [server] = await createPorts(api, network, 1, () => ({ security_groups: [group.id] }));
  if (client === undefined || server === undefined) throw new Error('no ports were made');
  const guest = (port: Port) => startGuest({ mac: port.mac_address, addresses: [`${address(port)}/16`] });
  await using clientGuest = await guest(client);
  await using serverGuest = await guest(server);
  await clientGuest.plug(at, bridge, { 'iface-id': client.id });
  await serverGuest.plug(at, bridge, { 'iface-id': server.id });
  await until(
    async () => (await api.json<{ ports: unknown[] }>('GET', '/v2.0/ports?status=ACTIVE')).ports.length === 2,
    { what: 'both ports are ACTIVE' },
  );
  await api.json('GET', '/v1/sync?timeout=60');

  const ports = [forbiddenPort, allowedPort].map(String);
  const node = process.execPath;
  const servers = new Dialogue(serverGuest.start(node, ...held, 'server', ...ports));
  await servers.line(20_000);
  const stream = new Dialogue(serverGuest.start(node, ...steady, 'receive', String(streamPort)));
  await stream.line(20_000);
  clientGuest.start(node, ...steady, 'send', address(server), String(streamPort));
  const connections = new Dialogue(
    clientGuest.start(node, ...held, 'client', address(server), String(each), ...ports),
  );
  await connections.line(120_000);
  await api.json('DELETE', `/v2.0/security-group-rules/${first}`);
  await api.json('GET', '/v1/sync?timeout=60');
  const cuts: Cut[] = [];
  const scene: Scene = { at, endpoint, api, group: group.id, each, connections, stream };
  for (let turn = 0; turn < turns; turn++) cuts.push(await cut(scene));
  tell(cuts, each);
  api.close();
}
