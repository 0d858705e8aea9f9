/**
 * The one place that changes the switch's flows. Keeps the installed flows equal to the desired ones.
 *
 * Idea: after each (re)connection the applier reads the switch and sends the difference. From then on it sends changes
 * of the desired flows, and corrects changes of others. One change is one bundle. After an unknown outcome it reads again.
 *
 * Invariants: flows that are not desired are removed, because the bridge is the agent's. Forwarding is never
 * interrupted, because nothing is cleared first. A rule's flow that the switch refuses is left out, which only denies:
 * one bad record must not block all other changes. Any other refusal fails the whole change.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Fault, reasonOf } from '../../base/errors.ts';
import {
  type Flow,
  type FlowMod,
  type FlowUpdate,
  flowMod,
  type Session,
  type SessionFault,
} from '../../openflow/index.ts';
import { type DesiredFlows, verdictCookies } from '../../pipeline/desired.ts';
import { switchOwnedTables, tableNames, tables } from '../../pipeline/tables.ts';
import type { Tightening } from '../../pipeline/tightening/tightening.ts';
import type { Drift } from '../switch/drift.ts';
import { type InstalledFlow, InstalledFlows, printOf, type Stray, sentFlow } from './installed-flows.ts';

/** A verdict flow whose counters a change ends: it goes, or is replaced and begins anew. */
export type Ending = Pick<InstalledFlow, 'table' | 'priority' | 'match' | 'cookie'>;

/** Hears what happens to the counters of verdict flows. No method may reject. */
export interface CounterWatch {
  /** The switch has been read, and had this many verdict flows. */
  onRead(verdicts: number): void;
  /** Before a change that ends counters, which waits for it. */
  ending(flows: readonly Ending[]): Promise<void>;
  /** After `ending`, or alone for flows that others removed; not `done` when they may still be as they were. */
  ended(flows: readonly Ending[], done: boolean): void;
}

export interface Applied {
  /** Flows added or replaced, and removed. */
  readonly put: number;
  readonly removed: number;
}

interface Difference {
  readonly puts: readonly (readonly [key: string, flow: Flow])[];
  readonly removals: readonly (readonly [key: string, flow: InstalledFlow])[];
}

/** By key: the flow of this agent that the switch has there. */
type Former = ReadonlyMap<string, Flow | null>;

const nothing: Applied = { put: 0, removed: 0 };
const isVerdict = (cookie: bigint): boolean => (cookie & verdictCookies.cookieMask) === verdictCookies.cookie;

/** OFPET_BAD_ACTION, OFPET_BAD_INSTRUCTION, OFPET_BAD_MATCH (OpenFlow 1.5.1 §7.5.4): no later attempt would fare better. */
const hopeless: ReadonlySet<number> = new Set([2, 3, 4]);
/** Tables whose every flow but the explicit drops lets something through: without one, less passes. */
const permits: ReadonlySet<number> = new Set([tables.egress_rules.id, tables.ingress_rules.id]);
/** What stands for a flow that no message can carry. */
const unprintable = '';
/** Max refused flows that one change leaves out. With more, something larger is wrong. */
const maxExcluded = 32;
/** Flows of one find that the log names. */
const maxNamed = 5;

export interface ApplierOptions {
  readonly desired: DesiredFlows;
  readonly log: Logger;
  readonly drift: Drift;
  readonly watch?: CounterWatch;
  /** Hears of each difference before it is sent. */
  readonly tightening?: Pick<Tightening, 'note' | 'markAll'>;
  /** Tables that the switch itself fills; those of the pipeline when left out. */
  readonly switchOwned?: ReadonlySet<number>;
}

export class Applier {
  readonly #desired: DesiredFlows;
  readonly #log: Logger;
  readonly #drift: Drift;
  readonly #watch: CounterWatch | null;
  readonly #tightening: ApplierOptions['tightening'];
  readonly #installed: InstalledFlows;
  /** A bundle is under way. */
  #changing = false;
  /** Encoded bodies of desired flows, without keys that changed since. */
  #encodedAhead = new Map<string, string>();
  /** Flows that this switch refuses, by key. */
  readonly #excluded = new Map<string, string>();

  constructor({ desired, log, drift, watch, tightening, switchOwned = switchOwnedTables }: ApplierOptions) {
    this.#desired = desired;
    this.#log = log;
    this.#drift = drift;
    this.#watch = watch ?? null;
    this.#tightening = tightening;
    this.#installed = new InstalledFlows(switchOwned);
  }

  /** Forgets what the switch has: at each connection, and whenever an outcome is unknown. */
  forget(): void {
    this.#installed.forget();
    this.#encodedAhead.clear();
    this.#excluded.clear();
  }

  /** Another connection: forgets, and begins to read the switch behind it. */
  onConnected(session: Session): void {
    this.forget();
    this.#installed.begin(session);
  }

