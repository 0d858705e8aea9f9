/**
 * A hypervisor's agent: keeps its switch equal to what the store says, and reports to the store what the switch has.
 * Builds the rooms, starts and stops them, and names the steps of a round; the rooms do the work.
 */
import { type DatapathStats, isKernelDatapath } from '../ovsdb/index.ts';
import { Pipeline } from '../pipeline/flow-derivation.ts';
import { Cutter } from './connections/cutter.ts';
import { LeavingConnections } from './connections/leaving.ts';
import { Flows } from './flows/flows.ts';
import { Rounds } from './flows/rounds.ts';
import { Hits } from './hits/hits.ts';
import { Interest } from './interest/interest.ts';
import type { AgentOptions, AgentStatus } from './options.ts';
import { Advertising } from './punts/advertising.ts';
import { defaultDhcpSettings } from './punts/dhcp4-configuration.ts';
import { Punts } from './punts/punts.ts';
import { puntHandlers } from './punts/registry.ts';
import { sendOut } from './punts/send-out.ts';
import { type Questions, Report } from './report/report.ts';
import type { Fullness } from './switch/conntrack-table.ts';
import { Drift } from './switch/drift.ts';
import { SwitchLinks } from './switch/switch-links.ts';

export type { AgentOptions, AgentStatus } from './options.ts';

const noQuestions: Questions = { asks: new Map(), target: null };

export class Agent {
  readonly #options: AgentOptions;
  readonly #pipeline: Pipeline;
  readonly #rounds: Rounds;
  readonly #drift: Drift;
  readonly #links: SwitchLinks;
  readonly #interest: Interest;
  readonly #hits: Hits;
  readonly #flows: Flows;
  readonly #connections: Cutter;
  readonly #punts: Punts;
  readonly #advertising: Advertising;
  readonly #leaving: LeavingConnections;
  readonly #report: Report;
  #roundCount = 0;
  #resolveFirst: () => void = () => undefined;
  /** Resolves when the switch has equalled the store for the first time. */
  readonly firstApplied: Promise<void>;
  /** Resolves with a fault when another agent lives as this host. */
  readonly taken: Promise<Error>;

