/**
 * The agent's derivation side: the pipeline, the store's part that feeds it, and the plugged ports and zones of
 * the host. One round takes what is known at one moment, and gives what the switch must do for it.
 * Talks to the store only to follow it; the switch is changed by its owner through the applier.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../base/errors.ts';
import { keys } from '../model/keys.ts';
import type { AskRecord } from '../model/records.ts';
import { type Operation, type RowSource, setBridgeExternalIds } from '../ovsdb/index.ts';
import type { Features } from '../pipeline/pipeline.ts';
import { Pipeline } from '../pipeline/pipeline.ts';
import type { NetworkId, PortId } from '../policy/world.ts';
import type { Store } from '../store/contract.ts';
import { follow } from '../store/feed.ts';
import { type PluggedInterface, PluggedInterfaces } from './interest/interfaces.ts';
import { Topology } from './interest/topology.ts';
import { allocateZones, recordedZones, zoneRecord } from './interest/zones.ts';
import type { Answers } from './report/answers.ts';

export interface CoreOptions {
  readonly store: Store;
  readonly host: string;
  readonly bridge: string;
  readonly features: Features;
  readonly answers: Answers;
  readonly log: Logger;
  readonly onChange: () => void;
}

export interface Round {
  /** Ports whose flows will be on the switch once this round is applied. */
  readonly wired: ReadonlySet<PortId>;
  /** Questions that may be answered then. */
  readonly asks: ReadonlyMap<string, AskRecord>;
}

/** Zones that are to be flushed, and then recorded in the switch's database, before the next round. */
export interface ZonePlan {
  readonly fresh: readonly number[];
  readonly operations: readonly Operation[];
}

export class Core {
  readonly #options: CoreOptions;
  readonly #stop = new AbortController();
  readonly pipeline: Pipeline;
  readonly topology: Topology;
  readonly #plugged: PluggedInterfaces;
  #fed = false;

  constructor(options: CoreOptions) {
    this.#options = options;
    const { features, store, answers, log, onChange } = options;
    this.pipeline = new Pipeline(features);
    this.#plugged = new PluggedInterfaces(({ port, name, out }) =>
      log.warn(
        { port, interface: name, other: out },
        'an interface takes over a port from another that has its iface-id too',
      ),
    );
    this.topology = new Topology(this.pipeline.facts, (key) => log.warn({ key }, 'a record cannot be read'));
    void follow(store, [...this.topology.prefixes, keys.ask.prefix], {
      signal: this.#stop.signal,
      onReset: (snapshot) => {
        this.topology.reset(snapshot);
        answers.reset(snapshot);
        this.#fed = true;
        onChange();
      },
      onBatch: (batch) => {
        this.topology.apply(batch);
        answers.apply(batch);
        onChange();
      },
      onTrouble: (error) => log.warn({ error: reasonOf(error) }, 'lost the store, listing it again'),
    });
  }

  /** Whether the store has been read; before that nothing may be concluded from what is missing. */
  get fed(): boolean {
    return this.#fed;
  }

  /** Zones for networks with plugged ports that have none. */
  planZones(rows: RowSource): ZonePlan {
    const { bridge } = this.#options;
    const recorded = recordedZones(rows, bridge);
    const needed = new Set([...this.#ours(rows).values()].map(({ network }) => network));
    // A record that somebody removed is written again as it was: connections are in that zone.
    const lost = [...this.pipeline.facts.zones.entries()].filter(
      ([network, zone]) =>
        needed.has(network) && !recorded.has(network) && ![...recorded.values()].includes(zone),
    );
    const fresh = allocateZones(new Map([...recorded, ...lost]), needed);
    const entries = [...lost, ...fresh].map(
      ([network, zone]) => [zoneRecord(network), String(zone)] as const,
    );
    const operations = setBridgeExternalIds(rows, bridge, Object.fromEntries(entries));
    return { fresh: [...fresh.values()], operations };
  }

  /** Gives back the zones of networks that are gone; to be done once no flow of theirs is on the switch. */
  releaseZones(rows: RowSource): readonly Operation[] {
    const { bridge } = this.#options;
    const { facts, relations } = this.pipeline;
    const gone = [...recordedZones(rows, bridge).keys()].filter(
      (network) => facts.networks.get(network) === undefined && relations.localsOf.get(network) === undefined,
    );
    const entries = gone.map((network) => [zoneRecord(network), null] as const);
    return setBridgeExternalIds(rows, bridge, Object.fromEntries(entries));
  }

  /** Derives everything from what the rows and the store say now. Synchronous: one moment, one round. */
  derive(rows: RowSource): Round {
    const { facts, relations } = this.pipeline;
    const zones = recordedZones(rows, this.#options.bridge);
    for (const [network] of facts.zones.entries()) if (!zones.has(network)) facts.zones.delete(network);
    for (const [network, zone] of zones) facts.zones.set(network, zone);
    const ours = this.#ours(rows);
    for (const [port] of facts.ofports.entries()) if (!ours.has(port)) facts.ofports.delete(port);
    for (const [port, { ofport }] of ours) facts.ofports.set(port, ofport);
    const asks = this.#options.answers.take();
    this.pipeline.run();
    const wired = [...relations.locals.entries()].filter(([, { port }]) => port.adminUp).map(([id]) => id);
    return { wired: new Set(wired), asks };
  }

  /** Plugged ports that the store knows and that no caller has asked another host to hold. */
  #ours(rows: RowSource): Map<PortId, PluggedInterface & { readonly network: NetworkId }> {
    const ours = new Map<PortId, PluggedInterface & { readonly network: NetworkId }>();
    for (const [id, plugged] of this.#plugged.read(rows, this.#options.bridge)) {
      const network = this.topology.networkOf(id);
      const asked = this.topology.requestedHost(id);
      if (network !== undefined && (asked === '' || asked === this.#options.host))
        ours.set(id, { ...plugged, network });
    }
    return ours;
  }

  close(): void {
    this.#stop.abort();
  }
}
