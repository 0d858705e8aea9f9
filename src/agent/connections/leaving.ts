/**
 * Reports the live TCP connections of ports that are about to leave this host, so that they go on at the next one. Reads
 * the switch's table from time to time while there are such ports, and changes nothing on it.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../../base/errors.ts';
import { keys } from '../../model/keys.ts';
import type { LeavingConnection, LeavingRecord } from '../../model/records.ts';
import { formatIp } from '../../net/cidr.ts';
import { protocols } from '../../net/packet/transport.ts';
import { type ConntrackEntry, parseConntrack } from '../../ovsdb/index.ts';
import type { Pipeline } from '../../pipeline/flow-derivation.ts';
import { keysOf } from '../../pipeline/record.ts';
import type { NetworkId, PortId } from '../../policy/world.ts';
import type { Store } from '../../store/contract.ts';

/** Milliseconds between two readings. */
const reportInterval = 1000;
/** Milliseconds for which the report of a port stays that is not about to leave any more. */
const keptTime = 600_000;
const maxConnections = 2000;

export interface LeavingOptions {
  readonly store: Store;
  readonly host: string;
  readonly pipeline: Pipeline;
  readonly log: Logger;
  /** The switch's live connections of a zone; null when it cannot be asked. */
  readonly connections: (zone: number) => Promise<string> | null;
}

interface Report {
  readonly network: NetworkId;
  readonly text: string;
  readonly removal: NodeJS.Timeout | null;
}

export class LeavingConnections {
  readonly #options: LeavingOptions;
  readonly #reports = new Map<PortId, Report>();
  #timer: NodeJS.Timeout | null = null;
  #isLooking = false;

  constructor(options: LeavingOptions) {
    this.#options = options;
  }

  /** Takes over what an earlier agent of this host reported, so that it goes in time. Rejects when the store does. */
  async start(): Promise<void> {
    const { store, host } = this.#options;
    const { entries } = await store.snapshot([keys.leaving.under(host)]);
    for (const { key, value: text } of entries) {
      const parts = keys.leaving.parse(key);
      if (parts === null) continue;
      this.#reports.set(parts.id as PortId, { network: parts.network as NetworkId, text, removal: null });
    }
  }

  /** After each round. */
  update(): void {
    const leaving = this.#leaving();
    if (leaving.length > 0 && this.#timer === null) {
      this.#timer = setInterval(() => void this.#look(), reportInterval);
      this.#timer.unref();
      void this.#look();
    }
    if (leaving.length === 0) this.#rest();
    const present = new Set(leaving.map(([id]) => id));
    for (const [id, report] of this.#reports)
      if (!present.has(id) && report.removal === null) this.#removeLater(id, report);
  }

  stop(): void {
    this.#rest();
    for (const { removal } of this.#reports.values()) if (removal !== null) clearTimeout(removal);
    this.#reports.clear();
  }

  #rest(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #leaving() {
    return [...this.#options.pipeline.relations.locals.entries()].filter(
      ([, { moving }]) => moving?.side === 'leaving',
    );
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { connections, log } = this.#options;
    try {
      const leaving = this.#leaving();
      const zones = new Set(leaving.map(([, { zone }]) => zone));
      for (const zone of zones) {
        const text = await connections(zone);
        if (text === null) continue;
        const { entries } = parseConntrack(text, new Set([zone]));
        const here = leaving.filter(([, local]) => local.zone === zone);
        for (const [id, { port, key, moving }] of here)
          if (moving !== undefined)
            await this.#report(id, port.network, { key, number: moving.number }, entries);
      }
    } catch (error) {
      log.warn({ error: reasonOf(error) }, 'failed to report connections of ports that are about to leave');
    } finally {
      this.#isLooking = false;
    }
  }

  async #report(
    id: PortId,
    network: NetworkId,
    { key, number }: { readonly key: number; readonly number: number },
    entries: readonly ConntrackEntry[],
  ): Promise<void> {
    const { store, host } = this.#options;
    const connections = entries.flatMap((entry) => connectionOf(entry, key)).slice(0, maxConnections);
    const text = JSON.stringify({ number, connections } satisfies LeavingRecord);
    const before = this.#reports.get(id);
    if (before?.removal) clearTimeout(before.removal);
    if (before?.text !== text)
      await store.txn(
        [{ key: keys.port(network, id), is: 'present' }],
        [{ op: 'put', key: keys.leaving(host, network, id), value: text }],
      );
    this.#reports.set(id, { network, text, removal: null });
  }

  #removeLater(id: PortId, report: Report): void {
    const remove = async (): Promise<void> => {
      this.#reports.delete(id);
      const { store, host, log } = this.#options;
      const key = keys.leaving(host, report.network, id);
      try {
        const entry = await store.get(key);
        if (entry?.value === report.text)
          await store.txn(
            [{ key, is: 'unchanged', modRevision: entry.modRevision }],
            [{ op: 'delete', key }],
          );
      } catch (error) {
        log.warn(
          { port: id, error: reasonOf(error) },
          'failed to remove the connections of a port that left',
        );
      }
    };
    const removal = setTimeout(() => void remove(), keptTime);
    removal.unref();
    this.#reports.set(id, { ...report, removal });
  }
}

/** Empty for what is no TCP connection that the port has admitted. */
function connectionOf(entry: ConntrackEntry, key: number): LeavingConnection[] {
  const { protocol, original } = entry;
  const { src, dst, layer4 } = original;
  const named = keysOf(entry);
  if (protocol !== protocols.tcp || layer4.kind !== 'ports') return [];
  if (![...named.originators, ...named.responders].includes(key)) return [];
  return [
    {
      src: formatIp(src.family, src.bits),
      dst: formatIp(dst.family, dst.bits),
      src_port: layer4.src,
      dst_port: layer4.dst,
      ...named,
    },
  ];
}