  /**
   * Encodes desired flows for the comparison with the whole switch, while the caller waits for an answer. As far as the
   * switch's flows are known already, it encodes only those.
   */
  async encodeAhead(): Promise<void> {
    if (this.#installed.known !== null) return;
    // The event loop reads the switch's answers so far. The first turn may be the end of the present one.
    for (let turn = 0; turn < 2 && this.#installed.found === null; turn++) await nextTurn();
    this.#desired.takeChanged();
    for (const key of (this.#installed.found ?? this.#desired).keys()) {
      const wanted = this.#desired.get(key);
      const printed = wanted && this.#printOf(key, wanted);
      if (printed !== undefined) this.#encodedAhead.set(key, printed);
    }
  }

  /** Others may have changed much: the next call of `apply` reads the switch first. */
  doubt(): void {
    this.#installed.doubt();
  }

  /** What the flow monitor tells; true when `apply` may have something to put right. */
  hear(update: FlowUpdate): boolean {
    return this.#installed.hear(update, this.#changing);
  }

  /** Compares a part of the switch's flows with what they should be, another part at each call. */
  async look(session: Session): Promise<void> {
    return this.#installed.look(session);
  }

  /** False while flows are known, or suspected, to be other than they were left. */
  get settled(): boolean {
    return this.#installed.settled;
  }

  /** Flows are known to be other than they were left. */
  get strayed(): boolean {
    return this.#installed.strayed;
  }

  get installedFlows(): number {
    return this.#installed.size;
  }

  /**
   * Makes the switch equal to what is wanted now; resolves when the switch has acknowledged it.
   * Rejects when it could not: the next call starts from a fresh reading.
   */
  async apply(session: Session): Promise<Applied> {
    try {
      const { known } = this.#installed;
      const applied = known === null ? await this.#resync(session) : await this.#advance(session, known);
      this.#desired.forgetFormer();
      return applied;
    } catch (error) {
      this.forget();
      if (error instanceof Fault && error.name === 'Refused')
        this.#log.error({ error: reasonOf(error) }, 'the switch refused a change');
      throw error;
    }
  }

  async #resync(session: Session): Promise<Applied> {
    const { flows, strays } = await this.#installed.read(session);
    this.#watch?.onRead([...flows.values()].filter(({ cookie }) => isVerdict(cookie)).length);
    for (const key of this.#desired.takeChanged().keys()) this.#encodedAhead.delete(key);
    this.#account(strays);
    const keys = new Set([...flows.keys(), ...this.#desired.keys()]);
    const applied = await this.#send(session, flows, keys, null);
    this.#encodedAhead.clear();
    this.#log.info({ flows: flows.size, ...applied }, 'switch and pipeline are equal');
    return applied;
  }

  async #advance(session: Session, installed: Map<string, InstalledFlow>): Promise<Applied> {
    const strays = this.#installed.take(installed);
    this.#account(strays);
    const gone = strays.flatMap(({ was }) => (was !== null && isVerdict(was.cookie) ? [was] : []));
    if (gone.length > 0) this.#watch?.ended(gone, true);
    const changed = this.#desired.takeChanged();
    if (strays.length === 0) return this.#send(session, installed, new Set(changed.keys()), changed);
    const keys = new Set([...changed.keys(), ...strays.map(({ key }) => key)]);
    return this.#send(session, installed, keys, null);
  }

  /** Counts what others changed, unless it is what is wanted. */
  #account(strays: readonly Stray[]): void {
    const found = { missing: 0, foreign: 0, changed: 0 };
    const named: object[] = [];
    for (const { key, was, now } of strays) {
      const wanted = this.#desired.get(key);
      const printed = wanted === undefined ? undefined : this.#printOf(key, wanted);
      if (printed === now?.print) continue;
      const what = now === null ? 'missing' : printed === undefined ? 'foreign' : 'changed';
      found[what]++;
      const flow = now ?? was;
      if (flow === null || named.length === maxNamed) continue;
      const { table, priority, cookie } = flow;
      const why = this.#desired.provenanceOf(wanted?.cookie ?? cookie);
      named.push({ what, table: tableNames.get(table) ?? table, priority, why });
    }
    const count = found.missing + found.foreign + found.changed;
    if (count > 0) this.#drift.found('flow', count, { ...found, flows: named });
  }

  /** `former`: what the switch holds at the changed keys; null when it is not all of this agent. */
  async #send(
    session: Session,
    installed: Map<string, InstalledFlow>,
    keys: ReadonlySet<string>,
    former: Former | null,
  ): Promise<Applied> {
    for (let excluded = 0; ; excluded++) {
      const difference = this.#difference(installed, keys);
      const { puts, removals } = difference;
      this.#tighten(difference, former);
      if (puts.length === 0 && removals.length === 0) return nothing;
      try {
        await this.#commit(session, installed, difference);
      } catch (error) {
        if (excluded < maxExcluded && this.#exclude(error, difference)) continue;
        throw error;
      }
      for (const [key, flow] of puts) installed.set(key, sentFlow(flow));
      for (const [key] of removals) installed.delete(key);
      return { put: puts.length, removed: removals.length };
    }
  }

  /** Before anything is sent: a change that fails may have been made. */
  #tighten({ puts, removals }: Difference, former: Former | null): void {
    // Rules may have gone while no agent watched this switch.
    if (former === null) return this.#tightening?.markAll();
    const before = (key: string): Flow | null => former.get(key) ?? null;
    const changes = [
      ...puts.map(([key, after]) => ({ key, before: before(key), after })),
      ...removals.map(([key]) => ({ key, before: before(key), after: null })),
    ];
    this.#tightening?.note(changes, this.#leftOutNow());
  }

  /** The keys of wanted flows that the switch refuses. */
  #leftOutNow(): ReadonlySet<string> {
    const keys = new Set<string>();
    for (const [key, printed] of this.#excluded) {
      const wanted = this.#desired.get(key);
      if (wanted !== undefined && (this.#printOf(key, wanted) ?? unprintable) === printed) keys.add(key);
    }
    return keys;
  }

  async #commit(
    session: Session,
    installed: ReadonlyMap<string, InstalledFlow>,
    { puts, removals }: Difference,
  ): Promise<void> {
    const endings: Ending[] = [];
    const additions = puts.map(([key, flow]) => {
      const present = installed.get(key);
      if (present !== undefined && isVerdict(present.cookie)) endings.push(present);
      return isVerdict(flow.cookie) ? flowMod.addCounted(flow) : flowMod.add(flow);
    });
    for (const [, flow] of removals) if (isVerdict(flow.cookie)) endings.push(flow);
    const bundle = [...additions, ...removals.map(([, flow]) => flowMod.remove(flow))];
    if (endings.length === 0) return this.#bundle(session, bundle);
    let done = false;
    try {
      await this.#watch?.ending(endings);
      await this.#bundle(session, bundle);
      done = true;
    } finally {
      this.#watch?.ended(endings, done);
    }
  }

  async #bundle(session: Session, members: readonly FlowMod[]): Promise<void> {
    this.#changing = true;
    try {
      await session.bundle(members);
    } finally {
      this.#changing = false;
    }
  }

  #difference(installed: ReadonlyMap<string, InstalledFlow>, keys: ReadonlySet<string>): Difference {
    const puts: [string, Flow][] = [];
    const removals: [string, InstalledFlow][] = [];
    for (const key of keys) {
      const wanted = this.#desired.get(key);
      const present = installed.get(key);
      // Nothing to compare with.
      if (wanted !== undefined && present === undefined && !this.#excluded.has(key)) {
        puts.push([key, wanted]);
        continue;
      }
      const printed = wanted === undefined ? undefined : this.#printOf(key, wanted);
      if (wanted !== undefined && printed !== undefined && this.#excluded.get(key) !== printed) {
        if (present?.print !== printed) puts.push([key, wanted]);
      } else if (present !== undefined) removals.push([key, present]);
    }
    return { puts, removals };
  }

