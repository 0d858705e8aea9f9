/**
 * The store in an etcd cluster (version 3.4 or later). Maps the contract onto etcd's transactions, ranges and leases;
 * subscriptions are in `subscription.ts`. Nothing is cached: every read is linearizable.
 *
 * Invariants: a transaction of the store is one of etcd's, with all its conditions, stamps and slot. No transaction is
 * repeated before it is known that it was not made.
 */
import { reasonOf } from '../../base/errors.ts';
import type {
  Condition,
  Entry,
  Lease,
  Limits,
  Snapshot,
  Store,
  Subscriber,
  Subscription,
  TxnResult,
  Write,
} from '../contract.ts';
import { refuseTooLarge, refuseUnwritable } from '../limits.ts';
import { closed } from '../memory.ts';
import { type EtcdCapacity, findCapacity, wantedCapacity } from './capacity.ts';
import { EtcdConnection, type EtcdEndpoints } from './connection.ts';
import { EtcdLease } from './etcd-lease.ts';
import { asStoreFault, isCallFault, unavailable } from './faults.ts';
import { entryOf, listAt } from './listing.ts';
import {
  compactRequest,
  methods,
  rangeOperation,
  rangeRequest,
  rangeResponse,
  txnRequest,
  txnResponse,
} from './messages.ts';
import type { Fields, ProtoMessage } from './protobuf.ts';
import { type DepthOf, Places } from './scopes.ts';
import { Slots } from './slots.ts';
import { EtcdSubscription } from './subscription.ts';
import { Transactions } from './transactions.ts';
import type { Stamps } from './watch-session.ts';

export interface EtcdOptions extends EtcdEndpoints {
  /** What all keys of the cloud begin with. */
  readonly root?: string;
  /** Names this client's slots in etcd: one part, or several. */
  readonly client?: string;
  readonly depthOf?: DepthOf;
  /** What etcd was started with, at least; it is asked at the start, and etcd's own defaults are tried next. */
  readonly capacity?: EtcdCapacity;
  /** Milliseconds until a call gives up, whatever endpoints it has tried; 5 seconds when left out. */
  readonly timeout?: number;
}

/** Milliseconds. */
const usualTimeout = 5000;
/** Milliseconds that a client's slots outlive it. */
const slotTtl = 60_000;
const frameBytes = 128 * 1024;

export class EtcdStore implements Store {
  readonly limits: Limits;
  readonly replaced: Promise<void>;
  readonly #connection: EtcdConnection;
  readonly #places: Places;
  readonly #transactions: Transactions;
  readonly #timeout: number;
  readonly #leases = new Set<EtcdLease>();
  readonly #subscriptions = new Set<EtcdSubscription>();
  /** Transactions under way. */
  readonly #open = new Set<Promise<TxnResult>>();
  #closing: Promise<void> | null = null;

