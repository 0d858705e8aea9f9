/**
 * The account of what each security-group rule let in on this host: looks at the switch's counters at intervals and
 * when asked, and keeps the store's records of it. Changes no flow; the applier says when it ends one's counters.
 *
 * The switch counts a packet that its datapath forwards by itself only when it next looks at its cached decisions,
 * up to half a second later, and then for the flow that the packet would meet by then. So before flows end whose
 * rule lives on, and before an exact look, it is made to look (`counted`), which takes some milliseconds.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../base/errors.ts';
import { isObject } from '../model/checks.ts';
import { keys } from '../model/keys.ts';
import type { HitRecord, HitWatchRecord } from '../model/records.ts';
import type { FlowRemoved, Session } from '../openflow/index.ts';
import type { Pipeline } from '../pipeline/pipeline.ts';
import type { PortId, RuleId } from '../policy/world.ts';
import type { Store, Write } from '../store/contract.ts';
import type { CounterWatch, Ending } from './applier.ts';
import { HitAccounts, type Look } from './hit-accounts.ts';
import { HitEndings, type Rest } from './hit-endings.ts';
import { HitFlows } from './hit-flows.ts';
import { Turns } from './turns.ts';

export interface HitsOptions {
  readonly store: Store;
  readonly host: string;
  readonly log: Logger;
  /** Milliseconds between looks. */
  readonly interval: number;
  readonly session: () => Session;
  /** Resolves when the switch's counters tell of all packets before the call. */
  readonly counted: () => Promise<void>;
}

/** What is counted for; nothing may be concluded from rules and ports that are missing before it is fed. */
export interface CountedFor {
  readonly fed: boolean;
  readonly pipeline: Pipeline;
}

/** Records in one transaction. */
const mostWrites = 500;
/** Milliseconds that a look waits for the last counters of flows that a change has ended. */
const lastWords = 100;
/** Milliseconds that the last look may take at the end. */
const lastPatience = 2000;

