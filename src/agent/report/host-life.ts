/**
 * Keeps this host's records in the store: what it is, that it lives, and what its switch has acknowledged. The last two
 * are put with a lease and vanish with it. A host that lost its lease takes another and writes everything again.
 *
 * Invariant: the host's own record is written with each new lease, so its revision tells one life from the next.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Backoff } from '../../base/backoff.ts';
import { Fault, reasonOf } from '../../base/errors.ts';
import { keys } from '../../model/keys.ts';
import type { AppliedRecord, BridgeRecord, HostRecord } from '../../model/records.ts';
import type { Batch, Lease, Store, Write } from '../../store/contract.ts';
import type { StoreReader } from '../interest/following.ts';

/** Milliseconds after which a host that is cut off counts as dead. */
const leaseTtl = 15_000;

export interface HostLifeOptions {
  readonly store: Store;
  readonly host: string;
  readonly log: Logger;
  readonly hostRecord: () => HostRecord;
  /** Undefined while nothing is known of the bridge. */
  readonly bridgeRecord: () => BridgeRecord | undefined;
}

export class HostLife implements StoreReader {
  readonly prefixes: readonly string[];
  readonly #options: HostLifeOptions;
  readonly #backoff = new Backoff({ minDelay: 50, maxDelay: 5000 });
  readonly #ending = new AbortController();
  /** The values that the store has, by key. */
  readonly #written = new Map<string, string>();
  #lease: Lease | null = null;
  #applied: AppliedRecord | null = null;
  #wasAlive = false;
  #started = false;
  #isDue = false;
  #working: Promise<void> | null = null;

  constructor(options: HostLifeOptions) {
    this.#options = options;
    const { host } = options;
    this.prefixes = [keys.host(host), keys.life(host)];
  }

  /** Rejects when the store does. */
  async start(): Promise<void> {
    await this.#write();
    this.#started = true;
  }

  /** Writes what changed, now or once the store takes it. */
  refresh(): void {
    if (!this.#started || this.#ending.signal.aborted) return;
    this.#isDue = true;
    this.#working ??= this.#work();
  }

  /** What the switch has acknowledged. */
  reached(applied: AppliedRecord): void {
    if (applied.revision >= (this.#applied?.revision ?? 0)) this.#applied = applied;
    this.refresh();
  }

  reset(): void {}

  /** Writes again what somebody else deleted. Never calls for a round. */
  apply({ events }: Batch): boolean {
    for (const event of events)
      if (event.type === 'delete' && this.prefixes.includes(event.key) && this.#written.delete(event.key))
        this.refresh();
    return false;
  }

  /** The host is gone. Rejects when the store does. */
  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#working;
    await this.#lease?.revoke();
  }

  async #work(): Promise<void> {
    const { host, log } = this.#options;
    const { signal } = this.#ending;
    while (this.#isDue && !signal.aborted) {
      this.#isDue = false;
      try {
        await this.#write();
        this.#backoff.reset();
      } catch (error) {
        this.#isDue = true;
        if (error instanceof Fault && error.name === 'LeaseLost') this.#lose(this.#lease);
        else log.warn({ host, error: reasonOf(error) }, 'failed to record the host; will retry');
        await delay(this.#backoff.next(), undefined, { signal }).catch(() => undefined);
      }
    }
    this.#working = null;
  }

  async #write(): Promise<void> {
    const { store, host } = this.#options;
    const lease = this.#lease ?? (await this.#take());
    const puts = this.#wanted(lease).filter(({ key, value }) => this.#written.get(key) !== value);
    // What an agent of this host wrote that ended without a word says nothing about this one.
    const leftOver: Write[] = this.#started ? [] : [{ op: 'delete', key: keys.applied(host) }];
    if (puts.length === 0) return;
    await store.txn([], [...puts, ...leftOver]);
    for (const { key, value } of puts) this.#written.set(key, value);
  }

  #wanted(lease: Lease): readonly Extract<Write, { op: 'put' }>[] {
    const { host, hostRecord, bridgeRecord } = this.#options;
    const record = hostRecord();
    const bridge = bridgeRecord();
    const applied = this.#applied;
    return [
      { op: 'put', key: keys.host(host), value: JSON.stringify(record) },
      { op: 'put', key: keys.life(host), value: record.version ?? '', lease },
      ...(bridge === undefined
        ? []
        : [{ op: 'put', key: keys.bridge(host), value: JSON.stringify(bridge) } as const]),
      ...(applied === null
        ? []
        : [{ op: 'put', key: keys.applied(host), value: JSON.stringify(applied), lease } as const]),
    ];
  }

  async #take(): Promise<Lease> {
    const { store, host, log } = this.#options;
    const lease = await store.lease(leaseTtl);
    this.#lease = lease;
    this.#written.delete(keys.host(host));
    this.#written.delete(keys.life(host));
    this.#written.delete(keys.applied(host));
    void lease.lost.then(() => this.#lose(lease));
    if (this.#wasAlive) log.info({ host }, 'host has a lease again');
    this.#wasAlive = true;
    return lease;
  }

  #lose(lease: Lease | null): void {
    if (this.#lease !== lease || lease === null) return;
    const { host, log } = this.#options;
    log.warn({ host }, 'host lost its lease; takes another');
    this.#lease = null;
    this.refresh();
  }
}
