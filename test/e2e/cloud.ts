/**
 * A whole installation for one test file: a private switch, `portcullis up` as a process, and guests of
 * `portcullis guest`. Tests use only the interfaces of users. Everything is removed at the end, also when the
 * test process dies.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type CommandOptions, type CommandResult, run, runAnyway } from '../lib/command.ts';
import { Probe } from '../lib/probe.ts';
import { Reaper } from '../lib/reaper.ts';
import { type Relay, startRelay } from '../lib/relay.ts';
import { datapath, type Switch, startSwitch } from '../lib/switch.ts';
import { build, cleanEnvironment, type Program, program, UpProcess } from '../lib/up-process.ts';
import { slowness, until } from '../lib/wait.ts';

export type Attributes = Readonly<Record<string, unknown>>;

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface Port {
  readonly id: string;
  readonly name: string;
  readonly network_id: string;
  readonly mac_address: string;
  readonly fixed_ips: readonly { readonly ip_address: string }[];
  readonly security_groups: readonly string[];
}

export interface Drop {
  readonly reason: string;
  readonly direction: string;
  readonly packets: number;
  readonly bytes: number;
}

// A process is ours when its command line names our data directory, a namespace when its name begins with our
// tag.
const reaperScript = `
dir=$1; tag=$2
for line in $(grep -alsF "$dir" /proc/[0-9]*/cmdline); do
  pid=\${line#/proc/}
  pid=\${pid%/cmdline}
  [ "$pid" = "$$" ] || kill -9 "$pid"
done
for space in $(ip netns list | cut -d' ' -f1 | grep "^$tag-"); do
  for pid in $(ip netns pids "$space"); do kill -9 "$pid"; done
  ip netns del "$space"
done
rm -rf "$dir"
`;

/** A port with its guest. */
export class Member {
  readonly port: Port;
  readonly namespace: string;
  readonly probe: Probe;

  constructor(port: Port, namespace: string) {
    this.port = port;
    this.namespace = namespace;
    this.probe = new Probe(namespace);
  }

  get id(): string {
    return this.port.id;
  }

  get mac(): string {
    return this.port.mac_address;
  }

  /** The first fixed address of a family. */
  address(family: 4 | 6): string {
    const found = this.port.fixed_ips.find(
      ({ ip_address }) => ip_address.includes(':') === (family === 6),
    )?.ip_address;
    if (found === undefined) throw new Error(`${this.port.name} has no IPv${family} address`);
    return found;
  }

  get ip(): string {
    return this.address(4);
  }

  get ip6(): string {
    return this.address(6);
  }

  /** Runs a program in the guest; rejects when it fails. */
  run(program: string, ...args: string[]): Promise<string> {
    return run('ip', ['netns', 'exec', this.namespace, program, ...args]);
  }

  runAnyway(program: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return runAnyway('ip', ['netns', 'exec', this.namespace, program, ...args], options);
  }

  /** Whether one echo of several comes back. */
  async pings(address: string, ...args: string[]): Promise<boolean> {
    const { code } = await this.runAnyway('ping', ['-c', '3', '-i', '0.2', '-W', '1', ...args, address]);
    return code === 0;
  }
}

export class Cloud {
  readonly switch: Switch;
  readonly dataDir: string;
  /** Prefix of the namespaces' names, because they belong to the whole machine. */
  readonly tag: string;
  readonly #reaper: Reaper;
  readonly #members: Member[] = [];
  readonly #flags: readonly string[];
  #relay: Relay | null = null;
  up: UpProcess;

  constructor(made: Switch, dataDir: string, release: Program, flags: readonly string[]) {
    this.switch = made;
    this.dataDir = dataDir;
    this.tag = `e2e-${randomBytes(3).toString('hex')}`;
    this.#reaper = new Reaper(reaperScript, [dataDir, this.tag]);
    this.#flags = ['--host', 'e2e', ...flags];
    this.up = new UpProcess(dataDir, made.dbTarget, this.#flags, release);
  }

  /** Starts the process again on the same data, after it ended. */
  async startAgain(): Promise<void> {
    this.up = new UpProcess(this.dataDir, this.switch.dbTarget, this.#flags);
    await this.up.endpoint();
  }

  async start(): Promise<void> {
    await this.up.endpoint();
    this.#relay = await startRelay(this.switch, () => this.up.endpoint());
  }

  /** `body` is sent as JSON, or unchanged when it is text. */
  async api(method: string, path: string, body?: unknown): Promise<Answer> {
    const sent = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const response = await fetch(`${await this.up.endpoint()}${path}`, { method, headers, ...sent });
    const text = await response.text();
    let parsed: unknown = text;
    try {
      parsed = JSON.parse(text);
    } catch {
      // Not every answer is JSON; the test states which should be.
    }
    return { status: response.status, body: parsed };
  }

  async #resource<T>(method: string, path: string, kind: string, attributes: Attributes): Promise<T> {
    const { status, body } = await this.api(method, path, { [kind]: attributes });
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body)}`);
    return (body as Record<string, T>)[kind] as T;
  }

  create<T = { readonly id: string }>(kind: string, attributes: Attributes): Promise<T> {
    return this.#resource('POST', `/v2.0/${kind.replaceAll('_', '-')}s`, kind, attributes);
  }

  /** Written; the switch may not have it yet. */
  async write(kind: string, id: string, attributes: Attributes): Promise<void> {
    await this.#resource('PUT', `/v2.0/${kind.replaceAll('_', '-')}s/${id}`, kind, attributes);
  }

  /** Resolves when the switch has the change. */
  async update(kind: string, id: string, attributes: Attributes): Promise<void> {
    await this.write(kind, id, attributes);
    await this.sync();
  }

  /** Resolves when the switch has the change. */
  async delete(kind: string, id: string): Promise<void> {
    const { status } = await this.api('DELETE', `/v2.0/${kind.replaceAll('_', '-')}s/${id}`);
    expect(status).toBe(204);
    await this.sync();
  }

  /** A rule of a group; resolves when the switch has it. */
  async rule(security_group_id: string, attributes: Attributes): Promise<string> {
    const id = await this.#rule(security_group_id, attributes);
    await this.sync();
    return id;
  }

  async #rule(security_group_id: string, attributes: Attributes): Promise<string> {
    const defaults = { security_group_id, direction: 'ingress', ethertype: 'IPv4' };
    return (await this.create('security_group_rule', { ...defaults, ...attributes })).id;
  }

  /** A group with exactly these rules, and with the default egress rules on request. */
  async group(
    name: string,
    options: {
      readonly out?: boolean;
      readonly rules?: readonly Attributes[];
      readonly stateful?: boolean;
    } = {},
  ): Promise<string> {
    const { stateful = true } = options;
    const made = await this.create<{
      id: string;
      security_group_rules: readonly { id: string; direction: string }[];
    }>('security_group', { name, stateful });
    for (const { id } of options.out === true ? [] : made.security_group_rules)
      await this.api('DELETE', `/v2.0/security-group-rules/${id}`);
    for (const rule of options.rules ?? []) await this.#rule(made.id, rule);
    return made.id;
  }

  async defaultGroup(): Promise<string> {
    const { body } = await this.api('GET', '/v2.0/security-groups?name=default');
    const [found] = (body as { security_groups: { id: string }[] }).security_groups;
    return found?.id ?? '';
  }

  /** Runs one command of the command line; rejects when it fails. */
  async cli(...args: string[]): Promise<string> {
    const [interpreter, ...words] = this.switch.entered(...program, ...args);
    const env = cleanEnvironment({ PORTCULLIS_OVSDB: this.switch.dbTarget });
    const { code, stdout, stderr } = await runAnyway(interpreter, words, { env });
    if (code !== 0) throw new Error(`portcullis ${args.join(' ')}: exit ${code}: ${stderr}${stdout}`);
    return stdout;
  }

  /** Resolves with the API's answer to sync, when the switch has everything. */
  async sync(): Promise<unknown> {
    const { status, body } = await this.api('GET', `/v1/sync?timeout=${30 * slowness}`);
    if (status !== 200) throw new Error(`not in sync: ${JSON.stringify(body)}`);
    return body;
  }

  /** With a subnet for each prefix, or for each set of attributes with a `cidr`. */
  async network(
    attributes: Attributes = {},
    ...subnets: readonly (string | (Attributes & { readonly cidr: string }))[]
  ): Promise<string> {
    const { id: network_id } = await this.create('network', { name: 'net', ...attributes });
    for (const subnet of subnets) {
      const more = typeof subnet === 'string' ? { cidr: subnet } : subnet;
      await this.create('subnet', { network_id, ip_version: more.cidr.includes(':') ? 6 : 4, ...more });
    }
    return network_id;
  }

  /** Sets the groups of a port; resolves when the switch has the change. */
  groupsOf(member: Member, ...security_groups: readonly string[]): Promise<void> {
    return this.update('port', member.id, { security_groups });
  }

  /** Ports with guests whose addresses can be used, ordered by name. */
  async guests(
    network_id: string,
    ports: Readonly<Record<string, Attributes>>,
    ...options: string[]
  ): Promise<Member[]> {
    return Promise.all(
      Object.entries(ports).map(async ([name, attributes]) => {
        const port = await this.create<Port>('port', { name, network_id, ...attributes });
        const namespace = `${this.tag}-${name}`;
        await this.cli('guest', 'add', port.id, '--name', namespace, ...options);
        await until(
          async () =>
            !(await run('ip', ['-n', namespace, 'address', 'show', 'tentative'])).includes('tentative'),
          { what: `${name} has checked its addresses`, interval: 50 },
        );
        const member = new Member(port, namespace);
        this.#members.push(member);
        return member;
      }),
    );
  }

  async drops(port: string): Promise<readonly Drop[]> {
    const { status, body } = await this.api('GET', `/v1/ports/${port}/counters`);
    if (status !== 200) throw new Error(`no counters: ${status} ${JSON.stringify(body)}`);
    return (body as { drops: readonly Drop[] }).drops;
  }

  /** Packets of a port that were dropped for one reason so far. */
  async dropped(port: string, direction: string, reason: string): Promise<number> {
    return (await this.drops(port))
      .filter((drop) => drop.direction === direction && drop.reason === reason)
      .reduce((sum, { packets }) => sum + packets, 0);
  }

  /** Connections that the switch tracks between two addresses, one text each. */
  async connections(one: string, other: string): Promise<string[]> {
    const dump = await this.switch.appctl('dpctl/dump-conntrack', datapath);
    const ends = [`src=${one},dst=${other},`, `src=${other},dst=${one},`];
    return dump.split('\n').filter((line) => ends.some((end) => line.includes(end)));
  }

  /** Megaflows of recent packets from a guest, one text each. */
  async megaflows(from: Member): Promise<string[]> {
    const interfaces = ['--bare', '--columns=name', 'find', 'Interface', `external_ids:iface-id=${from.id}`];
    const device = (await this.switch.vsctl(...interfaces)).trim();
    const dump = await this.switch.appctl('dpctl/dump-flows', '--names', datapath);
    return dump.split('\n').filter((line) => line.includes(`in_port(${device})`));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map(({ probe }) => probe.stop()));
    await this.up.stop();
    await this.#relay?.stop();
    await this.#reaper.finish();
    await this.switch.stop();
  }
}

/** Ready for requests. `release` is what runs until the first `startAgain`; `flags` add to those of all clouds. */
export async function startCloud(release: Program = program, flags: readonly string[] = []): Promise<Cloud> {
  await build();
  const made = await startSwitch({ isolated: true });
  try {
    const cloud = new Cloud(made, await mkdtemp(join(tmpdir(), 'portcullis-e2e-')), release, flags);
    try {
      await cloud.start();
      return cloud;
    } catch (error) {
      await cloud.stop();
      throw error;
    }
  } catch (error) {
    await made.stop();
    throw error;
  }
}
