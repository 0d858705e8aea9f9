/**
 * Keeps the patch ports between the bridge and those of physical networks: a pair for each bridge mapping. The operator
 * makes and owns the other bridge; while it is missing its network is out of reach. Pairs whose mapping has gone are
 * removed. Writes to the database; knows no flows.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../../base/errors.ts';
import type { BridgeMappings } from '../../model/bridge-mappings.ts';
import {
  addPort,
  adjustInterface,
  datapathTypeOf,
  findByName,
  type Operation,
  type Ovsdb,
  type PortSpec,
  removePort,
} from '../../ovsdb/index.ts';
import type { Drift } from './drift.ts';
import { Pacer } from './pacer.ts';

export interface PatchPortsOptions {
  readonly ovsdb: () => Ovsdb;
  readonly bridge: string;
  readonly mappings: BridgeMappings;
  readonly log: Logger;
  readonly drift: Drift;
}

/** Marks ports that an agent has made, with the name of its bridge. */
const mark = 'portcullis-patch';

/** Several bridges of one switch may be patched to one other. */
const portName = (on: string, to: string): string => `${on}--${to}`;

export class PatchPorts {
  readonly #options: PatchPortsOptions;
  readonly #pacer = new Pacer(() => void this.#correct());
  /** The ports have been there since the agent started. */
  #made = false;
  #correcting = false;
  #closed = false;
  /** The problem of each physical network that was logged last. */
  readonly #problems = new Map<string, string | null>();

  constructor(options: PatchPortsOptions) {
    this.#options = options;
  }

  /** Both ends of a pair. */
  #pair(other: string): readonly PortSpec[] {
    const { bridge } = this.#options;
    const end = (on: string, to: string): PortSpec => ({
      bridge: on,
      name: portName(on, to),
      type: 'patch',
      options: { peer: portName(to, on) },
      externalIds: { [mark]: bridge },
    });
    return [end(bridge, other), end(other, bridge)];
  }

  /** Why a physical network is out of reach; null where it is not. */
  #problemOf(other: string): string | null {
    const { ovsdb, bridge } = this.#options;
    const own = findByName(ovsdb(), 'Bridge', bridge)?.row;
    const there = findByName(ovsdb(), 'Bridge', other)?.row;
    if (other === bridge) return 'it is mapped to the integration bridge';
    if (there === undefined) return `there is no bridge ${other}`;
    if (own !== undefined && datapathTypeOf(own.datapath_type) !== datapathTypeOf(there.datapath_type))
      return `bridge ${other} has another datapath type`;
    return null;
  }

  get #reached(): readonly (readonly [network: string, bridge: string])[] {
    return Object.entries(this.#options.mappings).filter(([, other]) => this.#problemOf(other) === null);
  }

  /** The changes of the database that are due, one transaction a port. */
  get #changes(): readonly (readonly Operation[])[] {
    const { ovsdb, bridge } = this.#options;
    const database = ovsdb();
    if (findByName(database, 'Bridge', bridge) === undefined) return [];
    const wanted = this.#reached.flatMap(([, other]) => this.#pair(other));
    const names = new Set(wanted.map(({ name }) => name));
    const left = [...database.rows('Interface').values()].filter(
      ({ name, external_ids }) => external_ids.get(mark) === bridge && !names.has(name),
    );
    const changes = [
      ...left.map(({ name }) => removePort(database, name)),
      ...wanted.map((spec) => {
        const port = findByName(database, 'Port', spec.name);
        const on = findByName(database, 'Bridge', spec.bridge)?.row;
        const isThere = port !== undefined && on?.ports.includes(port.uuid) === true;
        return isThere ? adjustInterface(database, spec) : addPort(spec);
      }),
    ];
    return changes.filter((operations) => operations.length > 0);
  }

  /** The ports are as they should be, as far as the database says. */
  get kept(): boolean {
    return this.#changes.length === 0;
  }

  /** By physical network: OpenFlow port number of the patch port that works. */
  get ofports(): ReadonlyMap<string, number> {
    const { ovsdb, bridge } = this.#options;
    return new Map(
      this.#reached.flatMap(([network, other]) => {
        const row = findByName(ovsdb(), 'Interface', portName(bridge, other))?.row;
        const works = row?.type === 'patch' && row.ofport !== null && row.ofport > 0;
        return works ? [[network, row.ofport] as const] : [];
      }),
    );
  }

  /** The database has been read. */
  synced(): void {
    this.#logProblems();
    this.#check();
  }

  updated(): void {
    if (this.#closed || this.#correcting) return;
    this.#logProblems();
    if (this.#changes.length === 0) return;
    if (this.#made) this.#options.drift.found('patch', 1, { bridge: this.#options.bridge });
    this.#made = false;
    this.#check();
  }

  close(): void {
    this.#closed = true;
    this.#pacer.cancel();
  }

  #logProblems(): void {
    const { mappings, log, bridge } = this.#options;
    for (const [network, other] of Object.entries(mappings)) {
      const problem = this.#problemOf(other);
      if (problem !== null && problem !== this.#problems.get(network))
        log.warn({ bridge, physical: network, problem }, 'physical network is out of reach');
      if (problem === null && this.#problems.get(network)) this.#made = false;
      this.#problems.set(network, problem);
    }
  }

  #check(): void {
    if (this.#closed || this.#correcting) return;
    if (this.#changes.length > 0) this.#pacer.request();
    else {
      this.#pacer.cancel();
      this.#made = findByName(this.#options.ovsdb(), 'Bridge', this.#options.bridge) !== undefined;
    }
  }

  async #correct(): Promise<void> {
    if (this.#closed || this.#correcting) return;
    const { ovsdb, bridge, log } = this.#options;
    this.#correcting = true;
    try {
      for (const operations of this.#changes) await ovsdb().transact(operations);
      log.info({ bridge }, 'corrected the patch ports');
    } catch (error) {
      log.warn({ bridge, error: reasonOf(error) }, 'failed to correct the patch ports');
    } finally {
      this.#correcting = false;
      this.#pacer.corrected();
    }
    this.#check();
  }
}