export class Hits implements CounterWatch {
  readonly #options: HitsOptions;
  readonly #accounts = new HitAccounts();
  readonly #flows = new HitFlows();
  readonly #endings = new HitEndings();
  /** A look and a change that ends counters would each make the other's readings wrong. */
  readonly #turns = new Turns();
  readonly #writes = new Turns();
  #change: (() => void) | null = null;
  #next: Promise<void> | null = null;
  #source: CountedFor | null = null;
  #watch: HitWatchRecord = { since: 0, reset: null };
  #watchSaid = true;
  /** Verdict flows that were on the switch when it was last seen. */
  #verdicts = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: HitsOptions) {
    this.#options = options;
  }

  /** Goes on from what the store has of this host; rejects when the store does. */
  async start(): Promise<void> {
    const { store, host } = this.#options;
    const prefix = keys.hits(host, '');
    for (const { key, value } of (await store.range(prefix)).entries)
      this.#restore(key.slice(prefix.length), value);
    const watch = await store.get(keys.hitWatch(host));
    const known = watch === null ? null : watchOf(watch.value);
    this.#watchSaid = known !== null;
    this.#watch = known ?? { since: Date.now(), reset: null };
    await this.#write();
    this.#lookLater();
  }

  #restore(rule: string, value: string): void {
    const record = hitsOf(value);
    if (record === null) return;
    this.#accounts.restore(rule, record);
    for (const flow of Object.keys(record.switch)) this.#flows.recall(rule, flow);
  }

  follow(source: CountedFor): void {
    this.#source = source;
  }

  #lookLater(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      void this.#tryLook().then(() => this.#lookLater());
    }, this.#options.interval);
  }

  async #tryLook(): Promise<void> {
    if (this.#options.session().state !== 'up') return;
    await this.look().catch((error: unknown) => {
      this.#options.log.warn({ error: reasonOf(error) }, 'hits of rules could not be read or recorded');
    });
  }

  /**
   * Reads all verdict flows and records what is new; rejects when the switch or the store does. Whoever asks while
   * a look waits for its turn shares it.
   */
  look(): Promise<void> {
    this.#next ??= this.#lookInTurn();
    return this.#next;
  }

  async #lookInTurn(): Promise<void> {
    const done = await this.#turns.take();
    this.#next = null;
    try {
      await this.#lookNow();
    } finally {
      done();
    }
    await this.#write();
  }

  async #lookNow(): Promise<void> {
    const source = this.#source;
    if (source === null || !source.fed) return;
    await this.#endings.settled(lastWords);
    const found = await this.#read(source.pipeline);
    if (found > 0) this.#verdicts = found;
  }

  #prune({ facts }: Pipeline): void {
    const rule = (id: string) => facts.rules.get(id as RuleId) !== undefined;
    const port = (id: string) => facts.ports.get(id as PortId) !== undefined;
    this.#accounts.prune(rule, port, Date.now());
  }

  /** Gives the number of flows that were read: all, or those of some cookies. */
  async #read(pipeline: Pipeline, cookies?: ReadonlySet<bigint>): Promise<number> {
    const { desired, facts } = pipeline;
    const asked = performance.now();
    const read = await this.#flows.read(this.#options.session(), desired, cookies);
    // First, so that flows which went with their rules are not missed.
    this.#prune(pipeline);
    const readings = read.readings.filter(({ rule }) => facts.rules.get(rule as RuleId) !== undefined);
    const times = { asked, heard: performance.now(), wall: Date.now() };
    const look: Look = { readings, whole: cookies === undefined, ...times };
    if (this.#accounts.fold(look)) this.#lost();
    return read.flows;
  }

  /** Counts were lost, at most since the look before. */
  #lost(): void {
    this.#watch = { ...this.#watch, reset: Date.now() };
    this.#watchSaid = false;
    this.#options.log.info('the switch has lost counters of rules');
  }

  met(verdicts: number): void {
    if (verdicts === 0 && (this.#verdicts > 0 || this.#accounts.based)) {
      this.#lost();
      this.#accounts.restart(Date.now());
    }
    this.#verdicts = verdicts;
  }

  async ending(flows: readonly Ending[]): Promise<void> {
    const pipeline = this.#source?.pipeline;
    if (pipeline === undefined) return;
    const cookies = new Set(
      flows.filter((flow) => this.#livesOn(flow, pipeline)).map(({ cookie }) => cookie),
    );
    if (cookies.size === 0) return;
    this.#change = await this.#turns.take();
    this.#endings.changeBegins();
    try {
      await this.#options.counted();
      await this.#read(pipeline, cookies);
    } catch (error) {
      this.#options.log.debug({ error: reasonOf(error) }, 'counters that end could not be read');
    }
  }

  #livesOn(flow: Ending, { desired, facts }: Pipeline): boolean {
    const counted = this.#flows.counted(flow, desired);
    return counted !== null && facts.rules.get(counted.rule as RuleId) !== undefined;
  }

  ended(flows: readonly Ending[], done: boolean): void {
    const pipeline = this.#source?.pipeline;
    if (done && pipeline !== undefined) {
      this.#verdicts = Math.max(0, this.#verdicts - flows.length);
      for (const flow of flows) {
        const counted = this.#flows.counted(flow, pipeline.desired);
        if (counted === null) continue;
        const base = this.#accounts.ended(counted.rule, counted.flow, Date.now());
        if (this.#change !== null) this.#addRest(this.#endings.ended(flow, counted, base));
      }
      this.#prune(pipeline);
    }
    this.#endings.changeEnds();
    this.#change?.();
    this.#change = null;
    void this.#write().catch((error: unknown) => {
      this.#options.log.warn({ error: reasonOf(error) }, 'hits of rules could not be recorded');
    });
  }

  /** The switch tells the last counters of a verdict flow that has gone. */
  flowRemoved(removed: FlowRemoved): void {
    this.#addRest(this.#endings.told(removed));
  }

  #addRest(rest: Rest | null): void {
    if (rest !== null) this.#accounts.add(rest, rest.packets, rest.bytes, Date.now());
  }

  /** Only what changed since it was written last. What cannot be written now is written with the next look. */
  async #write(): Promise<void> {
    const done = await this.#writes.take();
    try {
      await this.#writeNow();
    } finally {
      done();
    }
  }

  async #writeNow(): Promise<void> {
    const { store, host } = this.#options;
    const changed = this.#accounts.takeChanged();
    try {
      if (!this.#watchSaid) {
        const watch = this.#watch;
        await store.txn([], [{ op: 'put', key: keys.hitWatch(host), value: JSON.stringify(watch) }]);
        this.#watchSaid = watch === this.#watch;
      }
      const writes = [...changed].map(([rule, record]): Write => {
        const key = keys.hits(host, rule);
        return record === null ? { op: 'delete', key } : { op: 'put', key, value: JSON.stringify(record) };
      });
      for (let from = 0; from < writes.length; from += mostWrites)
        await store.txn([], writes.slice(from, from + mostWrites));
    } catch (error) {
      this.#accounts.putBack(changed.keys());
      throw error;
    }
  }

  /** Looks a last time while the switch still answers, and no more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    let patience: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      patience = setTimeout(resolve, lastPatience);
    });
    const last = this.#options.session().state === 'up' ? this.#options.counted() : Promise.resolve();
    await Promise.race([last.then(() => this.#tryLook()), late]);
    clearTimeout(patience);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

/** Null for what cannot be read: it then counts anew. */
function hitsOf(text: string): HitRecord | null {
  const record = parsed(text) as Partial<HitRecord> | null;
  return isObject(record?.ports) && isObject(record.switch) ? (record as HitRecord) : null;
}

function watchOf(text: string): HitWatchRecord | null {
  const record = parsed(text) as Partial<HitWatchRecord> | null;
  return typeof record?.since === 'number' ? { since: record.since, reset: record.reset ?? null } : null;
}
