/**
 * Concurrent writers through all servers. They update shared ports (`registers.ts`), and each creates and deletes ports and
 * rules of its own and keeps account of the answers.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { keys } from '../../src/model/keys.ts';
import type { PortRecord } from '../../src/model/records.ts';
import type { Random } from '../api/fuzz/random.ts';
import { type Json, type Method, type Reply, Wire } from '../api/races/wire.ts';
import type { Cloud, Server } from './cloud.ts';
import { Register, valueOf } from './registers.ts';

export interface SharedPort {
  readonly id: string;
  readonly network: string;
}

/** Milliseconds between two operations of a writer, at most. */
const maxPause = 100;
/** Milliseconds after which a writer gives an answer up. */
const answerTimeout = 15_000;

/** What is known of a resource that one writer alone changes: `unsure` while no answer says. */
type Fate = 'present' | 'gone' | 'unsure';

export class Writers {
  readonly registers = new Map<string, Register>();
  readonly #cloud: Cloud;
  readonly #random: Random;
  readonly #ports: readonly SharedPort[];
  readonly #groups: readonly string[];
  /** By the key's kind and id. */
  readonly #fates = new Map<string, Fate>();
  readonly faults: string[] = [];
  readonly statuses = new Map<number | 'broken', number>();
  #isOver = false;
  #number = 0;

  constructor(cloud: Cloud, random: Random, ports: readonly SharedPort[], groups: readonly string[]) {
    this.#cloud = cloud;
    this.#random = random;
    this.#ports = ports;
    this.#groups = groups;
  }

