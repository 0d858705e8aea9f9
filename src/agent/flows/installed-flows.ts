/**
 * What the switch has, as far as it is known: what was read last, what the applier changed since, and what the
 * flow monitor told of others' changes. Reads the switch; changes nothing on it.
 *
 * The switch's word is kept apart until the applier takes it, because a change of ours may be under way: then nobody
 * can tell which came first, and the flow counts as unknown, which at worst sends it once too often.
 */
import {
  canonicalBody,
  canonicalKey,
  type Flow,
  type FlowKey,
  type FlowUpdate,
  type Session,
} from '../../openflow/index.ts';

type FlowReader = Pick<Session, 'dumpFlows'>;

type TimedFlow = Flow & {
  readonly idleTimeout?: number;
  readonly hardTimeout?: number;
  readonly unknownMatch?: Uint8Array;
};

/** What the switch has at one key. */
export interface InstalledFlow extends FlowKey {
  readonly cookie: bigint;
  /** Equal for flows that do the same; of a flow that ends by itself equal to none that is wanted. */
  readonly print: string;
  readonly unknownMatch?: Uint8Array;
}

/** A flow that is not as it was left; null where there is none. */
export interface Stray {
  readonly key: string;
  readonly was: InstalledFlow | null;
  readonly now: InstalledFlow | null;
}

const unknownPrint = '?';
/** Flows that one look in the background reads, about. */
const flowsALook = 128;

export const printOf = (flow: TimedFlow): string => {
  const { idleTimeout = 0, hardTimeout = 0 } = flow;
  const ends = idleTimeout === 0 && hardTimeout === 0 ? '' : `${idleTimeout}/${hardTimeout}`;
  return `${flow.cookie.toString(36)}|${ends}|${canonicalBody(flow)}`;
};

const unknownPart = (unknown: Uint8Array | undefined): string =>
  unknown === undefined ? '' : `|${Buffer.from(unknown).toString('latin1')}`;

/** A match that this project cannot read is part of what tells flows apart. */
const keyOf = ({ table, priority, match, unknownMatch }: TimedFlow): string =>
  canonicalKey(table, priority, match) + unknownPart(unknownMatch);

/** A flow that the applier sent. Its print is made when it is first compared: few flows of a new switch ever are. */
class SentFlow implements InstalledFlow {
  readonly table: number;
  readonly priority: number;
  readonly match: Flow['match'];
  readonly cookie: bigint;
  #sent: Flow | string;

  constructor(flow: Flow) {
    this.table = flow.table;
    this.priority = flow.priority;
    this.match = flow.match;
    this.cookie = flow.cookie;
    this.#sent = flow;
  }

  get print(): string {
    if (typeof this.#sent !== 'string') this.#sent = printOf(this.#sent);
    return this.#sent;
  }
}

export const sentFlow = (flow: Flow): InstalledFlow => new SentFlow(flow);

function installed(flow: TimedFlow, print: string): InstalledFlow {
  const { table, priority, match, cookie, unknownMatch } = flow;
  return { table, priority, match, cookie, print, ...(unknownMatch === undefined ? {} : { unknownMatch }) };
}

export class InstalledFlows {
  /** Tables that are not ours to compare. */
  readonly #excluded: ReadonlySet<number>;
  /** Null while nothing is known. */
  #flows: Map<string, InstalledFlow> | null = null;
  #doubted = false;
  /** The flow monitor leaves out changes. */
  #paused = false;
  readonly #told = new Map<string, InstalledFlow | null>();
  #looks = 0;
  /** A reading that was begun before anybody needs it, and what it has found once it has ended. */
  #begun: Promise<Map<string, InstalledFlow>> | null = null;
  #found: ReadonlyMap<string, InstalledFlow> | null = null;

  constructor(excluded: ReadonlySet<number>) {
    this.#excluded = excluded;
  }

  /** Null when the switch has to be read first. */
  get known(): Map<string, InstalledFlow> | null {
    return this.#doubted ? null : this.#flows;
  }

  get size(): number {
    return this.#flows?.size ?? 0;
  }

  /** Whether nothing has been heard that the applier has not taken. */
  get settled(): boolean {
    return this.known !== null && !this.#paused && this.#told.size === 0;
  }

  /** Something was known, and has been heard to be otherwise. */
  get strayed(): boolean {
    return this.#flows !== null && !this.settled;
  }

