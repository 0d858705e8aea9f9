/**
 * What this host is interested in: the ports that are plugged into its bridge, and what the store says about them.
 * Sets the pipeline's facts from both, and keeps the conntrack zones of their networks. Derives no flows.
 *
 * Invariants: a zone is recorded in the switch's database before its first use, and empty at its first use. A port's
 * facts are complete before it is local. A network with a recorded zone is followed.
 */
import type { Logger } from 'pino';
import { setBridgeExternalIds } from '../../ovsdb/index.ts';
import type { Pipeline } from '../../pipeline/flow-derivation.ts';
import type { NetworkId, PortId } from '../../policy/world.ts';
import type { Store } from '../../store/contract.ts';
import type { SwitchLinks } from '../switch/switch-links.ts';
import type { StoreReader } from './following.ts';
import { type PluggedInterface, PluggedInterfaces } from './interfaces.ts';
import { Lingering } from './lingering.ts';
import { PluggedNeeds } from './plugged-needs.ts';
import { Topology } from './topology.ts';
import { allocateZones, recordedZones, releasableZones, zoneRecord } from './zones.ts';

export interface InterestOptions {
  readonly store: Store;
  readonly host: string;
  readonly bridge: string;
  readonly links: SwitchLinks;
  readonly pipeline: Pipeline;
  readonly log: Logger;
  /** Milliseconds for which what no port needs any more is still followed; a minute when left out. */
  readonly lingerTime?: number;
  /** A round is needed. */
  readonly onChange: () => void;
}

type OwnInterface = PluggedInterface & { readonly network: NetworkId };

const defaultLingerTime = 60_000;

export class Interest {
  readonly topology: Topology;
  readonly #options: InterestOptions;
  readonly #plugged: PluggedInterfaces;
  /** Networks with a zone that no port here needs any more. */
  readonly #zones: Lingering<NetworkId>;
  #needs: PluggedNeeds | null = null;
  /** What was plugged when the switch was last read. */
  #present: ReadonlyMap<PortId, PluggedInterface> = new Map();

  constructor(options: InterestOptions) {
    this.#options = options;
    const { pipeline, log, onChange } = options;
    this.topology = new Topology(pipeline.facts, (key, reason) =>
      log.warn({ key, reason }, 'cannot read a record'),
    );
    this.#zones = new Lingering(this.#lingerTime, onChange);
    this.#plugged = new PluggedInterfaces(({ port, name, out }) =>
      log.warn(
        { port, interface: name, other: out },
        'interface takes over a port from another one with the same iface-id',
      ),
    );
  }

  get #lingerTime(): number {
    return this.#options.lingerTime ?? defaultLingerTime;
  }

  /** Follows the store for the topology and for `readers`. */
  start(readers: readonly StoreReader[]): void {
    const { store, log, onChange, pipeline } = this.#options;
    const { topology } = this;
    const { facts } = pipeline;
    const lingerTime = this.#lingerTime;
    this.#needs = new PluggedNeeds({ store, log, topology, facts, readers, lingerTime, onChange });
  }

  stop(): void {
    this.#needs?.close();
    this.#zones.stop();
  }

  /** Whether the store has answered. Before that, a missing record means nothing. */
  get listed(): boolean {
    return this.#needs?.isListed === true;
  }

  /** Whether the facts have all that plugged ports need, as of the last `readSwitch`. */
  get isComplete(): boolean {
    return this.#needs?.isComplete === true;
  }

  /** The facts have everything that plugged ports need, up to this revision of the store. */
  get revision(): number {
    return this.#needs?.revision ?? 0;
  }

  /**
   * Follows what plugged ports need, and gives zones to their networks. False while a round would withdraw flows that
   * an earlier agent installed.
   */
  async prepare(): Promise<boolean> {
    const { bridge, links, pipeline } = this.#options;
    const { ovsdb, session } = links;
    const recorded = recordedZones(ovsdb, bridge);
    const plugged = this.#plugged.read(ovsdb, bridge);
    this.#needs?.follow([...plugged.keys()], recorded.keys());
    if (this.#needs?.wasComplete !== true) return false;
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

  /** Whether an interface of the port was there when the switch was last read. */
  isPlugged(port: PortId): boolean {
    return this.#present.has(port);
  }

  /**
   * Gives back the zones of networks that were deleted, or have had no port here for a while. Call it once the switch
   * has no flow of theirs.
   */
  async releaseZones(): Promise<void> {
    const { bridge, links, pipeline } = this.#options;
    const { localsOf } = pipeline.relations;
    const needed = this.#neededNetworks(this.#plugged.read(links.ovsdb, bridge));
    const recorded = recordedZones(links.ovsdb, bridge);
    const isInUse = (id: NetworkId): boolean => localsOf.get(id) !== undefined || needed.has(id);
    const over = new Set(this.#zones.over([...recorded.keys()].filter((id) => !isInUse(id))));
    const released = releasableZones(
      recorded,
      (id) => over.has(id) || this.topology.lookUpNetwork(id).state === 'absent',
      isInUse,
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
    const patches = this.#options.links.patches.ofports;
    for (const [network] of facts.patches.entries()) if (!patches.has(network)) facts.patches.delete(network);
    for (const [network, ofport] of patches) facts.patches.set(network, ofport);
    this.#present = this.#plugged.read(ovsdb, this.#options.bridge);
    // Ports may have been plugged since `prepare`.
    this.#needs?.follow([...this.#present.keys()], zones.keys());
    const own = this.#ownInterfaces(this.#present);
    for (const [port] of facts.ofports.entries()) if (!own.has(port)) facts.ofports.delete(port);
    for (const [port, { ofport }] of own)
      if (this.#needs?.isReady(port) === true) facts.ofports.set(port, ofport);
  }

  #neededNetworks(plugged: ReadonlyMap<PortId, PluggedInterface>): ReadonlySet<NetworkId> {
    return new Set([...this.#ownInterfaces(plugged).values()].map(({ network }) => network));
  }

  /** Its flows are here before it comes. */
  #arrivesHere(id: PortId, network: NetworkId): boolean {
    const { facts } = this.#options.pipeline;
    const isTunnelled = facts.networks.get(network)?.physical === undefined;
    return isTunnelled && facts.ports.get(id)?.arrival?.host === this.#options.host;
  }

  /** Plugged ports that the store knows, less those that a caller has requested for another host alone. */
  #ownInterfaces(plugged: ReadonlyMap<PortId, PluggedInterface>): Map<PortId, OwnInterface> {
    const own = new Map<PortId, OwnInterface>();
    for (const [id, each] of plugged) {
      const network = this.topology.networkOf(id);
      const requested = this.topology.requestedHost(id);
      if (network === undefined) continue;
      if (requested === '' || requested === this.#options.host || this.#arrivesHere(id, network))
        own.set(id, { ...each, network });
    }
    return own;
  }
}