  /** Resolves when `stop` was called and every writer has ended. */
  async run(count: number): Promise<void> {
    for (const { id, network } of this.#ports) {
      const entry = await this.#cloud.store.get(keys.port(network, id));
      if (entry !== null)
        this.registers.set(id, new Register(valueOf(JSON.parse(entry.value) as PortRecord)));
    }
    await Promise.all(Array.from({ length: count }, (_, at) => this.#write(at)));
  }

  stop(): void {
    this.#isOver = true;
  }

  get acknowledged(): number {
    return [...this.statuses].reduce(
      (sum, [status, count]) => sum + (typeof status === 'number' && status < 300 ? count : 0),
      0,
    );
  }

  async #write(at: number): Promise<void> {
    const wires = this.#cloud.servers.map((server) => ({ server, wire: new Wire(server.endpoint) }));
    const random = this.#random;
    const own: string[] = [];
    while (!this.#isOver) {
      const { server, wire } = random.pick(wires);
      const port = random.pick(this.#ports);
      const register = this.registers.get(port.id);
      if (register === undefined) throw new Error(`no register ${port.id}`);
      await random.weighted<() => Promise<unknown>>([
        [45, () => this.#update(wire, server, port, register, at)],
        [12, () => this.#read(port, register)],
        [12, () => this.#show(wire, server, port, register)],
        [16, () => this.#make(wire, own)],
        [15, () => this.#remove(wire, own)],
      ])();
      await delay(random.below(maxPause));
    }
    for (const { wire } of wires) wire.close();
  }

  /** Null where no answer came. */
  async #call(
    wire: Wire,
    method: Method,
    path: string,
    body?: Json,
    headers: Record<string, string> = {},
  ): Promise<Reply | null> {
    const answer = await Promise.race([
      wire.call(method, path, body, headers).catch(() => null),
      delay(answerTimeout, null, { ref: false }),
    ]);
    const status = answer?.status ?? 'broken';
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    if (answer !== null && answer.status >= 500 && answer.status !== 503)
      this.faults.push(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 300)}`);
    return answer;
  }

  async #update(wire: Wire, server: Server, port: SharedPort, register: Register, at: number): Promise<void> {
    const random = this.#random;
    const text = `w${at}-${++this.#number}`;
    const changes = random.weighted<Json>([
      [4, {}],
      [2, { admin_state_up: random.chance(0.8) }],
      [2, { security_groups: [random.pick(this.#groups)] }],
      [2, { allowed_address_pairs: [{ ip_address: `172.16.${random.below(4)}.0/24` }] }],
    ]);
    let condition: number | null = null;
    if (random.chance(0.5)) {
      const known = await this.#show(wire, server, port, register);
      if (known === null) return;
      condition = known;
    }
    const headers: Record<string, string> =
      condition === null ? {} : { 'If-Match': `revision_number=${condition}` };
    const process = server.process.name;
    const called = performance.now();
    const body = { port: { description: text, ...changes } };
    const answer = await this.#call(wire, 'PUT', `ports/${port.id}`, body, headers);
    const answered = performance.now();
    if (answer === null || answer.status >= 500) register.perhapsWrote(called, text);
    else if (answer.status === 200)
      register.wrote(called, answered, valueOf(answer.body['port'] as PortRecord), process);
    else if (answer.status === 412 && condition !== null) register.refused(called, answered, condition);
    else this.faults.push(`an update was answered ${answer.status} ${JSON.stringify(answer.body)}`);
  }

  async #read({ id, network }: SharedPort, register: Register): Promise<void> {
    const called = performance.now();
    const entry = await this.#cloud.store.get(keys.port(network, id)).catch(() => undefined);
    if (entry === undefined) return;
    if (entry === null) this.faults.push(`port ${id} is gone`);
    else register.read(called, performance.now(), valueOf(JSON.parse(entry.value) as PortRecord));
  }

  /** Gives the revision number that the server shows. */
  async #show(wire: Wire, server: Server, { id }: SharedPort, register: Register): Promise<number | null> {
    const process = server.process.name;
    const called = performance.now();
    const answer = await this.#call(wire, 'GET', `ports/${id}`);
    if (answer === null || answer.status !== 200) return null;
    const value = valueOf(answer.body['port'] as PortRecord);
    register.shown(called, performance.now(), value, process);
    return value.revision;
  }

  async #make(wire: Wire, own: string[]): Promise<void> {
    const random = this.#random;
    const isPort = random.chance(0.7);
    const path = isPort ? 'ports' : 'security-group-rules';
    const name = isPort ? 'port' : 'security_group_rule';
    const { network } = random.pick(this.#ports);
    const attributes = isPort
      ? { network_id: network, security_groups: [random.pick(this.#groups)], name: `n${++this.#number}` }
      : {
          security_group_id: random.pick(this.#groups),
          direction: random.pick(['ingress', 'egress']),
          ethertype: 'IPv4',
          protocol: 'tcp',
          port_range_min: 1 + random.below(60_000),
          port_range_max: 65_000,
          remote_group_id: random.pick(this.#groups),
        };
    const answer = await this.#call(wire, 'POST', path, { [name]: attributes });
    if (answer?.status !== 201) return;
    const thing = `${path}/${String((answer.body[name] as Json)['id'])}`;
    this.#fates.set(thing, 'present');
    own.push(thing);
  }

  async #remove(wire: Wire, own: string[]): Promise<void> {
    if (own.length < 5) return;
    const [thing = ''] = own.splice(this.#random.below(own.length), 1);
    this.#fates.set(thing, 'unsure');
    const answer = await this.#call(wire, 'DELETE', thing);
    if (answer === null || answer.status >= 500) return;
    // The other server may not have heard of it yet.
    if (answer.status === 204) this.#fates.set(thing, 'gone');
    else if (answer.status === 404) this.#fates.set(thing, 'present');
    else this.faults.push(`DELETE ${thing}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }

  /** What was acknowledged and is not so. `present`: every id in the store. */
  lost(present: ReadonlySet<string>): readonly string[] {
    return [...this.#fates].flatMap(([thing, fate]) => {
      const [, id = ''] = thing.split('/');
      if (fate === 'unsure' || (fate === 'present') === present.has(id)) return [];
      return [`${thing} was acknowledged as ${fate}`];
    });
  }
}
