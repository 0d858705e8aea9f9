/**
 * The table of connections that all guests share, on a kernel with the host itself: how full it is, and how many
 * connections each network may have in it. Says when it is nearly full; knows no connection and cuts none.
 */
import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { reasonOf } from '../../base/errors.ts';
import { type Control, findSwitchProcess, isKernelDatapath } from '../../ovsdb/index.ts';

export interface ConntrackTableOptions {
  readonly control: Control;
  readonly rundir: string;
  /** Of the bridge as it is; undefined while there is none. */
  readonly datapathType: () => string | undefined;
  /** Connections that one network may have on this host; 0 is any number. */
  readonly maxPerNetwork: number;
  readonly log: Logger;
}

export interface Fullness {
  readonly connections: number;
  readonly max: number;
}

/** Milliseconds between two looks at how full it is. */
const lookInterval = 10_000;
/** Shares of the table: full enough for a warning, and empty enough to end it. */
const warningShare = 0.9;
const calmShare = 0.8;

const maxFile = '/proc/sys/net/netfilter/nf_conntrack_max';
/** Of the switch's own network namespace. */
const statFile = (pid: number): string => `/proc/${pid}/net/stat/nf_conntrack`;

/** The number of connections, of which every line below the head tells the same; null when it is not there. */
export function entriesOf(stat: string): number | null {
  const [head = '', first = ''] = stat.split('\n');
  if (!head.startsWith('entries')) return null;
  const entries = Number.parseInt(first.trim().split(/\s+/)[0] ?? '', 16);
  return Number.isNaN(entries) ? null : entries;
}

export class ConntrackTable {
  readonly #options: ConntrackTableOptions;
  readonly #limited = new Set<number>();
  /** Whether limits of an earlier run have been taken back. */
  #met = false;
  #looking: NodeJS.Timeout | undefined;
  #warned = false;

  constructor(options: ConntrackTableOptions) {
    this.#options = options;
  }

  /** Begins to watch how full it is. */
  start(): void {
    this.#looking = setInterval(() => void this.look(), lookInterval);
    this.#looking.unref();
  }

  stop(): void {
    clearInterval(this.#looking);
  }

  /** Null where it cannot be told. */
  async fullness(): Promise<Fullness | null> {
    const { control, rundir, datapathType, log } = this.#options;
    const type = datapathType();
    if (type === undefined) return null;
    try {
      if (!isKernelDatapath(type)) return await control.connectionCounts(type);
      const connections = entriesOf(await readFile(statFile(await findSwitchProcess(rundir)), 'utf8'));
      return connections === null ? null : { connections, max: Number(await readFile(maxFile, 'utf8')) };
    } catch (error) {
      log.debug({ error: reasonOf(error) }, 'failed to read the number of connections');
      return null;
    }
  }

  /** Reads how full it is, and logs when it becomes nearly full or has room again. Never rejects. */
  async look(): Promise<void> {
    const { log } = this.#options;
    const fullness = await this.fullness();
    if (fullness === null) return;
    const share = fullness.connections / fullness.max;
    if (!this.#warned && share >= warningShare) {
      this.#warned = true;
      log.warn(fullness, 'the table of connections is nearly full');
    } else if (this.#warned && share < calmShare) {
      this.#warned = false;
      log.info(fullness, 'the table of connections has room again');
    }
  }

  /** The switch may be another: what it limits is not known. */
  forget(): void {
    this.#limited.clear();
    this.#met = false;
  }

  /**
   * Makes the limit hold for these zones, and for none that it held for before. Never rejects: a zone works without it.
   * What the switch refuses is not asked of it again.
   */
  async limit(zones: ReadonlySet<number>): Promise<void> {
    const { control, datapathType, maxPerNetwork: max, log } = this.#options;
    const type = datapathType();
    if (type === undefined || (max === 0 && this.#met)) return;
    this.#met = true;
    const fresh = [...zones].filter((zone) => !this.#limited.has(zone));
    const gone = [...this.#limited].filter((zone) => !zones.has(zone));
    for (const zone of gone) this.#limited.delete(zone);
    for (const zone of fresh) this.#limited.add(zone);
    try {
      if (max > 0) {
        await control.setZoneLimits(fresh, max, type);
        await control.deleteZoneLimits(gone, type);
      } else {
        const limits = await control.zoneLimits(type);
        await control.deleteZoneLimits(
          fresh.filter((zone) => limits.has(zone)),
          type,
        );
      }
    } catch (error) {
      const told = { maxPerNetwork: max, error: reasonOf(error) };
      if (max > 0) log.warn(told, 'failed to limit the connections of networks');
      else log.debug(told, 'failed to read the limits of connections');
    }
  }
}
