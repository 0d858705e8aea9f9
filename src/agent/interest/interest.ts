/**
 * What this host is interested in: the ports that are plugged into its bridge, and what the store says about them.
 * Sets the pipeline's facts from both, and keeps the conntrack zones of their networks. Derives no flows.
 *
 * Invariants: a zone is recorded in the switch's database before its first use, and empty at its first use.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../../base/errors.ts';
import { setBridgeExternalIds } from '../../ovsdb/index.ts';
import type { Pipeline } from '../../pipeline/flow-derivation.ts';
import type { NetworkId, PortId } from '../../policy/world.ts';
import type { Batch, Snapshot, Store, Subscription } from '../../store/contract.ts';
import type { SwitchLinks } from '../switch/switch-links.ts';
import { type PluggedInterface, PluggedInterfaces } from './interfaces.ts';
import { Topology } from './topology.ts';
import { allocateZones, recordedZones, releasableZones, zoneRecord } from './zones.ts';

/** A reader of some prefixes of the store. All readers get each revision as one batch. */
export interface StoreReader {
  readonly prefixes: readonly string[];
  reset(snapshot: Snapshot): void;
  /** False for a batch that calls for no round. */
  apply(batch: Batch): boolean;
}

export interface InterestOptions {
  readonly store: Store;
  readonly host: string;
  readonly bridge: string;
  readonly links: SwitchLinks;
  readonly pipeline: Pipeline;
  readonly log: Logger;
}

type OwnInterface = PluggedInterface & { readonly network: NetworkId };

export class Interest {
  readonly topology: Topology;
  readonly #options: InterestOptions;
  readonly #plugged: PluggedInterfaces;
  #subscription: Subscription | null = null;
  #listed = false;
  /** A plugged port without a number; null when there is none. */
  #awaited: PortId | null = null;
  /** What was plugged when the switch was last read. */
  #present: ReadonlyMap<PortId, PluggedInterface> = new Map();

