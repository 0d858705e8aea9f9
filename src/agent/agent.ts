/**
 * A hypervisor's life: keeps its switch equal to what the store says, and says back what it holds.
 * Every event only marks that something changed; rounds run one after another, each for all that is known when
 * it starts, so a slow switch makes rounds larger, never longer the queue.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../base/errors.ts';
import { type FlowUpdate, type PacketIn, ports } from '../openflow/index.ts';
import { type DatapathStats, isKernelDatapath } from '../ovsdb/index.ts';
import { tableNames } from '../pipeline/tables.ts';
import type { PortId } from '../policy/world.ts';
import type { Store } from '../store/contract.ts';
import { Cutter } from './connections/cutter.ts';
import { Core, type Round } from './core.ts';
import { Applier } from './flows/applier.ts';
import { type LookScope, Looks } from './flows/looks.ts';
import { Rounds } from './flows/rounds.ts';
import { Hits } from './hits/hits.ts';
import { LinkLocals } from './punts/link-locals.ts';
import { Answers } from './report/answers.ts';
import { Bindings } from './report/bindings.ts';
import { portDrops } from './report/counters.ts';
import { explain } from './report/explaining.ts';
import { Presence } from './report/presence.ts';
import type { Fullness } from './switch/conntrack-table.ts';
import { Drift, type DriftCounts } from './switch/drift.ts';
import { removeForeignGroups } from './switch/groups.ts';
import { answerMeterOf, Metering, meterSupport, puntMeterOf } from './switch/metering.ts';
import { SwitchLinks } from './switch/switch-links.ts';

export interface AgentOptions {
  readonly store: Store;
  readonly log: Logger;
  /** This hypervisor's name, unique in the cloud. */
  readonly host: string;
  /** `unix:PATH` or `tcp:HOST:PORT`. */
  readonly ovsdb: string;
  readonly openflow: string;
  /** Directory of ovs-vswitchd's control socket; null when the switch is on another machine. */
  readonly rundir: string | null;
  readonly bridge: string;
  /** Datapath of a bridge that the agent has to make: `netdev` or `system`. */
  readonly datapathType: string;
  /** Connections that one network may have on this host; any number when left out. */
  readonly maxPerNetwork?: number;
  /** The zone that this host says it is in; `nova` when left out. */
  readonly availabilityZone?: string;
  /** Milliseconds between looks at what rules let in; 15 seconds when left out. */
  readonly hitsInterval?: number;
  /** Milliseconds between looks at what others may have changed on the switch; 5 seconds when left out. */
  readonly lookInterval?: number;
}

/** What the metrics page tells of an agent. */
export interface AgentStatus {
  readonly installedFlows: number;
  readonly localPorts: number;
  readonly rounds: number;
  readonly flowsChanged: number;
  readonly failures: number;
  /** Connections that were cut because rules no longer allow them, and the seconds that this took. */
  readonly connectionsCut: number;
  readonly cuttingSeconds: number;
  /** What others changed on the switch, by kind. */
  readonly drift: DriftCounts;
}

interface Running {
  readonly core: Core;
  readonly applier: Applier;
  readonly bindings: Bindings;
  readonly linkLocals: LinkLocals;
  readonly answersNd: boolean;
  readonly meterSpread: number;
}

const usualHitsInterval = 15_000;
const usualLookInterval = 5000;
/** Milliseconds between two corrections of flows that others change: two controllers must not make both spin. */
const correctionInterval = 500;