  constructor(given: AgentOptions) {
    // Each line of the agent's log names its bridge.
    const options = { ...given, log: given.log.child({ bridge: given.bridge }) };
    this.#options = options;
    this.#pipeline = new Pipeline({ host: options.host });
    this.firstApplied = new Promise((resolve) => {
      this.#resolveFirst = resolve;
    });
    this.#rounds = new Rounds(() => this.#round(), options.log);
    const onChange = (): void => this.#rounds.wake();
    const common = { ...options, pipeline: this.#pipeline, onChange };

    this.#drift = new Drift(options.log);
    this.#links = new SwitchLinks({ maxPerNetwork: 0, ...options, drift: this.#drift });
    const links = this.#links;
    this.#interest = new Interest({ ...common, links });
    this.#hits = new Hits({ ...common, links, interest: this.#interest });
    this.#flows = new Flows({ ...common, links, drift: this.#drift, watch: this.#hits });
    this.#connections = new Cutter({
      ...common,
      follows: (prefix) => this.#interest.topology.follows(prefix),
      session: () => links.session,
      connections: (zone) => links.connections(zone),
      onKernel: () => isKernelDatapath(links.datapathType),
      revalidated: () => links.revalidated(),
    });
    const dhcp = options.dhcp ?? defaultDhcpSettings;
    this.#punts = new Punts({
      ...common,
      links,
      handlers: puntHandlers(dhcp),
    });
    this.#advertising = new Advertising({
      pipeline: this.#pipeline,
      settings: dhcp,
      send: (ofport, data) => sendOut(links, ofport, [data]),
    });
    this.#leaving = new LeavingConnections({ ...common, connections: (zone) => links.connections(zone) });
    this.#report = new Report({
      ...common,
      links,
      interest: this.#interest,
      rounds: this.#rounds,
      flows: this.#flows,
      connections: this.#connections,
      hits: this.#hits,
      punts: this.#punts,
    });
    this.taken = this.#report.life.taken;
  }

  /** Rejects when the store does, and when another agent lives as this host. The switch may come later. */
  async start(): Promise<void> {
    this.#options.log.info({ host: this.#options.host }, 'agent started');
    this.#links.start({
      onChange: () => this.#rounds.wake(),
      onConnected: () => this.#flows.onConnected(),
      onUp: () => this.#rounds.retryNow(),
      onReshaped: () => this.#flows.onReshaped(),
      onFlowUpdate: (update) => this.#flows.onFlowUpdate(update),
      onFlowRemoved: (removed) => this.#hits.onFlowRemoved(removed),
      onPacketIn: (packet) => void this.#punts.onPacketIn(packet),
    });
    await this.#hits.start();
    await this.#report.start();
    await this.#leaving.start();
    this.#flows.start();
    this.#punts.start();
    // Last, because rounds begin once the store is listed.
    this.#interest.start([this.#report.answers, this.#report.targets, this.#report.life]);
  }

  /** Leaves the flows in place. */
  async stop(): Promise<void> {
    this.#rounds.stop();
    this.#flows.stop();
    this.#punts.stop();
    this.#advertising.stop();
    this.#leaving.stop();
    await this.#hits.stop();
    this.#interest.stop();
    await this.#links.stop();
    await this.#rounds.ended();
    await this.#report.stop();
  }

  /** One step after another, for all that is known when they start. */
  async #round(): Promise<void> {
    if (!this.#links.ready || !this.#interest.listed) return;
    await this.#flows.onSwitchConnected();
    if (!(await this.#interest.prepare())) return;

    // From here to `run` nothing waits: the questions, the packets and the flows belong to one moment.
    this.#interest.readSwitch();
    const questions = this.#interest.isComplete ? this.#report.takeQuestions() : noQuestions;
    const onward = this.#punts.takeOnward();
    this.#pipeline.run();

    this.#links.limitConnections([...this.#pipeline.facts.zones.entries()].map(([, zone]) => zone));
    let acknowledged = false;
    try {
      acknowledged = await this.#flows.apply(questions.target !== null);
    } finally {
      if (!acknowledged) {
        this.#report.restore(questions);
        this.#punts.restoreOnward(onward);
        this.#rounds.wake();
      }
    }
    if (!acknowledged) return;
    this.#roundCount++;
    const cut = this.#connections.cut();
    this.#resolveFirst();
    this.#punts.send(onward);
    this.#advertising.update();
    this.#leaving.update();
    await this.#report.acknowledged();
    void this.#report.answer(questions, cut);
  }

  /** Whether the switch and its database answer. */
  get hasSwitch(): boolean {
    return this.#links.ready;
  }

  get status(): AgentStatus {
    const { connections, seconds } = this.#connections.counts;
    return {
      rounds: this.#roundCount,
      flowsChanged: this.#flows.changed,
      connectionsCut: connections,
      cuttingSeconds: seconds,
      drift: { ...this.#drift.counts },
      failures: this.#rounds.failures,
      installedFlows: this.#flows.installed,
      localPorts: this.#pipeline.relations.locals.size,
    };
  }

  /** How many masks and flows the datapath searches for a packet; null when the switch cannot be asked. */
  datapathStats(): Promise<DatapathStats | null> {
    return this.#links.datapathStats();
  }

  /** How full the connection table is; null when the switch cannot be asked. */
  async conntrackFullness(): Promise<Fullness | null> {
    return (await this.#links.conntrack?.fullness()) ?? null;
  }

  /** How often each relation of the pipeline was derived: the cost of changes. */
  get derivations(): ReadonlyMap<string, number> {
    return this.#pipeline.derivations;
  }
}
