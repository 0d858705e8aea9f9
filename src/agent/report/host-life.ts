/**
 * Keeps this host's records in the store: what it is, that it lives, and what its switch has acknowledged. The last two
 * are put with a lease and vanish with it. A host that lost its lease takes another and writes everything again.
 *
 * Invariants: the host's own record is written with each new lease, so its revision tells one life from the next. One
 * process at a time lives as a host: another one waits until the first has ended, or gives up (`HostTaken`).
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Backoff } from '../../base/backoff.ts';
import { Fault, reasonOf } from '../../base/errors.ts';
import { keys } from '../../model/keys.ts';
import type { AppliedRecord, BridgeRecord, HostRecord } from '../../model/records.ts';
import type { Batch, Condition, Entry, Lease, Snapshot, Store, Write } from '../../store/contract.ts';
import type { StoreReader } from '../interest/following.ts';
import { fateOf, ownIdentity } from './process-identity.ts';

/** Milliseconds after which a host that is cut off counts as dead. */
const leaseTtl = 15_000;
/** Milliseconds after which a process that lives as this host is no former one: the lease of such a one has ended. */
const takeoverTimeout = 2 * leaseTtl;
const takeoverInterval = 300;

/** Another process lives as this host. */
export type HostFault = {
  readonly code: 'HostTaken';
  readonly host: string;
  /** On this machine, so that it lives for certain. */
  readonly isHere: boolean;
};

export interface HostLifeOptions {
  readonly store: Store;
  readonly host: string;
  readonly log: Logger;
  readonly hostRecord: () => HostRecord;
  /** Undefined while nothing is known of the bridge. */
  readonly bridgeRecord: () => BridgeRecord | undefined;
  /** This process; tests name others. */
  readonly identity?: string;
  /** Milliseconds to wait at the start until a former process counts as dead. */
  readonly takeoverTimeout?: number;
}

export class HostLife implements StoreReader {
  readonly prefixes: readonly string[];
  readonly #options: HostLifeOptions;
  readonly #backoff = new Backoff({ minDelay: 50, maxDelay: 5000 });
  readonly #ending = new AbortController();
  readonly #identity: string;
  #onTaken: (fault: Fault<HostFault>) => void = () => {};
  /** Resolves when another process has begun to live as this host. This one writes nothing more. */
  readonly taken = new Promise<Fault<HostFault>>((resolve) => {
    this.#onTaken = resolve;
  });
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
    const { host, identity = ownIdentity() } = options;
    this.#identity = identity;
    this.prefixes = [keys.host(host), keys.life(host)];
  }

  /** Rejects when the store does, and with `HostTaken`. Waits where a process that lived as this host may have ended. */
  async start(): Promise<void> {
    const deadline = performance.now() + (this.#options.takeoverTimeout ?? takeoverTimeout);
    const { host, log } = this.#options;
    for (let isFirst = true; !this.#started; isFirst = false) {
      try {
        await this.#write();
        this.#started = true;
      } catch (error) {
        if (!isTaken(error) || error.data.isHere || performance.now() > deadline) throw error;
        if (isFirst) log.warn({ host, reason: error.message }, 'host is taken; waits for the lease to end');
        await delay(takeoverInterval);
      }
    }
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

  reset({ entries }: Snapshot): void {
    for (const entry of entries) this.#meet(entry);
  }

  /** Writes again what somebody else deleted. Never calls for a round. */
  apply({ events }: Batch): boolean {
    for (const event of events)
      if (event.type === 'put') this.#meet(event.entry);
      else if (this.prefixes.includes(event.key) && this.#written.delete(event.key)) this.refresh();
    return false;
  }

  #meet({ key, value }: Entry): void {
    const isOther = key === keys.life(this.#options.host) && value !== this.#identity;
    if (isOther && this.#started) this.#yield(this.#faultOf(value));
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
        if (isTaken(error)) this.#yield(error);
        else if (error instanceof Fault && error.name === 'LeaseLost') this.#lose(this.#lease);
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
    const key = keys.life(host);
    const isBeginning = puts.some((put) => put.key === key);
    const result = await store.txn(isBeginning ? [await this.#free(key)] : [], [...puts, ...leftOver]);
    // The life has begun or ended meanwhile.
    if (!result.ok) return this.#write();
    for (const put of puts) this.#written.set(put.key, put.value);
  }

  #wanted(lease: Lease): readonly Extract<Write, { op: 'put' }>[] {
    const { host, hostRecord, bridgeRecord } = this.#options;
    const record = hostRecord();
    const bridge = bridgeRecord();
    const applied = this.#applied;
    return [
      { op: 'put', key: keys.host(host), value: JSON.stringify(record) },
      { op: 'put', key: keys.life(host), value: this.#identity, lease },
      ...(bridge === undefined
        ? []
        : [{ op: 'put', key: keys.bridge(host), value: JSON.stringify(bridge) } as const]),
      ...(applied === null
        ? []
        : [{ op: 'put', key: keys.applied(host), value: JSON.stringify(applied), lease } as const]),
    ];
  }

  /** The condition on which this process may begin to live. Throws `HostTaken`. */
  async #free(key: string): Promise<Condition> {
    const present = await this.#options.store.get(key);
    if (present === null) return { key, is: 'absent' };
    const { value, modRevision } = present;
    if (value !== this.#identity && fateOf(value) !== 'ended') throw this.#faultOf(value);
    return { key, is: 'unchanged', modRevision };
  }

  #faultOf(rival: string): Fault<HostFault> {
    const { host } = this.#options;
    const isHere = fateOf(rival) === 'lives';
    const who = isHere ? `process ${rival.split(' ')[2] ?? ''}` : 'an agent on another machine';
    return new Fault<HostFault>(
      { code: 'HostTaken', host, isHere },
      `${who} lives as host ${host}; each hypervisor needs a name of its own (--host)`,
    );
  }

  #yield(fault: Fault<HostFault>): void {
    this.#ending.abort();
    this.#onTaken(fault);
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

const isTaken = (error: unknown): error is Fault<HostFault> =>
  error instanceof Fault && error.name === 'HostTaken';
