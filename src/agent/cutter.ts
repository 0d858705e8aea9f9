/**
 * Ends live connections that present rules no longer allow: where something may have become forbidden, it reads the
 * switch's connections, has policy judge each, and severs the forbidden ones, leaving all others alone. What it could
 * not deal with stays suspect. Where the switch cannot be asked for its connections, all of a suspect network are
 * ended, for none that is forbidden may be left.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { reasonOf } from '../base/errors.ts';
import type { Session } from '../openflow/index.ts';
import { type ConntrackDump, type ConntrackEntry, parseConntrack } from '../ovsdb/index.ts';
import { preferredId } from '../pipeline/ids.ts';
import type { Pipeline } from '../pipeline/pipeline.ts';
import { worldOf } from '../pipeline/world-of.ts';
import { stands } from '../policy/standing.ts';
import type { NetworkId, PortId, World } from '../policy/world.ts';
import { sever } from './severing.ts';

export interface CutterOptions {
  readonly session: Session;
  readonly log: Logger;
  /** The switch's live connections, of one zone or of all; null when it cannot be asked. */
  readonly connections: (zone?: number) => Promise<string> | null;
  /** Resolves when packets meet the flows that the switch has acknowledged. */
  readonly revalidated: () => Promise<void>;
}

export interface CutCounts {
  /** Connections that were ended one by one. */
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

/** The port that a half of a label names: null is none, undefined one that is not known here. */
type Owner = (key: bigint) => PortId | null | undefined;
type Read = ConntrackDump['entries'];

const half = 0xffffffffn;

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
      else if (read === null || read.has(zone)) await this.#endAll(network, zone);
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
      const { entries, unreadable } = parseConntrack(text);
      for (const entry of entries) read.get(entry.zone)?.push(entry);
      for (const line of unreadable) {
        this.#options.log.warn({ line }, 'a connection of the switch cannot be read');
        for (const each of zone === undefined ? zones : [zone])
          if (!line.includes('zone=') || new RegExp(`zone=${each}\\b`).test(line)) read.set(each, null);
      }
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
    const forbidden = entries.filter((entry) => {
      const originator = ownerOf(entry.label & half);
      const responder = ownerOf((entry.label >> 32n) & half);
      if (originator === undefined || responder === undefined) return true;
      const { protocol, original } = entry;
      const { src, dst, layer4 } = original;
      const detail = layer4.kind === 'ports' && layer4.src === 0 && layer4.dst === 0 ? null : layer4;
      if (!stands(world, { network, protocol, src, dst, detail, originator, responder })) return true;
      for (const port of [originator, responder])
        if (port !== null && pipeline.relations.locals.get(port) === undefined)
          pipeline.suspicion.isAway(port);
      return false;
    });
    const left = await sever(session, forbidden);
    const [first] = left;
    if (first !== undefined) await this.#endAll(network, first.zone);
    this.#connections += forbidden.length;
    const ms = Math.round(performance.now() - began);
    const told = { network, looked: entries.length, cut: forbidden.length, ms };
    if (forbidden.length > 0) log.info(told, 'connections that are no longer allowed were cut');
    else log.debug(told, 'all connections are still allowed');
  }

  async #endAll(network: NetworkId, zone: number): Promise<void> {
    this.#options.log.warn(
      { network, zone },
      'connections cannot be told apart, so all of the network were cut: those that are allowed begin anew',
    );
    await this.#options.session.flushZone(zone);
  }
}

/** Whom the labels of a network's connections name: ports of this host, else ports that may come back to it. */
function ownersIn({ relations }: Pipeline, world: World, network: NetworkId): Owner {
  const locals = new Map<number, PortId>();
  for (const [id, { key, port }] of relations.locals.entries())
    if (port.network === network) locals.set(key, id);
  let others: Map<number, PortId> | null = null;
  return (label) => {
    const key = Number(label);
    if (key === 0) return null;
    const local = locals.get(key);
    if (local !== undefined) return local;
    if (others === null) {
      others = new Map();
      for (const port of world.ports.values())
        if (port.network === network) others.set(preferredId(port.id), port.id);
    }
    return others.get(key);
  };
}
