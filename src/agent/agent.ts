/**
 * A hypervisor's life: keeps its switch equal to what the store says, and says back what it holds.
 * Every event only marks that something changed; rounds run one after another, each for all that is known when
 * it starts, so a slow switch makes rounds larger, never longer the queue.
 */
import type { Logger } from 'pino';
import { Backoff } from '../base/backoff.ts';
import { reasonOf } from '../base/errors.ts';
import { keys } from '../model/keys.ts';
import type { HostRecord } from '../model/records.ts';
import { type PacketIn, ports } from '../openflow/index.ts';
import { tableNames } from '../pipeline/tables.ts';
import type { PortId } from '../policy/world.ts';
import type { Store } from '../store/contract.ts';
import { Answers } from './answers.ts';
import { Applier } from './applier.ts';
import { Bindings } from './bindings.ts';
import { Core, type Round } from './core.ts';
import { portDrops } from './counters.ts';
import { LinkLocals } from './link-locals.ts';
import { Meters, meterOf } from './meters.ts';
import { SwitchLinks } from './switch-links.ts';

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
}

/** What the metrics page tells of an agent. */
export interface AgentStatus {
  readonly installedFlows: number;
  readonly localPorts: number;
  readonly rounds: number;
  readonly flowsChanged: number;
  readonly failures: number;
}

/** Milliseconds between signs of life, and after how many of silence a host counts as gone. */
const heartbeat = { every: 10_000, ttl: 30_000 } as const;

interface Running {
  readonly core: Core;
  readonly applier: Applier;
  readonly bindings: Bindings;
  readonly linkLocals: LinkLocals;
  readonly answersNd: boolean;
}

