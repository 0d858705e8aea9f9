/**
 * The agent's two connections to its switch: OVSDB says what is plugged where, OpenFlow carries the flows. Makes the
 * bridge when there is none and keeps it in the shape that flows rely on. Reports changes to its listener; decides
 * nothing about flows.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { bug, reasonOf } from '../../base/errors.ts';
import type { BridgeMappings } from '../../model/bridge-mappings.ts';
import type { Vtep } from '../../model/vtep.ts';
import {
  type Flow,
  type FlowRemoved,
  type FlowUpdate,
  flowMod,
  type PacketIn,
  Session,
} from '../../openflow/index.ts';
import { Control, type DatapathStats, isKernelDatapath, Ovsdb } from '../../ovsdb/index.ts';
import { minFragmentSize } from '../../policy/datagram.ts';
import { BridgeShape } from './bridge-shape.ts';
import { ConntrackTable } from './conntrack-table.ts';
import { DatapathLoad } from './datapath-load.ts';
import type { Drift } from './drift.ts';
import { PatchPorts } from './patch-ports.ts';
import { mixesUpDecisions } from './switch-faults.ts';
import { TunnelPorts } from './tunnel-ports.ts';

export interface SwitchLinksOptions {
  /** `unix:PATH` or `tcp:HOST:PORT`, of the database and of the bridge's OpenFlow service. */
  readonly ovsdb: string;
  readonly openflow: string;
  /** Directory of the control socket; null when the switch is on another machine. */
  readonly rundir: string | null;
  readonly bridge: string;
  /** For a bridge that has to be made; an existing one keeps its own. */
  readonly datapathType: string;
  /** Connections that one network may have on this host; 0 is any number. */
  readonly maxPerNetwork: number;
  /** This host's tunnel endpoint; without one it has no tunnels. */
  readonly vtep?: Vtep;
  /** The bridges to physical networks; none when left out. */
  readonly bridgeMappings?: BridgeMappings;
  readonly log: Logger;
  readonly drift: Drift;
}

/** What happens on the two connections. */
export interface SwitchListener {
  /** The switch's database changed. */
  onChange(): void;
  /** A new OpenFlow connection: what the switch has is unknown. */
  onConnected(): void;
  /** One of the two connections is up; called after `onConnected`. */
  onUp(): void;
  onPacketIn(packet: PacketIn): void;
  onFlowRemoved(removed: FlowRemoved): void;
  onFlowUpdate(update: FlowUpdate): void;
  /** The bridge changed, and its flows may have gone with that. */
  onReshaped(): void;
}

/**
 * A flow that no packet meets. The switch looks at its cached decisions again after every change of flows, else
 * only twice a second.
 */
const pulse: Flow = { table: 200, priority: 0, match: {}, actions: [], cookie: 0n };
/** Milliseconds; a change may come before the question that waits for its round. */
const pulseInterval = 3;

/** Milliseconds between a change of flows and the purge of cached decisions for which no answer waits. */
const purgeDelay = 100;

export class SwitchLinks {
  readonly #options: SwitchLinksOptions;
  readonly #stop = new AbortController();
  #lines: { readonly ovsdb: Ovsdb; readonly session: Session } | null = null;
  #listener: SwitchListener | null = null;
  readonly #control: Control | null;
  readonly #load: DatapathLoad | null;
  /** Null where the switch is out of reach for such questions. */
  readonly conntrack: ConntrackTable | null;
  readonly #shape: BridgeShape;
  readonly tunnels: TunnelPorts;
  readonly patches: PatchPorts;
  #mending: NodeJS.Timeout | undefined;
  /** How often flows may have changed, and up to which time cached decisions have been put right. */
  #changes = 1;
  #mended = 0;
  #throwing: Promise<void> = Promise.resolve();
  /** What the switch of this session says it is; null until it is asked. */
  #version: Promise<string> | null = null;
  #synced = false;