  private constructor(
    connection: EtcdConnection,
    places: Places,
    capacity: EtcdCapacity,
    client: string,
    timeout: number,
  ) {
    this.#timeout = timeout;
    this.#connection = connection;
    this.replaced = connection.history.replaced;
    this.#places = places;
    // Half of the operations are for stamps: every write may need one. Some bytes are for the frame of messages.
    this.limits = {
      operations: Math.floor((capacity.operations - 4) / 2),
      bytes: capacity.bytes - frameBytes,
    };
    this.#transactions = new Transactions({
      connection,
      places,
      capacity,
      limits: this.limits,
      timeout,
      newSlots: async () => {
        const lease = await EtcdLease.grant(connection, slotTtl, timeout);
        this.#leases.add(lease);
        return new Slots(lease.number, (number) => places.slot(`${client}/${lease.id}`, number));
      },
    });
  }

  /** Throws `StoreUnavailable`. */
  static async open(options: EtcdOptions): Promise<EtcdStore> {
    const { root = '/portcullis/', client = 'client', depthOf = () => 2, timeout = usualTimeout } = options;
    const connection = new EtcdConnection(options);
    const places = new Places(root, depthOf);
    try {
      const capacity = await findCapacity(
        connection,
        places.stamp(''),
        options.capacity ?? wantedCapacity,
        timeout,
      );
      return new EtcdStore(connection, places, capacity, client, timeout);
    } catch (error) {
      connection.close();
      const message = `etcd at ${options.addresses.join(',')} cannot be used: ${reasonOf(error)}`;
      const isRefusal = isCallFault(error) && error.data.code === 'CallRefused';
      throw unavailable(message, error, isRefusal);
    }
  }

  async revision(): Promise<number> {
    const request = rangeRequest({ key: this.#places.stamp('') }, { keysOnly: true });
    return rangeResponse(await this.#ask(methods.range, request)).revision;
  }

  async get(key: string): Promise<Entry | null> {
    const answer = await this.#ask(methods.range, rangeRequest({ key: this.#places.key(key) }));
    const [found] = rangeResponse(answer).entries;
    return found === undefined ? null : entryOf(this.#places, found);
  }

  async snapshot(prefixes: readonly string[]): Promise<Snapshot> {
    return listAt(this.#places, (request) => this.#ask(methods.txn, request), prefixes);
  }

  async txn(conditions: readonly Condition[], writes: readonly Write[]): Promise<TxnResult> {
    this.#refuseClosed();
    refuseUnwritable(writes);
    refuseTooLarge(this.limits, conditions, writes);
    const made = this.#transactions.make(conditions, writes);
    this.#open.add(made);
    try {
      return await made;
    } finally {
      this.#open.delete(made);
    }
  }

  subscribe(prefixes: readonly string[], reader: Subscriber): Subscription {
    this.#refuseClosed();
    const subscription = new EtcdSubscription({
      connection: this.#connection,
      places: this.#places,
      list: (listed) => this.snapshot(listed),
      readStamps: (scopes) => this.#readStamps(scopes),
      prefixes,
      reader,
      onOver: () => this.#subscriptions.delete(subscription),
    });
    this.#subscriptions.add(subscription);
    return subscription;
  }

  async lease(ttl: number): Promise<Lease> {
    this.#refuseClosed();
    const lease = await this.#called(EtcdLease.grant(this.#connection, ttl, this.#timeout));
    this.#leases.add(lease);
    return lease;
  }

  /** Drops the history up to the revision: etcd keeps all of it otherwise. */
  async compact(revision: number): Promise<void> {
    await this.#called(this.#connection.once(methods.compact, compactRequest(revision), this.#timeout));
  }

  close(): Promise<void> {
    this.#closing ??= this.#shut();
    return this.#closing;
  }

  async #shut(): Promise<void> {
    await Promise.allSettled(this.#open);
    for (const subscription of this.#subscriptions) subscription.end(closed());
    for (const lease of this.#leases) lease.forget();
    this.#connection.close();
  }

  #refuseClosed(): void {
    if (this.#closing !== null) throw closed();
  }

  async #ask(method: string, request: ProtoMessage): Promise<Fields> {
    this.#refuseClosed();
    return this.#called(this.#connection.ask(method, request, this.#timeout));
  }

  /** Faults of calls as faults of the store. */
  async #called<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      throw this.#closing === null ? asStoreFault(error) : closed();
    }
  }

  /** The mod revision of each scope's stamp at one revision; 0 for a scope without. */
  async #readStamps(scopes: readonly string[]): Promise<Stamps> {
    const of = new Map<string, number>(scopes.map((scope) => [scope, 0]));
    const ranges = this.#places.stampsOf(scopes);
    let revision = 0;
    for (let at = 0; at < ranges.length || at === 0; at += this.limits.operations) {
      const part = ranges.slice(at, at + this.limits.operations);
      const success = part.map((range) => rangeOperation(range, { keysOnly: true, revision }));
      const answer = txnResponse(
        await this.#ask(methods.txn, txnRequest({ compares: [], success, failure: [] })),
      );
      if (revision === 0) revision = answer.revision;
      for (const range of answer.ranges)
        for (const { key, modRevision } of range?.entries ?? []) {
          const scope = this.#places.scopeIn(key);
          if (of.has(scope)) of.set(scope, modRevision);
        }
    }
    return { revision, of };
  }
}