export class Agent {
  readonly #options: AgentOptions;
  readonly #answers: Answers;
  readonly #meters = new Meters();
  readonly #links: SwitchLinks;
  readonly #backoff = new Backoff({ first: 50, ceiling: 5000 });
  #running: Running | null = null;
  #heart: NodeJS.Timeout | undefined;
  #saidDatapath: string | undefined;
  /** Set while rounds rest after a failed one. */
  #retry: NodeJS.Timeout | undefined;
  /** Set while something said to the store has to be said again. */
  #repeat: NodeJS.Timeout | undefined;
  readonly #repeats = new Backoff({ first: 50, ceiling: 5000 });
  #working: Promise<void> = Promise.resolve();
  #busy = false;
  #again = false;
  #stopped = false;
  #fresh = true;
  #afterRound: (() => void)[] = [];
  #applied: () => void = () => undefined;
  readonly #firstApplied = new Promise<void>((resolve) => {
    this.#applied = resolve;
  });
  readonly #counts = { rounds: 0, flowsChanged: 0, failures: 0 };

  constructor(options: AgentOptions) {
    this.#options = options;
    const { store, host, log } = options;
    this.#answers = new Answers({
      store,
      host,
      log,
      settled: async () => {
        await this.#links.session.barrier();
        await this.#links.revalidated();
      },
      drops: async (port) =>
        this.#running && portDrops(this.#links.session, this.#running.core.pipeline, port),
    });
    this.#links = new SwitchLinks({
      ...options,
      onChange: () => this.#wake(),
      onSession: () => {
        this.#fresh = true;
      },
      onUp: () => this.#hasten(),
      onPacketIn: (packet) => void this.#packetIn(packet),
    });
  }

  /** Says that this host lives; rejects when the store does. The switch is met in the background. */
  async start(): Promise<void> {
    await this.#beat();
    this.#heart = setInterval(() => this.#tryToBeat(), heartbeat.every);
  }

  /** Resolves when the switch has equalled the store for the first time. */
  get firstApplied(): Promise<void> {
    return this.#firstApplied;
  }

  get status(): AgentStatus {
    return {
      ...this.#counts,
      installedFlows: this.#running?.applier.installedFlows ?? 0,
      localPorts: this.#running?.core.pipeline.relations.locals.size ?? 0,
    };
  }

  /** Leaves the flows in place. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#heart);
    clearTimeout(this.#retry);
    clearTimeout(this.#repeat);
    this.#running?.core.close();
    await this.#links.close();
    await this.#working;
    const { store, host } = this.#options;
    await store.txn([], [{ op: 'delete', key: keys.host(host) }]);
  }

  #tryToBeat(): void {
    this.#beat().catch((error: unknown) =>
      this.#options.log.warn({ error: reasonOf(error) }, 'no heartbeat'),
    );
  }

  async #beat(): Promise<void> {
    const { store, host, bridge } = this.#options;
    const datapath = this.#links.datapathType;
    this.#saidDatapath = datapath;
    const record: HostRecord = {
      name: host,
      heartbeat: Date.now(),
      ttl: heartbeat.ttl,
      bridge,
      ...(datapath === undefined ? {} : { datapath_type: datapath }),
    };
    await store.txn([], [{ op: 'put', key: keys.host(host), value: JSON.stringify(record) }]);
  }

  #wake(): void {
    if (this.#stopped) return;
    if (this.#busy || this.#retry !== undefined) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    setImmediate(() => {
      this.#working = this.#rounds();
    });
  }

  /** A line came up: what failed before may succeed now. */
  #hasten(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#wake();
  }

  async #rounds(): Promise<void> {
    do {
      this.#again = false;
      try {
        await this.#round();
        this.#backoff.reset();
      } catch (error) {
        if (this.#stopped) break;
        this.#counts.failures++;
        this.#options.log.warn({ error: reasonOf(error) }, 'a round failed, trying again');
        // Until then events only gather: however many come, a switch that refuses is asked at this pace.
        clearTimeout(this.#retry);
        this.#retry = setTimeout(() => this.#hasten(), this.#backoff.next());
        break;
      }
    } while (this.#again && !this.#stopped);
    this.#busy = false;
    if (this.#again) this.#wake();
  }

  async #round(): Promise<void> {
    const links = this.#links;
    if (!links.ready) return;
    if (this.#fresh) await this.#meetSwitch();
    const running = this.#running;
    if (running === null || !running.core.fed) return;
    await this.#prepareZones(running.core);

    const round = running.core.derive(links.ovsdb);
    const after = this.#afterRound;
    this.#afterRound = [];
    let acknowledged = false;
    try {
      await this.#apply(running, round);
      // What a connection acknowledged that is over says nothing of the switch behind the next one.
      acknowledged = !this.#fresh;
    } finally {
      if (!acknowledged) {
        this.#answers.restore(round.asks);
        this.#afterRound.unshift(...after);
        this.#again = true;
      }
    }
    if (!acknowledged) return;
    this.#applied();
    if (links.datapathType !== this.#saidDatapath) this.#tryToBeat();
    for (const action of after) this.#attempt(action);
    await this.#sayBack(running, round.wired);
    void this.#answer(round.asks);
  }

  async #apply({ core, applier }: Running, { wired }: Round): Promise<void> {
    const { session } = this.#links;
    const { ids } = core.pipeline;
    const meters = new Set([...wired].map((port) => meterOf(ids.ports.of(port))));
    await this.#meters.add(session, meters);
    const { put, removed } = await applier.apply(session);
    await this.#meters.prune(session, meters);
    this.#counts.rounds++;
    this.#counts.flowsChanged += put + removed;
  }

  /** What is recorded of an acknowledged round. A store that is away does not undo the round; it hears later. */
  async #sayBack({ core, bindings }: Running, wired: ReadonlySet<PortId>): Promise<void> {
    const { ovsdb } = this.#links;
    try {
      await bindings.report(wired);
      await ovsdb.transact(core.releaseZones(ovsdb));
      this.#repeats.reset();
    } catch (error) {
      this.#repeatLater(reasonOf(error));
    }
  }

  async #answer(asks: Round['asks']): Promise<void> {
    const failed = await this.#answers.settle(asks);
    if (failed !== null) this.#repeatLater(failed);
  }

  #repeatLater(error: string): void {
    if (this.#stopped) return;
    this.#options.log.warn({ error }, 'what the switch holds could not be said, saying it again later');
    clearTimeout(this.#repeat);
    this.#repeat = setTimeout(() => this.#wake(), this.#repeats.next());
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
    this.#fresh = false;
    this.#meters.forget();
    this.#running?.applier.forget();
    const answersNd = (await links.answersNd()) ?? this.#running?.answersNd ?? false;
    if (this.#running?.answersNd !== answersNd) this.#begin(answersNd);
    void links.session.setTableNames(tableNames).catch((error: unknown) => {
      this.#options.log.debug({ error: reasonOf(error) }, 'tables could not be named');
    });
  }

  #begin(answersNd: boolean): void {
    const { store, host, log } = this.#options;
    this.#running?.core.close();
    const core = new Core({
      ...this.#options,
      features: { answersNd, puntMeter: (port) => meterOf(core.pipeline.ids.ports.of(port)) },
      answers: this.#answers,
      onChange: () => this.#wake(),
    });
    const { facts, relations, desired } = core.pipeline;
    this.#running = {
      core,
      answersNd,
      applier: new Applier(desired, log),
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
      this.#wake();
    } catch (error) {
      this.#options.log.warn({ error: reasonOf(error) }, 'a packet could not be judged');
    }
  }

  /** How often each relation of the pipeline has been derived: what changes cost. */
  get derivations(): ReadonlyMap<string, number> {
    return this.#running?.core.pipeline.derivations ?? new Map<string, number>();
  }

  /** Ports of this host, as the pipeline sees them now. */
  get localPorts(): readonly PortId[] {
    return [...(this.#running?.core.pipeline.relations.locals.entries() ?? [])].map(([id]) => id);
  }
}