  constructor(options: SwitchLinksOptions) {
    this.#options = options;
    const { rundir } = options;
    this.#control = rundir === null ? null : new Control({ rundir });
    const datapathType = () => this.datapathType;
    this.conntrack =
      this.#control === null || rundir === null
        ? null
        : new ConntrackTable({ ...options, control: this.#control, rundir, datapathType });
    this.#load = this.#control === null ? null : new DatapathLoad(this.#control, datapathType);
    this.#shape = new BridgeShape({
      ...options,
      ovsdb: () => this.ovsdb,
      onReshaped: () => this.#listener?.onReshaped(),
    });
    const ovsdb = () => this.ovsdb;
    this.tunnels = new TunnelPorts({ ...options, vtep: options.vtep ?? null, ovsdb });
    this.patches = new PatchPorts({ ...options, mappings: options.bridgeMappings ?? {}, ovsdb });
  }

  /** Connects, and goes on connecting until `stop`. */
  start(listener: SwitchListener): void {
    const { log, ovsdb, openflow } = this.#options;
    const { signal } = this.#stop;
    this.#listener = listener;
    this.#lines = {
      ovsdb: new Ovsdb({
        target: ovsdb,
        signal,
        log,
        onUpdate: (batch) => {
          this.#shape.updated(batch);
          if (this.#synced) this.tunnels.updated(batch);
          if (this.#synced) this.patches.updated();
          listener.onChange();
        },
        onUp: () => {
          log.info({ ovsdb }, 'connected to the switch database');
          this.#synced = true;
          this.#shape.synced();
          this.tunnels.synced();
          this.patches.synced();
          listener.onUp();
        },
        onDown: (reason) => log.warn({ ovsdb, reason }, 'lost the switch database'),
      }),
      session: Session.connect({
        target: openflow,
        signal,
        log: (text) => log.debug(text),
        onUp: () => {
          log.info({ openflow }, 'connected to the switch');
          this.#version = null;
          this.#changes += 1;
          listener.onConnected();
          listener.onUp();
        },
        onDown: (reason) => log.warn({ openflow, reason }, 'lost the switch'),
        onPacketIn: (packet) => listener.onPacketIn(packet),
        onFlowRemoved: (removed) => listener.onFlowRemoved(removed),
        onFlowUpdate: (update) => listener.onFlowUpdate(update),
      }),
    };
    this.conntrack?.start();
  }

  async stop(): Promise<void> {
    this.conntrack?.stop();
    this.#shape.close();
    this.tunnels.close();
    this.patches.close();
    clearTimeout(this.#mending);
    this.#stop.abort();
    this.#control?.close();
    await Promise.all([this.#lines?.session.close(), this.#lines?.ovsdb.done]);
  }

  get ovsdb(): Ovsdb {
    return this.#lines?.ovsdb ?? bug('the connections to the switch are not started');
  }

  get session(): Session {
    return this.#lines?.session ?? bug('the connections to the switch are not started');
  }

  get hasTunnels(): boolean {
    return this.#options.vtep !== undefined;
  }

  /** Both connections are up and the bridge is there. */
  get ready(): boolean {
    return this.#synced && this.#lines?.session.state === 'up' && this.#shape.row !== undefined;
  }

  /** The bridge has the shape that flows rely on, its tunnel ports and its patch ports. */
  get inShape(): boolean {
    return this.#shape.kept && this.tunnels.kept && this.patches.kept;
  }

  /**
   * Resolves when packets meet the flows that the switch has acknowledged: decisions cached before have been looked
   * at again, and thrown away where the switch may have mended the wrong ones.
   */
  async revalidated(): Promise<void> {
    clearTimeout(this.#mending);
    this.#mending = undefined;
    const changes = this.#changes;
    await this.counted();
    if (this.#mended < changes) {
      this.#mended = changes;
      this.#throwing = this.#throwAway();
    }
    await this.#throwing;
  }

  async #throwAway(): Promise<void> {
    try {
      if (await this.#mixesUp()) await this.#control?.call('revalidator/purge');
    } catch (error) {
      this.#changes += 1;
      this.#options.log.warn({ error: reasonOf(error) }, 'failed to purge the cached decisions');
    }
  }

  /** Flows may have changed: cached decisions that need it are put right soon, also when nobody waits for that. */
  changed(): void {
    this.#changes += 1;
    if (this.#control === null) return;
    this.#mending ??= setTimeout(() => {
      this.#mending = undefined;
      void this.#mend();
    }, purgeDelay);
  }

  async #mend(): Promise<void> {
    try {
      if (await this.#mixesUp()) await this.revalidated();
    } catch (error) {
      this.#options.log.debug({ error: reasonOf(error) }, 'failed to read the version of the switch');
    }
  }

  async #mixesUp(): Promise<boolean> {
    if (this.#control === null) return false;
    this.#version ??= this.#control.call('version');
    const asked = this.#version;
    try {
      return mixesUpDecisions(await asked, this.datapathType);
    } catch (error) {
      if (this.#version === asked) this.#version = null;
      throw error;
    }
  }

  /** Resolves when flows show all that they have met up to now, and cached decisions have been looked at again. */
  async counted(): Promise<void> {
    const control = this.#control;
    if (control === null) return;
    try {
      // The round that ends first may have begun before the flows changed; the second has not.
      for (const _ of ['first', 'second']) {
        const looked = control.call('revalidator/wait').then(() => true);
        // It may fail before anything awaits it; the race below still receives the error.
        looked.catch(() => undefined);
        do await this.session.apply([flowMod.add(pulse), flowMod.remove(pulse)]);
        while (!(await Promise.race([looked, delay(pulseInterval, false)])));
      }
    } catch (error) {
      this.#options.log.debug({ error: reasonOf(error) }, 'cannot wait for revalidation: no control socket');
    }
  }

  /** Limits the connections of these zones to what the operator allows. No flow waits for it. */
  limitConnections(zones: Iterable<number>): void {
    void this.conntrack?.limit(new Set(zones));
  }

  /** Live connections of the bridge's datapath, one a line; null when the switch is out of reach for the question. */
  connections(zone?: number): Promise<string> | null {
    return this.#control?.dumpConntrack(zone, this.datapathType) ?? null;
  }

  /** What the datapath has to look through for a packet; null when it cannot be asked. */
  async datapathStats(): Promise<DatapathStats | null> {
    try {
      return (await this.#load?.read()) ?? null;
    } catch (error) {
      this.#options.log.debug({ error: reasonOf(error) }, 'failed to read the masks of the datapath');
      return null;
    }
  }

  /** Of the bridge as it is; undefined while there is none. */
  get datapathType(): string | undefined {
    return this.#lines === null ? undefined : this.#shape.row?.datapath_type;
  }

  /** Whether the datapath can rewrite neighbour-discovery options; null when it cannot be asked. */
  async answersNd(): Promise<boolean | null> {
    if (this.#control === null) return null;
    try {
      const features = await this.#control.datapathFeatures(this.#options.bridge);
      return features.get('IPv6 ND Extension') === 'Yes';
    } catch (error) {
      this.#options.log.warn({ error: reasonOf(error) }, 'failed to read the features of the datapath');
      return null;
    }
  }

  /**
   * To be called at each connection, since a new datapath has its own idea. Networks may have an MTU below that, and
   * guests may cut finer than they have to. The kernel's datapath takes pieces of any size.
   */
  async takeSmallPieces(): Promise<void> {
    const { datapathType } = this;
    if (this.#control === null || datapathType === undefined || isKernelDatapath(datapathType)) return;
    try {
      for (const family of [4, 6] as const)
        await this.#control.setMinFragmentSize(family, minFragmentSize, datapathType);
    } catch (error) {
      const told = { error: reasonOf(error) };
      this.#options.log.warn(told, 'datapath drops fragments smaller than 1200 (IPv6: 1280) bytes');
    }
  }
}
