/**
 * Ends live connections that present rules no longer allow: where something may have become forbidden, it reads the
 * switch's connections, has policy judge each, and severs the forbidden ones, leaving all others alone. It is done when
 * a second reading shows that they are gone. What it could not deal with stays suspect. Where the switch cannot be
 * asked for its connections, or keeps some, all of a suspect network are ended, for none that is forbidden may be left.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { reasonOf } from '../base/errors.ts';
import type { Action, Session } from '../openflow/index.ts';
import { type ConntrackDump, type ConntrackEntry, parseConntrack, zoneOfLine } from '../ovsdb/index.ts';
import { preferredId } from '../pipeline/ids.ts';
import type { Pipeline } from '../pipeline/pipeline.ts';
import { forget, type Keys, keysOf } from '../pipeline/record.ts';
import { worldOf } from '../pipeline/world-of.ts';
import { type Admission, standing, type Tuple } from '../policy/standing.ts';
import type { NetworkId, PortId, World } from '../policy/world.ts';
import { type Narrowing, narrow } from './narrowing.ts';
import { sever } from './severing.ts';

export interface CutterOptions {
  readonly session: Session;
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
  readonly pipeline: Pipeline;
  readonly suspects: Set<NetworkId>;
  readonly work: Promise<boolean>;
}

/** Zones up to which each is read by itself: every reading walks the switch's whole table. */
const fewZones = 3;
/** Milliseconds after which cached decisions have been looked at again, unless the switch itself can tell. */
const unseenRevalidation = 500;

/** The port that a record names by its key. */
type Owner = (key: number) => PortId;
type Read = ConntrackDump['entries'];

/** A connection and who admitted it: the same ends may have begun another one since. */
const identityOf = ({ protocol, original: { src, dst, layer4 }, label, mark }: ConntrackEntry): string => {
  const detail = layer4.kind === 'ports' ? [layer4.src, layer4.dst] : [layer4.id, layer4.type, layer4.code];
  return [protocol, src.bits, dst.bits, ...detail, label, mark].join(' ');
};

interface Verdicts {
  readonly forbidden: ConntrackEntry[];
  /** Those that go on for some of the ports that admitted them. */
  readonly narrowings: readonly Narrowing[];
}

export class Cutter {
  readonly #options: CutterOptions;
  #working: Promise<unknown> = Promise.resolve();
  /** What waits for the work before it; suspects of later rounds join it. */
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
  cut(pipeline: Pipeline): Promise<boolean> {
    const suspects = new Set(pipeline.suspicion.take());
    if (this.#waiting?.pipeline === pipeline) {
      for (const network of suspects) this.#waiting.suspects.add(network);
      return this.#waiting.work;
    }
    const before = this.#working;
    const work = suspects.size === 0 ? before.then(() => false) : this.#after(before, pipeline, suspects);
    if (suspects.size > 0) this.#waiting = { pipeline, suspects, work };
    this.#working = work;
    // Whoever comes after a failure begins anew; the caller may look at the outcome later.
    work.catch(() => {
      if (this.#working === work) this.#working = Promise.resolve();
    });
    return work;
  }

  async #after(
    before: Promise<unknown>,
    pipeline: Pipeline,
    suspects: ReadonlySet<NetworkId>,
  ): Promise<boolean> {
    try {
      try {
        await before;
      } finally {
        if (this.#waiting?.suspects === suspects) this.#waiting = null;
      }
      return await this.#deal(pipeline, suspects);
    } catch (error) {
      pipeline.suspicion.suspect(suspects);
      throw error;
    }
  }

  async #deal(pipeline: Pipeline, suspects: ReadonlySet<NetworkId>): Promise<boolean> {
    const zoneOf = (network: NetworkId) => pipeline.facts.zones.get(network);
    const zones = new Map<NetworkId, number>();
    for (const network of suspects) {
      const zone = zoneOf(network);
      if (zone !== undefined) zones.set(network, zone);
    }
    if (zones.size === 0) return false;
    // Else a decision that was cached before would let a connection in after it was looked for.
    await this.#options.revalidated();
    const began = performance.now();
    const read = await this.#read([...zones.values()]);
    if (read === null) await delay(unseenRevalidation);
    const world = worldOf(pipeline.facts);
    for (const [network, zone] of zones) {
      // A zone that has another network by now was emptied for it.
      if (zoneOf(network) !== zone) continue;
      const entries = read?.get(zone) ?? null;
      if (read !== null && entries !== null) await this.#judge(pipeline, world, network, entries);
      else if (read === null || read.has(zone))
        await this.#endAll(network, zone, 'connections cannot be told apart');
    }
    this.#milliseconds += performance.now() - began;
    return true;
  }