  constructor(options: InterestOptions) {
    this.#options = options;
    const { pipeline, log } = options;
    this.topology = new Topology(pipeline.facts, (key) => log.warn({ key }, 'cannot read a record'));
    this.#plugged = new PluggedInterfaces(({ port, name, out }) =>
      log.warn(
        { port, interface: name, other: out },
        'interface takes over a port from another one with the same iface-id',
      ),
    );
  }

  /** Follows the store for the topology and for `readers`. `onChange`: a round is needed. */
  start(readers: readonly StoreReader[], onChange: () => void): void {
    const { store, log } = this.#options;
    const all: readonly StoreReader[] = [this.topology, ...readers];
    this.#subscription = store.subscribe(
      all.flatMap(({ prefixes }) => prefixes),
      {
        onSnapshot: (snapshot) => {
          for (const reader of all) reader.reset(snapshot);
          this.#listed = true;
          onChange();
        },
        onBatch: (batch) => {
          const needed = all.map((reader) => reader.apply(batch));
          if (needed.includes(true)) onChange();
        },
        onTrouble: (error) => log.warn({ error: reasonOf(error) }, 'lost the store; listing it again'),
      },
    );
  }

  stop(): void {
    this.#subscription?.close();
  }

  /** Whether the store has been listed. Before that, a missing record means nothing. */
  get listed(): boolean {
    return this.#listed;
  }

  /**
   * Gives zones to networks with plugged ports that have none. False while a plugged port is not followed yet, or waits
   * for its number: a round would withdraw its flows.
   */
  async prepare(): Promise<boolean> {
    const { bridge, links, pipeline } = this.#options;
    const { ovsdb, session } = links;
    const recorded = recordedZones(ovsdb, bridge);
    const plugged = this.#plugged.read(ovsdb, bridge);
    for (const id of plugged.keys()) if (this.topology.port(id).state === 'not-followed') return false;
    if (this.#waitsForNumbers(plugged)) return false;
    const needed = this.#neededNetworks(plugged);
    // A record that somebody removed is written again as it was: connections are in that zone.
    const lost = [...pipeline.facts.zones.entries()].filter(
      ([network, zone]) =>
        needed.has(network) && !recorded.has(network) && ![...recorded.values()].includes(zone),
    );
    const fresh = allocateZones(new Map([...recorded, ...lost]), needed);
    // Flushed before it is recorded, so that a recorded zone is clean or in use whenever the agent is interrupted.
    for (const zone of fresh.values()) await session.flushZone(zone);
    const records = [...lost, ...fresh].map(
      ([network, zone]) => [zoneRecord(network), String(zone)] as const,
    );
    await ovsdb.transact(setBridgeExternalIds(ovsdb, bridge, Object.fromEntries(records)));
    return true;
  }

  /** Logs each wait once. */
  #waitsForNumbers(plugged: ReadonlyMap<PortId, PluggedInterface>): boolean {
    const port = [...plugged.keys()].find((id) => this.topology.awaitsNumbers(id)) ?? null;
    if (port !== null && this.#awaited === null)
      this.#options.log.warn({ port }, 'waits for a server to number the records of release 0.1');
    this.#awaited = port;
    return port !== null;
  }

  /** Whether an interface of the port was there when the switch was last read. */
  isPlugged(port: PortId): boolean {
    return this.#present.has(port);
  }

  /** Gives back the zones of deleted networks. Call it once the switch has no flow of theirs. */
  async releaseZones(): Promise<void> {
    const { bridge, links, pipeline } = this.#options;
    const { localsOf } = pipeline.relations;
    const needed = this.#neededNetworks(this.#plugged.read(links.ovsdb, bridge));
    const released = releasableZones(
      recordedZones(links.ovsdb, bridge),
      (network) => this.topology.network(network),
      (network) => localsOf.get(network) !== undefined || needed.has(network),
    );
    const records = released.map((network) => [zoneRecord(network), null] as const);
    await links.ovsdb.transact(setBridgeExternalIds(links.ovsdb, bridge, Object.fromEntries(records)));
  }

  /** Sets the facts that the switch's database says: the zones and the plugged ports. */
  readSwitch(): void {
    const { facts } = this.#options.pipeline;
    const { ovsdb } = this.#options.links;
    const zones = recordedZones(ovsdb, this.#options.bridge);
    for (const [network] of facts.zones.entries()) if (!zones.has(network)) facts.zones.delete(network);
    for (const [network, zone] of zones) facts.zones.set(network, zone);
    const tunnels = this.#options.links.tunnels.ofports;
    for (const [type] of facts.tunnels.entries()) if (!tunnels.has(type)) facts.tunnels.delete(type);
    for (const [type, ofport] of tunnels) facts.tunnels.set(type, ofport);
    this.#present = this.#plugged.read(ovsdb, this.#options.bridge);
    const own = this.#ownInterfaces(this.#present);
    for (const [port] of facts.ofports.entries()) if (!own.has(port)) facts.ofports.delete(port);
    for (const [port, { ofport }] of own) facts.ofports.set(port, ofport);
  }

  #neededNetworks(plugged: ReadonlyMap<PortId, PluggedInterface>): ReadonlySet<NetworkId> {
    return new Set([...this.#ownInterfaces(plugged).values()].map(({ network }) => network));
  }

  /** Plugged ports that the store knows and that no caller has requested for another host. */
  #ownInterfaces(plugged: ReadonlyMap<PortId, PluggedInterface>): Map<PortId, OwnInterface> {
    const own = new Map<PortId, OwnInterface>();
    for (const [id, each] of plugged) {
      const network = this.topology.networkOf(id);
      const requested = this.topology.requestedHost(id);
      if (network !== undefined && (requested === '' || requested === this.#options.host))
        own.set(id, { ...each, network });
    }
    return own;
  }
}
