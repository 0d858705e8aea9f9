/**
 * A hypervisor for tests: a private switch, a store and the real agent between them, with helpers to read
 * each. `stop` ends everything.
 */
import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { Agent, type AgentOptions } from '../../src/agent/agent.ts';
import { keys } from '../../src/model/keys.ts';
import type { AppliedRecord, AskRecord, BindingRecord } from '../../src/model/records.ts';
import type { Store, Write } from '../../src/store/contract.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { withPortMarks } from '../lib/records.ts';
import { type Switch, type SwitchOptions, startSwitch } from '../lib/switch.ts';
import { until } from '../lib/wait.ts';

/** One line of the agent's log, as it was given to the log. */
export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface LabOptions extends SwitchOptions {
  /** Wraps the store that tests write to; the agent uses the result. */
  readonly agentStore?: (store: Store) => Store;
  readonly agent?: Partial<AgentOptions>;
}

let lastAsk = 0;

export class Lab {
  readonly switch: Switch;
  readonly store = new MemoryStore();
  readonly bridge: string;
  readonly host = 'here';
  readonly lines: LogLine[] = [];
  readonly #options: LabOptions;
  #agent: Agent | null = null;
  #cutBefore = 0;

  constructor(made: Switch, options: LabOptions) {
    this.switch = made;
    this.#options = options;
    // Outside the dummy datapath a bridge is a device of the whole machine.
    this.bridge = options.dummy ? 'br-int' : `pctb${randomBytes(4).toString('hex')}`;
  }

  get agent(): Agent {
    if (this.#agent === null) throw new Error('no agent runs');
    return this.#agent;
  }

  /** Starts the agent; resolves when the switch equals the store. */
  async startAgent(changes: Partial<AgentOptions> = {}): Promise<Agent> {
    const agent = this.makeAgent(changes);
    await agent.start();
    let applied = false;
    void agent.firstApplied.then(() => (applied = true));
    await until(() => applied, { what: 'the switch equals the store' });
    return agent;
  }

  makeAgent(changes: Partial<AgentOptions> = {}): Agent {
    const { agentStore = (store: Store) => store } = this.#options;
    const sink = { write: (line: string) => void this.lines.push(JSON.parse(line) as LogLine) };
    this.#cutBefore = 0;
    this.#agent = new Agent({
      store: agentStore(this.store),
      log: pino({ level: 'debug' }, sink),
      host: this.host,
      ovsdb: this.switch.dbTarget,
      openflow: this.switch.mgmt(this.bridge),
      rundir: this.switch.dir,
      bridge: this.bridge,
      datapathType: this.switch.datapathType,
      ...this.#options.agent,
      ...changes,
    });
    return this.#agent;
  }

  async stopAgent(): Promise<void> {
    const agent = this.#agent;
    this.#agent = null;
    await agent?.stop();
  }

  async write(...writes: readonly Write[]): Promise<void> {
    await this.store.txn([], withPortMarks(writes));
  }

  /** Plugs dummy interfaces, with the names of their ports by default. */
  plug(id: string, name = id, ofport?: number): Promise<void> {
    const port = { name, externalIds: { 'iface-id': id } };
    return this.switch.addDummyPorts(this.bridge, [ofport === undefined ? port : { ...port, ofport }]);
  }

  async unplug(name: string): Promise<void> {
    await this.switch.vsctl('del-port', this.bridge, name);
  }

  async binding(port: string, network = 'n1'): Promise<BindingRecord | null> {
    const entry = await this.store.get(keys.binding(network, port));
    return entry === null ? null : (JSON.parse(entry.value) as BindingRecord);
  }

  async bound(port: string, status: BindingRecord['status'], network = 'n1'): Promise<void> {
    await until(async () => (await this.binding(port, network))?.status === status, {
      what: `${port} is ${status}`,
    });
  }

  /** Asks a question and returns its id. */
  async ask(question: AskRecord): Promise<string> {
    const id = `ask-${++lastAsk}`;
    await this.write({ op: 'put', key: keys.ask(id), value: JSON.stringify(question) });
    return id;
  }

  async answer(id: string): Promise<unknown> {
    const entry = await this.store.get(keys.answer(id, this.host));
    return entry === null ? null : (JSON.parse(entry.value) as unknown);
  }

  /** Sets a target for syncs and returns its revision. */
  async setTarget(): Promise<number> {
    const put = await this.store.txn([], [{ op: 'put', key: keys.syncTarget(), value: '' }]);
    return put.ok ? put.revision : 0;
  }

  /** What the switch has acknowledged, once it has reached a target. */
  async reached(target: number): Promise<AppliedRecord | null> {
    const entry = await this.store.get(keys.applied(this.host));
    const applied = entry && (JSON.parse(entry.value) as AppliedRecord);
    return applied !== null && applied.revision >= target ? applied : null;
  }

  /** Resolves when the switch has everything that the store has now. `cut`: since the sync before. */
  async sync(): Promise<{ readonly cut: number; readonly cut_total: number }> {
    const target = await this.setTarget();
    const { cut_total } = await until(() => this.reached(target), { what: 'the agent reaches a target' });
    const cut = cut_total - this.#cutBefore;
    this.#cutBefore = cut_total;
    return { cut, cut_total };
  }

  /** Flows of the bridge without their counters and ages, sorted. */
  async flows(filter = ''): Promise<string[]> {
    const args = ['--no-stats', 'dump-flows', this.switch.mgmt(this.bridge), ...(filter ? [filter] : [])];
    const text = await this.switch.ofctl(...args);
    const lines = text.split('\n').filter((line) => line.includes('actions='));
    return lines.map((line) => line.trim()).sort();
  }

  async ofport(name: string): Promise<number> {
    return until(async () => {
      const text = await this.switch.vsctl('get', 'Interface', name, 'ofport');
      return Number.parseInt(text, 10) > 0 && Number.parseInt(text, 10);
    });
  }

  logged(text: string): readonly LogLine[] {
    return this.lines.filter(({ msg }) => msg.includes(text));
  }

  async stop(): Promise<void> {
    await this.stopAgent();
    await this.store.close();
    await this.switch.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** A switch without a bridge, an empty store, and no agent yet. */
export async function startLab(options: LabOptions = {}): Promise<Lab> {
  return new Lab(await startSwitch(options), options);
}