  /**
   * The connections of zones; null of a zone of which some cannot be read, and null of all when the switch cannot be
   * asked.
   */
  async #read(zones: readonly number[]): Promise<ReadonlyMap<number, Read | null> | null> {
    const read = new Map<number, ConntrackEntry[] | null>(zones.map((zone) => [zone, []]));
    const dumps = zones.length <= fewZones ? zones : [undefined];
    for (const zone of dumps) {
      const text = await this.#dump(zone);
      if (text === null) return null;
      const { entries, unreadable } = parseConntrack(text, new Set(zones));
      for (const line of unreadable) {
        this.#options.log.warn({ line }, 'a connection of the switch cannot be read');
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
        log.warn({ error: reasonOf(error), attempt }, 'the switch does not tell its connections');
      }
    }
    return null;
  }

  async #judge(pipeline: Pipeline, world: World, network: NetworkId, entries: Read): Promise<void> {
    const { session, log } = this.#options;
    const began = performance.now();
    const ownerOf = ownersIn(pipeline, world, network);
    const verdicts = (now: World, of: Read): Verdicts => {
      const forbidden: ConntrackEntry[] = [];
      const narrowings: Narrowing[] = [];
      for (const entry of of) {
        const keys = keysOf(entry);
        const admission = {
          originators: keys.originators.map(ownerOf),
          responders: keys.responders.map(ownerOf),
        };
        const still = standing(now, tupleOf(network, entry), admission);
        if (still === null) {
          forbidden.push(entry);
          continue;
        }
        if (still !== admission)
          narrowings.push({ entry, writes: withoutFallen(entry, keys, still, ownerOf) });
        for (const port of [...still.originators, ...still.responders])
          if (pipeline.relations.locals.get(port) === undefined) pipeline.suspicion.isAway(port);
      }
      return { forbidden, narrowings };
    };
    const { forbidden, narrowings } = verdicts(world, entries);
    // What was allowed again meanwhile may have come again.
    const isForbiddenNow = (entry: ConntrackEntry): boolean => {
      const now = verdicts(worldOf(pipeline.facts), [entry]);
      return now.forbidden.length + now.narrowings.length > 0;
    };
    if (narrowings.length > 0) {
      await narrow(session, narrowings);
      const narrowed = narrowings.map(({ entry }) => entry);
      forbidden.push(...(await this.#left(narrowed, isForbiddenNow)));
    }
    let left: Read = forbidden;
    // What was on its way by an old decision may bring one back, once.
    for (let attempt = 1; attempt <= 2 && left.length > 0; attempt++) {
      await sever(session, left, this.#options.onKernel());
      left = await this.#left(left, isForbiddenNow);
    }
    const [first] = left;
    if (first !== undefined) {
      await this.#endAll(network, first.zone, 'forbidden connections did not go');
      if ((await this.#left(left, isForbiddenNow)).length > 0)
        throw new Error(`the switch keeps forbidden connections of network ${network}`);
    }
    this.#connections += forbidden.length;
    const ms = Math.round(performance.now() - began);
    const told = { network, looked: entries.length, cut: forbidden.length, narrowed: narrowings.length, ms };
    if (forbidden.length + narrowings.length > 0)
      log.info(told, 'connections that are no longer allowed were cut');
    else log.debug(told, 'all connections are still allowed');
  }

  /** Those of them that the switch still has and that are forbidden still. Rejects when it does not tell. */
  async #left(entries: Read, isForbidden: (entry: ConntrackEntry) => boolean): Promise<Read> {
    const zones = [...new Set(entries.map(({ zone }) => zone))];
    const severed = new Set(entries.map(identityOf));
    const read = await this.#read(zones);
    return zones.flatMap((zone) => {
      const present = read?.get(zone) ?? null;
      if (present === null) throw new Error('the switch does not tell which connections are left');
      return present.filter((entry) => severed.has(identityOf(entry)) && isForbidden(entry));
    });
  }

  async #endAll(network: NetworkId, zone: number, why: string): Promise<void> {
    this.#options.log.warn(
      { network, zone },
      `${why}, so all of the network were cut: those that are allowed begin anew`,
    );
    await this.#options.session.flushZone(zone);
  }
}

function tupleOf(network: NetworkId, { protocol, original: { src, dst, layer4 } }: ConntrackEntry): Tuple {
  const detail = layer4.kind === 'ports' && layer4.src === 0 && layer4.dst === 0 ? null : layer4;
  return { network, protocol, src, dst, detail };
}

/** What takes those out of a connection's record who no longer admit it. */
function withoutFallen(entry: ConntrackEntry, keys: Keys, still: Admission, ownerOf: Owner): Action[] {
  const fallen = (side: readonly number[], kept: readonly PortId[]): number[] =>
    side.filter((key) => !kept.includes(ownerOf(key)));
  return forget(entry, {
    originators: fallen(keys.originators, still.originators),
    responders: fallen(keys.responders, still.responders),
  });
}

/** Whom a network's connections name: ports of this host, else ports that may come back to it, else ports that are gone. */
function ownersIn({ relations }: Pipeline, world: World, network: NetworkId): Owner {
  const locals = new Map<number, PortId>();
  for (const [id, { key, port }] of relations.locals.entries())
    if (port.network === network) locals.set(key, id);
  let others: Map<number, PortId> | null = null;
  return (key) => {
    const local = locals.get(key);
    if (local !== undefined) return local;
    if (others === null) {
      others = new Map();
      for (const port of world.ports.values())
        if (port.network === network) others.set(preferredId(port.id), port.id);
    }
    return others.get(key) ?? (`gone-${key}` as PortId);
  };
}
