/**
 * Cuts live connections that the present rules forbid. Reads the connections of networks where something may have become
 * forbidden, lets policy judge each, and ends exactly the forbidden ones. A second reading shows that they are gone.
 *
 * Invariants: no forbidden connection is left. If the switch cannot be read, or keeps some, all connections of the
 * network are cut. A network whose cut failed is judged again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { reasonOf } from '../../base/errors.ts';
import { keys } from '../../model/keys.ts';
import { type ConntrackDump, type ConntrackEntry, parseConntrack, zoneOfLine } from '../../ovsdb/index.ts';
import type { Pipeline } from '../../pipeline/flow-derivation.ts';
import { worldOf } from '../../pipeline/world-of.ts';
import type { NetworkId } from '../../policy/world.ts';
import type { Follows } from '../interest/lookup.ts';
import { type Judged, judge } from './judging.ts';
import { narrow } from './narrowing.ts';
import { type CuttingSession, sever } from './severing.ts';

export interface CutterOptions {
  readonly pipeline: Pipeline;
  /** Whether this host knows all keys of the store under a prefix. */
  readonly follows: Follows;
  readonly session: () => CuttingSession;
  readonly log: Logger;
  /** The switch's live connections, of one zone or of all; null when it cannot be asked. */
  readonly connections: (zone?: number) => Promise<string> | null;
  /** Whether they are in a kernel's table. */
  readonly onKernel: () => boolean;
  /** Resolves when packets meet the flows that the switch has acknowledged. */
  readonly revalidated: () => Promise<void>;
}

export interface CutCounts {
  /** Forbidden connections that were seen to be gone. */
  readonly connections: number;
  /** That reading, judging and ending them took in all. */
  readonly seconds: number;
}

interface Waiting {
  readonly suspects: Set<NetworkId>;
  readonly work: Promise<boolean>;
}

/** Zones up to which each is read by itself: every reading walks the switch's whole table. */
const maxZonesReadSingly = 3;
/** Milliseconds after which cached decisions have been looked at again, unless the switch itself can tell. */
const revalidationTimeout = 500;

type Read = ConntrackDump['entries'];

/** A connection with its record: the same ends may have opened another one since. */
const identityOf = ({ protocol, original: { src, dst, layer4 }, label, mark }: ConntrackEntry): string => {
  const detail = layer4.kind === 'ports' ? [layer4.src, layer4.dst] : [layer4.id, layer4.type, layer4.code];
  return [protocol, src.bits, dst.bits, ...detail, label, mark].join(' ');
};

export class Cutter {
  readonly #options: CutterOptions;
  #working: Promise<unknown> = Promise.resolve();
  /**
   * Waits for the work before it; networks of later rounds join it. Rejected: `Throttler`, whose next run would succeed
   * although the run before it failed.
   */
  #waiting: Waiting | null = null;
  #connections = 0;
  #milliseconds = 0;

  constructor(options: CutterOptions) {
    this.#options = options;
  }

