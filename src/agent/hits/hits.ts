/**
 * Counts what each security-group rule let in on this host: reads the switch's counters periodically and on request,
 * and keeps the hit records in the store. Changes no flow; the applier says when a change ends the counters of one.
 *
 * Idea: the switch adds the packets of a megaflow to a flow only when it revalidates the megaflow, up to half a second
 * later. It then adds them to the flow that the packet would match by then. So the agent asks for revalidation (`counted`,
 * some milliseconds) before an exact reading, and before it ends flows whose rule stays.
 */
import type { Logger } from 'pino';
import { Sequencer, Throttler } from '../../base/async.ts';
import { reasonOf } from '../../base/errors.ts';
import type { FlowRemoved } from '../../openflow/index.ts';
import type { Pipeline } from '../../pipeline/flow-derivation.ts';
import type { PortId, RuleId } from '../../policy/world.ts';
import type { Store } from '../../store/contract.ts';
import type { CounterWatch, Ending } from '../flows/applier.ts';
import type { Interest } from '../interest/interest.ts';
import type { SwitchLinks } from '../switch/switch-links.ts';
import { HitAccounts, type Look } from './accounts.ts';
import { HitEndings, type Rest } from './endings.ts';
import { HitRecords } from './records.ts';
import { type CountingSession, HitFlows } from './verdict-flows.ts';

export interface HitsOptions {
  readonly store: Store;
  readonly host: string;
  readonly log: Logger;
  /** Milliseconds between looks; 15 seconds when left out. */
  readonly hitsInterval?: number;
  readonly links: Pick<SwitchLinks, 'counted'> & { readonly session: CountingSession };
  readonly pipeline: Pipeline;
  readonly interest: Pick<Interest, 'listed' | 'topology'>;
}

const defaultInterval = 15_000;
/** Milliseconds that a look waits for the last counters of flows that a change has ended. */
const removalTimeout = 100;
/** Milliseconds for the last look when the agent stops. */
const stopTimeout = 2000;

export class Hits implements CounterWatch {
  readonly #options: HitsOptions;
  readonly #accounts = new HitAccounts();
  readonly #records: HitRecords;
  readonly #flows = new HitFlows();
  readonly #endings = new HitEndings();
  /** A look and a change that ends counters must not overlap: each makes the other's readings wrong. */
  readonly #sequencer = new Sequencer();
  readonly #looks = new Throttler((leave) => this.#lookInTurn(leave));
  #change: (() => void) | null = null;
  /** Verdict flows on the switch at the last look. */
  #verdicts = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: HitsOptions) {
    this.#options = options;
    this.#records = new HitRecords(options.store, options.host, this.#accounts);
  }

  /** Goes on from what the store has of this host; rejects when the store does. */
  async start(): Promise<void> {
    await this.#records.restore((rule, flow) => this.#flows.recall(rule, flow));
    this.#lookLater();
  }

  #lookLater(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      void this.#tryLook().then(() => this.#lookLater());
    }, this.#options.hitsInterval ?? defaultInterval);
  }

  async #tryLook(): Promise<void> {
    if (this.#options.links.session.state !== 'up') return;
    await this.look().catch((error: unknown) => {
      this.#options.log.warn({ error: reasonOf(error) }, 'failed to read or record the hit counts of rules');
    });
  }

  /**
   * Reads all verdict flows and records what is new; rejects when the switch or the store does. Callers that come
   * while a look waits for its turn share it.
   */
  look(): Promise<void> {
    return this.#looks.run();
  }

  async #lookInTurn(leave: () => void): Promise<void> {
    await this.#sequencer.run(() => {
      leave();
      return this.#lookNow();
    });
    await this.#records.write();
  }

  async #lookNow(): Promise<void> {
    if (!this.#options.interest.listed) return;
    await this.#endings.settled(removalTimeout);
    const found = await this.#read();
    if (found > 0) this.#verdicts = found;
  }

  #prune(): void {
    const { topology } = this.#options.interest;
    const isPortGone = (id: string) => topology.lookUpPort(id as PortId).state === 'absent';
    this.#accounts.prune((id) => this.#isRuleGone(id), isPortGone, Date.now());
  }

  #isRuleGone(id: string): boolean {
    return this.#options.interest.topology.lookUpRule(id as RuleId).state === 'absent';
  }

  /** Gives the number of flows that were read: all, or those of some cookies. */
  async #read(cookies?: ReadonlySet<bigint>): Promise<number> {
    const { desired } = this.#options.pipeline;
    const asked = performance.now();
    const read = await this.#flows.read(this.#options.links.session, desired, cookies);
    // First, so that flows which went with their rules are not missed.
    this.#prune();
    const readings = read.readings.filter(({ rule }) => !this.#isRuleGone(rule));
    const times = { asked, heard: performance.now(), wall: Date.now() };
    const look: Look = { readings, whole: cookies === undefined, ...times };
    if (this.#accounts.fold(look)) this.#lost();
    return read.flows;
  }

  /** Counts were lost, at most since the look before. */
  #lost(): void {
    this.#records.reset();
    this.#options.log.info('switch has lost hit counts of rules');
  }

  onRead(verdicts: number): void {
    if (verdicts === 0 && (this.#verdicts > 0 || this.#accounts.based)) {
      this.#lost();
      this.#accounts.restart(Date.now());
    }
    this.#verdicts = verdicts;
  }

  async ending(flows: readonly Ending[]): Promise<void> {
    const cookies = new Set(flows.filter((flow) => this.#livesOn(flow)).map(({ cookie }) => cookie));
    if (cookies.size === 0) return;
    this.#change = await this.#sequencer.acquire();
    this.#endings.changeBegins();
    try {
      await this.#options.links.counted();
      await this.#read(cookies);
    } catch (error) {
      this.#options.log.debug({ error: reasonOf(error) }, 'failed to read counters before their flows end');
    }
  }

  #livesOn(flow: Ending): boolean {
    const counted = this.#flows.counted(flow, this.#options.pipeline.desired);
    return counted !== null && !this.#isRuleGone(counted.rule);
  }

  ended(flows: readonly Ending[], done: boolean): void {
    const { desired } = this.#options.pipeline;
    if (done) {
      this.#verdicts = Math.max(0, this.#verdicts - flows.length);
      for (const flow of flows) {
        const counted = this.#flows.counted(flow, desired);
        if (counted === null) continue;
        const base = this.#accounts.ended(counted.rule, counted.flow, Date.now());
        if (this.#change !== null) this.#addRest(this.#endings.ended(flow, counted, base));
      }
      if (this.#options.interest.listed) this.#prune();
    }
    this.#endings.changeEnds();
    this.#change?.();
    this.#change = null;
    void this.#records.write().catch((error: unknown) => {
      this.#options.log.warn({ error: reasonOf(error) }, 'failed to record the hit counts of rules');
    });
  }

  /** The switch tells the last counters of a verdict flow that has gone. */
  onFlowRemoved(removed: FlowRemoved): void {
    this.#addRest(this.#endings.told(removed));
  }

  #addRest(rest: Rest | null): void {
    if (rest !== null) this.#accounts.add(rest, rest.packets, rest.bytes, Date.now());
  }

  /** Looks a last time if the switch still answers. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    let timeout: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timeout = setTimeout(resolve, stopTimeout);
    });
    const { links } = this.#options;
    const last = links.session.state === 'up' ? links.counted() : Promise.resolve();
    await Promise.race([last.then(() => this.#tryLook()), late]);
    clearTimeout(timeout);
  }
}