export class Agent {
  readonly #options: AgentOptions;
  readonly #answers: Answers;
  readonly #metering: Metering;
  readonly #links: SwitchLinks;
  readonly #cutter: Cutter;
  readonly #hits: Hits;
  readonly #rounds: Rounds;
  readonly #presence: Presence;
  readonly #drift: Drift;
  readonly #looks: Looks;
  #named = false;
  #corrected = Number.NEGATIVE_INFINITY;
  #correction: NodeJS.Timeout | undefined;
  #running: Running | null = null;
  #fresh = true;
  #afterRound: (() => void)[] = [];
  #applied: () => void = () => undefined;
  readonly #firstApplied = new Promise<void>((resolve) => {
    this.#applied = resolve;
  });
  readonly #counts = { rounds: 0, flowsChanged: 0 };

  constructor(options: AgentOptions) {
    this.#options = options;
    const { store, host, log } = options;
    this.#metering = new Metering(log);
    this.#drift = new Drift(log);
    this.#rounds = new Rounds(() => this.#round(), log);
    this.#looks = new Looks(options.lookInterval ?? usualLookInterval, () => this.#rounds.wake());
    this.#answers = new Answers({
      store,
      host,
      log,
      cut: () => this.#cutter.counts.connections,
      hits: () => this.#hits.look(),
      drops: async (port) => {
        if (this.#running === null) return null;
        const { core, linkLocals } = this.#running;
        return portDrops(this.#links.session, core.pipeline, port, linkLocals.refusals(port));
      },
      explain: async (port, frame) => {
        const pipeline = this.#running?.core.pipeline;
        if (pipeline === undefined) return null;
        return explain({ pipeline, host, connections: (zone) => this.#links.connections(zone) }, port, frame);
      },
    });
    this.#links = new SwitchLinks({
      ...options,
      maxPerNetwork: options.maxPerNetwork ?? 0,
      drift: this.#drift,
      onChange: () => this.#rounds.wake(),
      onSession: () => {
        this.#fresh = true;
      },
      onUp: () => this.#rounds.hasten(),
      onPacketIn: (packet) => void this.#packetIn(packet),
      onFlowRemoved: (removed) => this.#hits.flowRemoved(removed),
      onFlowUpdate: (update) => this.#flowUpdate(update),
      onReshaped: () => {
        this.#running?.applier.doubt();
        this.#rounds.wake();
      },
    });
    const links = this.#links;
    this.#cutter = new Cutter({
      log,
      session: links.session,
      connections: (zone) => links.connections(zone),
      onKernel: () => isKernelDatapath(links.datapathType),
      revalidated: () => links.revalidated(),
    });
    this.#hits = new Hits({
      ...options,
      interval: options.hitsInterval ?? usualHitsInterval,
      session: () => links.session,
      counted: () => links.counted(),
    });
    this.#presence = new Presence({ ...options, datapathType: () => this.#links.datapathType });
  }

  /** Says that this host lives; rejects when the store does. The switch is met in the background. */
  async start(): Promise<void> {
    this.#options.log.info({ host: this.#options.host }, 'the agent starts');
    await this.#hits.start();
    await this.#presence.start();
    this.#links.conntrack?.start();
  }

  /** Resolves when the switch has equalled the store for the first time. */
  get firstApplied(): Promise<void> {
    return this.#firstApplied;
  }

  get status(): AgentStatus {
    const { connections, seconds } = this.#cutter.counts;
    return {
      ...this.#counts,
      connectionsCut: connections,
      cuttingSeconds: seconds,
      drift: { ...this.#drift.counts },
      failures: this.#rounds.failures,
      installedFlows: this.#running?.applier.installedFlows ?? 0,
      localPorts: this.#running?.core.pipeline.relations.locals.size ?? 0,
    };
  }

  /** What the datapath has to look through for a packet; null when it cannot be asked. */
  datapathStats(): Promise<DatapathStats | null> {
    return this.#links.datapathStats();
  }

  /** How full the table of connections is; null when it cannot be asked. */
  async conntrackFullness(): Promise<Fullness | null> {
    return (await this.#links.conntrack?.fullness()) ?? null;
  }

  /** Leaves the flows in place. */
  async stop(): Promise<void> {
    this.#links.conntrack?.halt();
    this.#rounds.halt();
    this.#looks.halt();
    clearTimeout(this.#correction);
    this.#presence.halt();
    await this.#hits.stop();
    this.#running?.core.close();
    await this.#links.close();
    await this.#rounds.ended();
    await this.#presence.leave();
  }

  async #round(): Promise<void> {
    const links = this.#links;
    if (!links.ready) return;
    if (this.#fresh) await this.#meetSwitch();
    const running = this.#running;
    if (running === null || !running.core.fed) return;
    await this.#prepareZones(running.core);

    const round = running.core.derive(links.ovsdb);
    const asked = [...round.asks.values()].some(({ kind }) => kind === 'sync');
    const zones = [...running.core.pipeline.facts.zones.entries()].map(([, zone]) => zone);
    // No flow waits for it: a zone without its limit works.
    void links.conntrack?.limit(new Set(zones));
    const after = this.#afterRound;
    this.#afterRound = [];
    let acknowledged = false;
    try {
      await this.#looks.take(asked, (scope) => this.#look(running, scope));
      await this.#apply(running);
      // What a connection acknowledged that is over says nothing of the switch behind the next one.
      acknowledged = !this.#fresh;
    } finally {
      if (!acknowledged) {
        this.#answers.restore(round.asks);
        this.#afterRound.unshift(...after);
        this.#rounds.wake();
      }
    }
    if (!acknowledged) return;
    const cut = this.#cutter.cut(running.core.pipeline);
    this.#nameTables();
    this.#applied();
    this.#presence.refresh();
    for (const action of after) this.#attempt(action);
    await this.#sayBack(running, round.wired);
    void this.#answer(round.asks, cut);
  }

  async #look({ applier }: Running, scope: LookScope): Promise<void> {
    const { session } = this.#links;
    await this.#metering.look(session, this.#drift);
    await removeForeignGroups(session, this.#drift);
    if (scope === 'flows too') await applier.look(session);
  }

  /** Flows that others changed are put right at once, but not more often than at intervals. */
  #flowUpdate(update: FlowUpdate): void {
    if (this.#running?.applier.hear(update) !== true || this.#correction !== undefined) return;
    const rest = this.#corrected + correctionInterval - performance.now();
    this.#correction = setTimeout(() => {
      this.#correction = undefined;
      this.#rounds.wake();
    }, rest);
  }

  async #apply({ core, applier }: Running): Promise<void> {
    const { session } = this.#links;
    if (applier.strayed) {
      this.#corrected = performance.now();
      // Whoever removes a meter removes its flows, and connections that foreign flows let in are not to stay.
      await this.#metering.look(session, this.#drift);
      core.pipeline.tightening.markAll();
    }
    await Promise.all([this.#metering.prepare(session, core.pipeline), applier.rehearse()]);
    // What became of a change that failed is not known.
    let changed = true;
    try {
      const { put, removed } = await applier.apply(session);
      changed = put + removed > 0;
      this.#counts.flowsChanged += put + removed;
    } finally {
      if (changed) this.#links.changed();
    }
    await this.#metering.prune(session);
    this.#counts.rounds++;
  }

  /** What is recorded of an acknowledged round. A store that is away does not undo the round; it hears later. */
  async #sayBack({ core, bindings }: Running, wired: ReadonlySet<PortId>): Promise<void> {
    const { ovsdb } = this.#links;
    try {
      await bindings.report(wired);
      await ovsdb.transact(core.releaseZones(ovsdb));
      this.#rounds.settled();
    } catch (error) {
      this.#repeatLater(reasonOf(error));
    }
  }

  /** Once packets meet the round's flows, and no connection is left that they would not let begin. */
  async #answer(asks: Round['asks'], cut: Promise<boolean>): Promise<void> {
    try {
      const revalidated = await cut;
      if (asks.size === 0) return;
      const { session, ovsdb } = this.#links;
      if (!revalidated) {
        await session.barrier();
        await this.#links.revalidated();
      }
      // What others changed before the question has been told by then.
      await Promise.all([session.barrier(), ovsdb.caughtUp()]);
    } catch (error) {
      this.#answers.restore(asks);
      this.#repeatLater(reasonOf(error));
      return;
    }
    // The round that puts it right takes the question again.
    if (!this.#asLeft) {
      this.#answers.restore(asks);
      return;
    }
    const failed = await this.#answers.settle(asks);
    if (failed !== null) this.#repeatLater(failed);
  }

  /** Nothing is known on the switch that differs from what was put there. */
  get #asLeft(): boolean {
    return !this.#fresh && this.#links.inShape && this.#running?.applier.settled === true;
  }

  #repeatLater(error: string): void {
    if (this.#rounds.stopped) return;
    this.#options.log.warn({ error }, 'what the switch holds could not be said, saying it again later');
    this.#rounds.repeatLater();
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#options.log.debug({ error: reasonOf(error) }, 'a packet was not sent on');
    }
  }

  /** A connection has no memory of the one before: the switch may be another, its datapath too. */
  async #meetSwitch(): Promise<void> {
    const links = this.#links;
    const { session } = links;
    this.#fresh = false;
    links.conntrack?.forget();
    // Before any answer that a caller waits for: commands of a control connection run in order.
    void links.takeSmallPieces();
    // The monitor before the reading, so that no change falls between; all questions at once, for the switch may have
    // just started and be busy.
    const watched = session.watchFlows();
    this.#running?.applier.meet(session);
    const [monitored, answers, support] = await Promise.all([
      watched,
      links.answersNd(),
      meterSupport(session),
    ]).catch((error: unknown) => {
      this.#fresh = true;
      throw error;
    });
    if (!monitored)
      this.#options.log.warn(
        'the switch has no flow monitor: changes by others are found by comparing alone',
      );
    this.#metering.meet(support);
    const { spread: meterSpread } = support;
    const answersNd = answers ?? this.#running?.answersNd ?? false;
    if (this.#running?.answersNd !== answersNd || this.#running.meterSpread !== meterSpread)
      this.#begin(answersNd, meterSpread);
    // Rules may have gone while nobody watched this switch.
    this.#running?.core.pipeline.tightening.markAll();
    this.#named = false;
  }

  /** For people who read the switch: not before it has its flows, for it tells hundreds of kilobytes of its tables. */
  #nameTables(): void {
    if (this.#named) return;
    this.#named = true;
    void this.#links.session.setTableNames(tableNames).catch((error: unknown) => {
      this.#options.log.debug({ error: reasonOf(error) }, 'tables could not be named');
    });
  }

  #begin(answersNd: boolean, meterSpread: number): void {
    const { store, host, log } = this.#options;
    this.#running?.core.close();
    const core = new Core({
      ...this.#options,
      features: {
        answersNd,
        puntMeter: (port) =>
          meterSpread === 0 ? null : puntMeterOf(core.pipeline.ids.ports.of(port), meterSpread),
        answerMeter: (port) =>
          meterSpread === 0 ? null : answerMeterOf(core.pipeline.ids.ports.of(port), meterSpread),
      },
      answers: this.#answers,
      onChange: () => this.#rounds.wake(),
    });
    const { facts, relations, desired } = core.pipeline;
    this.#hits.follow(core);
    const applier = new Applier({ desired, log, drift: this.#drift, watch: this.#hits });
    // The switch answers while the store is read and flows are derived.
    applier.meet(this.#links.session);
    this.#running = {
      core,
      answersNd,
      meterSpread,
      applier,
      bindings: new Bindings(store, core.topology, host),
      linkLocals: new LinkLocals({ store, facts, relations, log }),
    };
  }

  /** A zone is recorded before its first use, and empty at its first use. */
  async #prepareZones(core: Core): Promise<void> {
    const { ovsdb, session } = this.#links;
    const { fresh, operations } = core.planZones(ovsdb);
    // Flushed first: a record stands for a zone that is clean or in use, whenever we are interrupted.
    for (const zone of fresh) await session.flushZone(zone);
    await ovsdb.transact(operations);
  }

  async #packetIn(packet: PacketIn): Promise<void> {
    try {
      const claimed = await this.#running?.linkLocals.claim(packet);
      const inPort = packet.metadata.in_port;
      if (claimed !== true || typeof inPort !== 'number') return;
      // Once its flows are there the probe goes on as if it had never stopped.
      const onward = { inPort, data: packet.data, actions: [{ type: 'output', port: ports.table }] } as const;
      this.#afterRound.push(() => this.#links.session.packetOut(onward));
      this.#rounds.wake();
    } catch (error) {
      this.#options.log.warn({ error: reasonOf(error) }, 'a packet could not be judged');
    }
  }

  /** How often each relation of the pipeline has been derived: what changes cost. */
  get derivations(): ReadonlyMap<string, number> {
    return this.#running?.core.pipeline.derivations ?? new Map<string, number>();
  }
}