  get counts(): CutCounts {
    return { connections: this.#connections, seconds: this.#milliseconds / 1000 };
  }

  /**
   * To be called when the switch has acknowledged all that the pipeline's last run derived. Resolves when no
   * connection that was forbidden then is left, those of earlier calls included: with true when packets meet the
   * acknowledged flows too, for which it waits only where it has anything to judge. Rejects when that could not be
   * brought about, and is to be called again then.
   */
  cut(): Promise<boolean> {
    const suspects = new Set(this.#options.pipeline.tightening.take());
    if (this.#waiting !== null) {
      for (const network of suspects) this.#waiting.suspects.add(network);
      return this.#waiting.work;
    }
    const before = this.#working;
    const work = suspects.size === 0 ? before.then(() => false) : this.#after(before, suspects);
    if (suspects.size > 0) this.#waiting = { suspects, work };
    this.#working = work;
    // The next call starts afresh after a failure. The caller may look at the outcome later.
    work.catch(() => {
      if (this.#working === work) this.#working = Promise.resolve();
    });
    return work;
  }

  async #after(before: Promise<unknown>, suspects: ReadonlySet<NetworkId>): Promise<boolean> {
    try {
      try {
        await before;
      } finally {
        if (this.#waiting?.suspects === suspects) this.#waiting = null;
      }
      return await this.#judgeNetworks(suspects);
    } catch (error) {
      this.#options.pipeline.tightening.mark(suspects);
      throw error;
    }
  }

  async #judgeNetworks(suspects: ReadonlySet<NetworkId>): Promise<boolean> {
    const { pipeline, follows } = this.#options;
    const zoneOf = (network: NetworkId) => pipeline.facts.zones.get(network);
    const zones = new Map<NetworkId, number>();
    for (const network of suspects) {
      const zone = zoneOf(network);
      if (zone === undefined) continue;
      // Nothing is known to be forbidden in a network that is not followed, but it may be once it is.
      if (follows(keys.network(network))) zones.set(network, zone);
      else pipeline.tightening.mark([network]);
    }
    if (zones.size === 0) return false;
    // Else a decision that was cached before would let a connection in after it was looked for.
    await this.#options.revalidated();
    const began = performance.now();
    const read = await this.#read([...zones.values()]);
    if (read === null) await delay(revalidationTimeout);
    const world = worldOf(pipeline.facts);
    const judged: Judged[] = [];
    for (const [network, zone] of zones) {
      // A zone that has another network by now was emptied for it, and one that is not followed any more is given back.
      if (zoneOf(network) !== zone || !follows(keys.network(network))) continue;
      const entries = read?.get(zone) ?? null;
      if (read !== null && entries !== null) judged.push(judge(this.#options, world, network, zone, entries));
      else if (read === null || read.has(zone))
        await this.#endAll(network, zone, 'connections cannot be told apart');
    }
    await this.#end(judged);
    this.#milliseconds += performance.now() - began;
    return true;
  }

  /**
   * The connections of zones; null of a zone of which some cannot be read, and null of all when the switch cannot be
   * asked.
   */
  async #read(zones: readonly number[]): Promise<ReadonlyMap<number, Read | null> | null> {
    const read = new Map<number, ConntrackEntry[] | null>(zones.map((zone) => [zone, []]));
    const dumps = zones.length <= maxZonesReadSingly ? zones : [undefined];
    for (const zone of dumps) {
      const text = await this.#dump(zone);
      if (text === null) return null;
      const { entries, unreadable } = parseConntrack(text, new Set(zones));
      for (const line of unreadable) {
        this.#options.log.warn({ line }, 'cannot read a connection of the switch');
        read.set(zoneOfLine(line), null);
      }
      for (const entry of entries) read.get(entry.zone)?.push(entry);
    }
    return read;
  }

  /** Asks twice: the first attempt may find out that the connection to the switch is over. */
  async #dump(zone: number | undefined): Promise<string | null> {
    const { connections, log } = this.#options;
    for (const attempt of [1, 2]) {
      try {
        return await connections(zone);
      } catch (error) {
        log.warn({ error: reasonOf(error), attempt }, 'failed to read the connections of the switch');
      }
    }
    return null;
  }

  /** Narrows and severs until a reading shows that nothing forbidden is left, and counts what went. */
  async #end(judged: readonly Judged[]): Promise<void> {
    const { onKernel } = this.#options;
    const session = this.#options.session();
    const began = performance.now();
    const narrowings = judged.flatMap(({ narrowings }) => narrowings);
    await narrow(session, narrowings);
    const wide = new Map((await this.#left(judged, narrowed)).map((one) => [one.network, one.forbidden]));
    const all = judged.map((one) => ({
      ...one,
      forbidden: [...one.forbidden, ...(wide.get(one.network) ?? [])],
    }));
    let left: readonly Judged[] = all.filter(({ forbidden }) => forbidden.length > 0);
    // What was on its way by an old decision may bring one back, once.
    for (let attempt = 1; attempt <= 2 && left.length > 0; attempt++) {
      await sever(
        session,
        left.flatMap(({ forbidden }) => forbidden),
        onKernel(),
      );
      left = await this.#left(left, severed);
    }
    for (const { network, zone } of left)
      await this.#endAll(network, zone, 'forbidden connections did not go');
    left = await this.#left(left, severed);
    const kept = new Set(left.map(({ network }) => network));
    for (const one of all) if (!kept.has(one.network)) this.#count(one, performance.now() - began);
    if (kept.size > 0) throw new Error(`the switch keeps forbidden connections of ${[...kept].join(', ')}`);
  }

  /** Of which networks the switch still has some of these connections, forbidden as they are. Rejects when it does not tell. */
  async #left(judged: readonly Judged[], which: (one: Judged) => Read): Promise<readonly Judged[]> {
    const { pipeline } = this.#options;
    const asked = judged.filter((one) => which(one).length > 0);
    if (asked.length === 0) return [];
    const read = await this.#read(asked.map(({ zone }) => zone));
    const present = asked.flatMap((one) => {
      const entries = read?.get(one.zone) ?? null;
      if (entries === null) throw new Error('the switch does not tell which connections are left');
      const wanted = new Set(which(one).map(identityOf));
      const found = entries.filter((entry) => wanted.has(identityOf(entry)));
      return found.length > 0 ? [{ one, found }] : [];
    });
    if (present.length === 0) return [];
    // What was allowed again meanwhile may have come again.
    const now = worldOf(pipeline.facts);
    return present.flatMap(({ one: { network, zone }, found }) => {
      const again = judge(this.#options, now, network, zone, found);
      // Who is on record by what it answers is there again as soon as it is taken out, and wins nothing by it.
      const kept = again.narrowings.filter(({ comesBack }) => !comesBack).map(({ entry }) => entry);
      const forbidden = [...again.forbidden, ...kept];
      return forbidden.length > 0 ? [{ ...again, forbidden }] : [];
    });
  }

  #count({ network, looked, forbidden, narrowings }: Judged, duration: number): void {
    const { log } = this.#options;
    this.#connections += forbidden.length;
    const ms = Math.round(duration);
    const told = { network, looked, cut: forbidden.length, narrowed: narrowings.length, ms };
    if (forbidden.length + narrowings.length > 0)
      log.info(told, 'connections that are no longer allowed were cut');
    else log.debug(told, 'no connection has to be cut');
  }

  async #endAll(network: NetworkId, zone: number, why: string): Promise<void> {
    this.#options.log.warn(
      { network, zone },
      `${why}, so all of the network were cut: those that are allowed begin anew`,
    );
    await this.#options.session().flushZone(zone);
  }
}

const severed = ({ forbidden }: Judged): Read => forbidden;
const narrowed = ({ narrowings }: Judged): Read => narrowings.map(({ entry }) => entry);
