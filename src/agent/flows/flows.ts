/**
 * Keeps the switch's flows and meters equal to what the pipeline derives: after each connection, in each round, and
 * when somebody else changes them. The applier sends the difference; nothing else changes flows.
 *
 * Invariant: `acknowledged` speaks of the present connection. What an earlier one acknowledged says nothing about the
 * switch behind this one.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../../base/errors.ts';
import type { FlowUpdate } from '../../openflow/index.ts';
import type { Pipeline } from '../../pipeline/flow-derivation.ts';
import { tableNames } from '../../pipeline/tables.ts';
import type { Drift } from '../switch/drift.ts';
import { mapPortKeyOption } from '../switch/geneve-option.ts';
import { removeForeignGroups } from '../switch/groups.ts';
import { Metering, meterSupport } from '../switch/metering.ts';
import { Pacer } from '../switch/pacer.ts';
import type { SwitchLinks } from '../switch/switch-links.ts';
import { Applier, type CounterWatch } from './applier.ts';
import { type LookScope, Looks } from './looks.ts';

export interface FlowsOptions {
  readonly links: SwitchLinks;
  readonly pipeline: Pipeline;
  readonly drift: Drift;
  readonly log: Logger;
  /** Receives the flows that a change is about to remove, and then their end. */
  readonly watch: CounterWatch;
  /** Milliseconds between two looks for what others changed; 5 seconds when left out. */
  readonly lookInterval?: number | undefined;
  /** A round is needed. */
  readonly onChange: () => void;
}

const defaultLookInterval = 5000;

export class Flows {
  readonly #options: FlowsOptions;
  readonly #applier: Applier;
  readonly #metering: Metering;
  readonly #looks: Looks;
  readonly #pacer: Pacer;
  /** A connection has come up, and nothing is known yet about the switch behind it. */
  #isNewConnection = true;
  #tablesNamed = false;
  #changed = 0;

  constructor(options: FlowsOptions) {
    this.#options = options;
    const { pipeline, log, drift, watch, onChange } = options;
    this.#applier = new Applier({
      desired: pipeline.desired,
      log,
      drift,
      watch,
      tightening: pipeline.tightening,
    });
    this.#metering = new Metering(log);
    this.#looks = new Looks(options.lookInterval ?? defaultLookInterval, onChange);
    this.#pacer = new Pacer(onChange);
  }

  start(): void {
    this.#looks.start();
  }

  /** Leaves the flows in place. */
  stop(): void {
    this.#looks.stop();
    this.#pacer.cancel();
  }

  get installed(): number {
    return this.#applier.installedFlows;
  }

  /** Flows that were added, replaced or removed. */
  get changed(): number {
    return this.#changed;
  }

  /** Nothing on the switch is known to differ from what was put there. */
  get undisturbed(): boolean {
    return !this.#isNewConnection && this.#options.links.inShape && this.#applier.settled;
  }

  onConnected(): void {
    this.#isNewConnection = true;
  }

  /** All flows may have gone. */
  onReshaped(): void {
    this.#applier.doubt();
    this.#options.onChange();
  }

  /** Corrects flows that others change, but not more often than at intervals. */
  onFlowUpdate(update: FlowUpdate): void {
    if (this.#applier.hear(update)) this.#pacer.request();
  }

  /** Reads the features of the switch behind a new connection: it may be another switch, with another datapath. */
  async onSwitchConnected(): Promise<void> {
    if (!this.#isNewConnection) return;
    this.#isNewConnection = false;
    const { links, pipeline, log } = this.#options;
    const { session } = links;
    links.conntrack?.forget();
    // Before any answer that a caller waits for: a control connection runs its commands in order.
    void links.takeSmallPieces();
    // The monitor before the reading, so that no change falls between. All questions go out at once, because a switch
    // that has just started is busy.
    const watched = session.watchFlows();
    this.#applier.onConnected(session);
    const [monitored, answersNd, support] = await Promise.all([
      watched,
      links.answersNd(),
      meterSupport(session),
      links.hasTunnels ? mapPortKeyOption(session) : false,
    ]).catch((error: unknown) => {
      this.#isNewConnection = true;
      throw error;
    });
    this.#looks.isMonitored = monitored;
    if (!monitored) log.warn('switch has no flow monitor: only looks find what others change');
    this.#metering.onConnected(support);
    const known = pipeline.facts.abilities.get('switch');
    pipeline.facts.abilities.set('switch', {
      answersNd: answersNd ?? known?.answersNd ?? false,
      meterSpread: support.spread,
    });
    this.#tablesNamed = false;
  }

  /**
   * Makes the switch equal to what the pipeline derived. False when the connection was lost meanwhile. `isAwaited`: an
   * answer depends on it, so what others changed unnoticed is looked for first.
   */
  async apply(isAwaited: boolean): Promise<boolean> {
    await this.#looks.take(isAwaited, (scope) => this.#look(scope));
    await this.#applyDifference();
    if (!this.#isNewConnection) this.#nameTables();
    return !this.#isNewConnection;
  }

  async #look(scope: LookScope): Promise<void> {
    const { links, drift } = this.#options;
    await this.#metering.look(links.session, drift);
    await removeForeignGroups(links.session, drift);
    if (links.hasTunnels && (await mapPortKeyOption(links.session))) drift.found('tunnel', 1, {});
    if (scope === 'flows as well') await this.#applier.look(links.session);
  }

  async #applyDifference(): Promise<void> {
    const { links, pipeline, drift } = this.#options;
    const { session } = links;
    if (this.#applier.strayed) {
      this.#pacer.corrected();
      // Removing a meter removes its flows. Connections that foreign flows let in must not stay.
      await this.#metering.look(session, drift);
      pipeline.tightening.markAll();
    }
    await Promise.all([this.#metering.prepare(session, pipeline), this.#applier.encodeAhead()]);
    // The outcome of a change that failed is not known.
    let hasChanged = true;
    try {
      const { put, removed } = await this.#applier.apply(session);
      hasChanged = put + removed > 0;
      this.#changed += put + removed;
    } finally {
      if (hasChanged) links.changed();
    }
    await this.#metering.prune(session);
  }

  /** For people who read the switch. After the flows, because a switch answers with hundreds of kilobytes. */
  #nameTables(): void {
    if (this.#tablesNamed) return;
    this.#tablesNamed = true;
    void this.#options.links.session.setTableNames(tableNames).catch((error: unknown) => {
      this.#options.log.debug({ error: reasonOf(error) }, 'cannot name the tables');
    });
  }
}