  /** Another connection, or an outcome that nobody knows. */
  forget(): void {
    this.#flows = null;
    this.#doubted = false;
    this.#paused = false;
    this.#told.clear();
    this.#begun = null;
    this.#found = null;
  }

  /** What `read` will give; null while the reading goes on, or has not begun. */
  get found(): ReadonlyMap<string, InstalledFlow> | null {
    return this.#found;
  }

  /** Begins what `read` will give: other questions to a switch that has just started go out at the same time. */
  begin(session: FlowReader): void {
    this.#told.clear();
    const reading = this.#dump(session);
    this.#begun = reading;
    this.#found = null;
    void this.#note(reading);
  }

  async #note(reading: Promise<Map<string, InstalledFlow>>): Promise<void> {
    try {
      const flows = await reading;
      if (this.#begun === reading) this.#found = flows;
    } catch {
      // `read` rejects with the same error.
    }
  }

  /** Something may have changed much: the switch is read again, and compared with what it had. */
  doubt(): void {
    this.#doubted = true;
  }

  /** What the flow monitor says; true when there may be something to put right. */
  hear(update: FlowUpdate, changing: boolean): boolean {
    if (update.event === 'abbreviated') return false;
    if (update.event === 'paused' || update.event === 'resumed') {
      this.#paused = update.event === 'paused';
      this.doubt();
      return !this.#paused;
    }
    // The monitor's updates after a pause include this agent's own changes, so the switch is read instead.
    if (this.#paused || this.#excluded.has(update.table)) return false;
    const key = keyOf(update);
    const print = changing ? unknownPrint : printOf(update);
    this.#told.set(key, update.event === 'removed' ? null : installed(update, print));
    return true;
  }

  /** Takes over what was told, and gives what differs from what was known. */
  take(flows: Map<string, InstalledFlow>): Stray[] {
    const strays: Stray[] = [];
    for (const [key, now] of this.#told) {
      const was = flows.get(key) ?? null;
      if (was?.print === now?.print) continue;
      strays.push({ key, was, now });
      if (now === null) flows.delete(key);
      else flows.set(key, now);
    }
    this.#told.clear();
    return strays;
  }

  /** Reads all; gives what differs from what was known, if anything was. */
  async read(session: FlowReader): Promise<{ flows: Map<string, InstalledFlow>; strays: Stray[] }> {
    const before = this.#flows;
    this.#doubted = false;
    // Updates from here on are at least as new as the reading.
    if (this.#begun === null) this.begin(session);
    const reading = this.#begun ?? this.#dump(session);
    this.#begun = null;
    this.#found = null;
    const flows = await reading;
    this.#flows = flows;
    return { flows, strays: before === null ? [] : differences(before, flows) };
  }

  /** Reads a part, another at each call, and notes what differs as if it had been told. */
  async look(session: FlowReader): Promise<void> {
    const flows = this.known;
    if (flows === null) return;
    const parts = 2 ** Math.max(0, Math.ceil(Math.log2(flows.size / flowsALook)));
    const cookieMask = BigInt(parts - 1);
    const cookie = BigInt(this.#looks++ % parts);
    const inPart = new Map([...flows].filter(([, flow]) => (flow.cookie & cookieMask) === cookie));
    const found = await this.#dump(session, cookieMask === 0n ? {} : { cookie, cookieMask });
    // What has been told meanwhile is newer.
    for (const { key, now } of differences(inPart, found)) if (!this.#told.has(key)) this.#told.set(key, now);
  }

  async #dump(
    session: FlowReader,
    filter: { readonly cookie?: bigint; readonly cookieMask?: bigint } = {},
  ): Promise<Map<string, InstalledFlow>> {
    const flows = new Map<string, InstalledFlow>();
    for (const flow of await session.dumpFlows(filter))
      if (!this.#excluded.has(flow.table)) flows.set(keyOf(flow), installed(flow, printOf(flow)));
    return flows;
  }
}

function differences(
  before: ReadonlyMap<string, InstalledFlow>,
  after: ReadonlyMap<string, InstalledFlow>,
): Stray[] {
  const strays: Stray[] = [];
  for (const [key, now] of after) {
    const was = before.get(key) ?? null;
    if (was?.print !== now.print) strays.push({ key, was, now });
  }
  for (const [key, was] of before) if (!after.has(key)) strays.push({ key, was, now: null });
  return strays;
}