  /** Undefined for a flow that no message can carry: it is left out like one that the switch refuses. */
  #printOf(key: string, flow: Flow): string | undefined {
    const encoded = this.#encodedAhead.get(key);
    if (encoded !== undefined) return encoded;
    try {
      return printOf(flow);
    } catch (error) {
      if (!(error instanceof Fault) || !this.#leaveOut(key, flow, unprintable, error)) throw error;
      return undefined;
    }
  }

  /** Whether the change may be tried again without the flow that could not be sent, or that the switch refused. */
  #exclude(error: unknown, { puts }: Difference): boolean {
    if (!(error instanceof Fault) || (error.name !== 'Refused' && error.name !== 'Unencodable')) return false;
    const fault = error.data as Extract<SessionFault, { code: 'Refused' | 'Unencodable' }>;
    const refused = puts[fault.member ?? -1];
    if (refused === undefined || (fault.code === 'Refused' && !hopeless.has(fault.errorType))) return false;
    const [key, flow] = refused;
    if (fault.code === 'Refused') return this.#leaveOut(key, flow, printOf(flow), error);
    if (!this.#leaveOut(key, flow, unprintable, error)) return false;
    // All others of the kind at once, since each attempt counts.
    for (const [other, unsent] of puts) this.#printOf(other, unsent);
    return true;
  }

  /** False for a flow without which more would pass. */
  #leaveOut(key: string, flow: Flow, printed: string, error: Error): boolean {
    const why = this.#desired.provenanceOf(flow.cookie);
    if (!permits.has(flow.table) || why === undefined || why.drop !== undefined) return false;
    if (this.#excluded.get(key) === printed) return true;
    this.#excluded.set(key, printed);
    this.#log.error({ error: reasonOf(error), why }, 'left out a rule that the switch cannot hold');
    return true;
  }
}
