/** That this host lives, and what it plugs ports into, said to the store at intervals. */
import type { Logger } from 'pino';
import { reasonOf } from '../../base/errors.ts';
import { keys } from '../../model/keys.ts';
import type { BridgeRecord, HostRecord } from '../../model/records.ts';
import type { Store, Write } from '../../store/contract.ts';

/** Milliseconds between signs of life, and after how many of silence a host counts as gone. */
const heartbeat = { every: 10_000, ttl: 30_000 } as const;

export interface PresenceOptions {
  readonly store: Store;
  readonly host: string;
  readonly bridge: string;
  readonly availabilityZone?: string;
  readonly log: Logger;
  /** Of the bridge as it is; undefined while there is none. */
  readonly datapathType: () => string | undefined;
}

export class Presence {
  readonly #options: PresenceOptions;
  #heart: NodeJS.Timeout | undefined;
  #said: string | undefined;
  /** What the store remembers of the bridge. */
  #remembered: string | undefined;
  readonly #started = Date.now();

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  /** Rejects when the store does. */
  async start(): Promise<void> {
    await this.#beat();
    this.#heart = setInterval(() => this.#try(), heartbeat.every);
  }

  /** Says at once what has changed since the last sign of life. */
  refresh(): void {
    if (this.#options.datapathType() !== this.#said) this.#try();
  }

  halt(): void {
    clearInterval(this.#heart);
  }

  async leave(): Promise<void> {
    const { store, host } = this.#options;
    await store.txn([], [{ op: 'delete', key: keys.host(host) }]);
  }

  #try(): void {
    const { log } = this.#options;
    this.#beat().catch((error: unknown) => log.warn({ error: reasonOf(error) }, 'no heartbeat'));
  }

  async #beat(): Promise<void> {
    const { store, host, bridge, availabilityZone: zone, datapathType } = this.#options;
    const datapath = datapathType();
    this.#said = datapath;
    const record: HostRecord = {
      name: host,
      heartbeat: Date.now(),
      ttl: heartbeat.ttl,
      started: this.#started,
      bridge,
      ...(zone === undefined ? {} : { availability_zone: zone }),
      ...(datapath === undefined ? {} : { datapath_type: datapath }),
    };
    const writes: Write[] = [{ op: 'put', key: keys.host(host), value: JSON.stringify(record) }];
    if (datapath !== undefined && datapath !== this.#remembered) {
      const remembered: BridgeRecord = { bridge, datapath_type: datapath };
      writes.push({ op: 'put', key: keys.bridge(host), value: JSON.stringify(remembered) });
    }
    await store.txn([], writes);
    if (datapath !== undefined) this.#remembered = datapath;
  }
}
