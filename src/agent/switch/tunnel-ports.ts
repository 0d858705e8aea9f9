/**
 * Keeps the tunnel ports of the bridge: one for each kind of tunnel that the host has. Flows say where a packet goes and
 * in which network it is, so hosts and networks that come and go change no port. A host without a tunnel endpoint
 * has no tunnel port; one that was left is removed. Writes to the database; knows no flows.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../../base/errors.ts';
import { type TunnelType, tunnelTypes, type Vtep } from '../../model/vtep.ts';
import { formatIp } from '../../net/cidr.ts';
import {
  addPort,
  adjustInterface,
  type DatabaseUpdate,
  findByName,
  type Operation,
  type Ovsdb,
  type PortSpec,
  removePort,
} from '../../ovsdb/index.ts';
import type { Drift } from './drift.ts';
import { Pacer } from './pacer.ts';

export interface TunnelPortsOptions {
  readonly ovsdb: () => Ovsdb;
  readonly bridge: string;
  readonly vtep: Vtep | null;
  readonly log: Logger;
  readonly drift: Drift;
}

/** Marks ports that an agent has made. */
const mark = 'portcullis-tunnel';
const portNameOf = (type: TunnelType): string => `pc-${type}`;

export class TunnelPorts {
  readonly #options: TunnelPortsOptions;
  readonly #pacer = new Pacer(() => void this.#correct());
  /** The ports have been there since the agent started. */
  #made = false;
  #correcting = false;
  #closed = false;
  /** The error of each port that was logged last. */
  readonly #errors = new Map<TunnelType, string>();

  constructor(options: TunnelPortsOptions) {
    this.#options = options;
  }

  #specOf(type: TunnelType, { address }: Vtep): PortSpec {
    return {
      bridge: this.#options.bridge,
      name: portNameOf(type),
      type,
      options: { remote_ip: 'flow', key: 'flow', local_ip: formatIp(address.family, address.bits) },
      externalIds: { [mark]: 'true' },
    };
  }

  /** The changes of the database that are due, one transaction a port. */
  get #changes(): readonly (readonly Operation[])[] {
    const { vtep } = this.#options;
    const ovsdb = this.#options.ovsdb();
    const bridge = findByName(ovsdb, 'Bridge', this.#options.bridge)?.row;
    if (bridge === undefined) return [];
    const changes = tunnelTypes.map((type) => {
      const port = findByName(ovsdb, 'Port', portNameOf(type));
      const isOurs = port !== undefined && bridge.ports.includes(port.uuid);
      if (vtep?.types.includes(type) === true) {
        const spec = this.#specOf(type, vtep);
        return isOurs ? adjustInterface(ovsdb, spec) : addPort(spec);
      }
      const row = findByName(ovsdb, 'Interface', portNameOf(type))?.row;
      return isOurs && row?.external_ids.has(mark) === true ? removePort(ovsdb, portNameOf(type)) : [];
    });
    return changes.filter((operations) => operations.length > 0);
  }

  /** The ports are as they should be, as far as the database says. */
  get kept(): boolean {
    return this.#changes.length === 0;
  }

  /** OpenFlow port numbers of the tunnel ports that work. */
  get ofports(): ReadonlyMap<TunnelType, number> {
    const { vtep, ovsdb } = this.#options;
    return new Map(
      (vtep?.types ?? []).flatMap((type) => {
        const row = findByName(ovsdb(), 'Interface', portNameOf(type))?.row;
        return row?.type === type && row.ofport !== null && row.ofport > 0
          ? [[type, row.ofport] as const]
          : [];
      }),
    );
  }

  /** The database has been read. */
  synced(): void {
    this.#check();
  }

  updated(_update: DatabaseUpdate): void {
    if (this.#closed || this.#correcting) return;
    this.#logErrors();
    if (this.#changes.length === 0) return;
    if (this.#made) this.#options.drift.found('tunnel', 1, { bridge: this.#options.bridge });
    this.#made = false;
    this.#check();
  }

  close(): void {
    this.#closed = true;
    this.#pacer.cancel();
  }

  #logErrors(): void {
    const { vtep, ovsdb, log, bridge } = this.#options;
    for (const type of vtep?.types ?? []) {
      const error = findByName(ovsdb(), 'Interface', portNameOf(type))?.row.error ?? '';
      if (error !== '' && error !== this.#errors.get(type))
        log.warn({ bridge, port: portNameOf(type), error }, 'switch cannot make the tunnel port');
      this.#errors.set(type, error);
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
      log.info({ bridge }, 'corrected the tunnel ports');
    } catch (error) {
      log.warn({ bridge, error: reasonOf(error) }, 'failed to correct the tunnel ports');
    } finally {
      this.#correcting = false;
      this.#pacer.corrected();
    }
    this.#check();
  }
}
