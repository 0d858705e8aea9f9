/** Heartbeat: records periodically that this host is alive and which bridge it uses. */
import type { Logger } from 'pino';
import { reasonOf } from '../../base/errors.ts';
import { keys } from '../../model/keys.ts';
import type { BridgeRecord, HostRecord } from '../../model/records.ts';
import type { Vtep } from '../../model/vtep.ts';
import { formatIp } from '../../net/cidr.ts';
import type { Store, Write } from '../../store/contract.ts';

/** Milliseconds between two heartbeats. */
const interval = 10_000;
/** Milliseconds without a heartbeat after which the host counts as gone. */
const ttl = 30_000;

export interface HeartbeatOptions {
  readonly store: Store;
  readonly host: string;
  readonly bridge: string;
  readonly availabilityZone?: string;
  readonly vtep?: Vtep;
  readonly log: Logger;
  /** Of the bridge as it is; undefined while there is none. */
  readonly datapathType: () => string | undefined;
}

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #timer: NodeJS.Timeout | undefined;
  /** The datapath type in the last heartbeat. */
  #reported: string | undefined;
  /** The record of the bridge that was written last. */
  #recorded: string | undefined;
  readonly #started = Date.now();

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Rejects when the store does. */
  async start(): Promise<void> {
    await this.#beat();
    this.#timer = setInterval(() => this.#try(), interval);
  }

  /** Reports at once what changed since the last heartbeat. */
  refresh(): void {
    if (this.#options.datapathType() !== this.#reported) this.#try();
  }

  /** Takes the host's record back. Rejects when the store does. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    const { store, host } = this.#options;
    await store.txn([], [{ op: 'delete', key: keys.host(host) }]);
  }

  #try(): void {
    const { host, log } = this.#options;
    this.#beat().catch((error: unknown) =>
      log.warn({ host, error: reasonOf(error) }, 'failed to record the heartbeat'),
    );
  }

  async #beat(): Promise<void> {
    const { store, host, bridge, availabilityZone: zone, datapathType } = this.#options;
    const datapath = datapathType();
    this.#reported = datapath;
    const record: HostRecord = {
      name: host,
      heartbeat: Date.now(),
      ttl,
      started: this.#started,
      bridge,
      ...(zone === undefined ? {} : { availability_zone: zone }),
      ...(datapath === undefined ? {} : { datapath_type: datapath }),
    };
    const writes: Write[] = [{ op: 'put', key: keys.host(host), value: JSON.stringify(record) }];
    const bridgeRecord = datapath === undefined ? undefined : JSON.stringify(this.#bridgeRecord(datapath));
    if (bridgeRecord !== undefined && bridgeRecord !== this.#recorded)
      writes.push({ op: 'put', key: keys.bridge(host), value: bridgeRecord });
    await store.txn([], writes);
    if (bridgeRecord !== undefined) this.#recorded = bridgeRecord;
  }

  #bridgeRecord(datapath: string): BridgeRecord {
    const { bridge, vtep } = this.#options;
    const record = { bridge, datapath_type: datapath };
    if (vtep === undefined) return record;
    const { address, types } = vtep;
    return { ...record, tunnel_ip: formatIp(address.family, address.bits), tunnel_types: types };
  }
}
