/**
 * Transactions of the store as transactions of etcd. Each one writes the stamps of the scopes that it changes, and a slot.
 *
 * Invariants: none is repeated before it is known that it was not made (`slots.ts`). A stamp is written only together with
 * an event of its scope. So a deletion that is the only event of a scope requires that its key is present.
 */
import { Fault } from '../../base/errors.ts';
import type { Condition, Limits, StoreFault, TxnResult, Write } from '../contract.ts';
import type { EtcdCapacity } from './capacity.ts';
import type { EtcdConnection } from './connection.ts';
import { asStoreFault, isCallFault, isLeaseGone, unavailable } from './faults.ts';
import {
  deleteOperation,
  keyIsAbsent,
  keyIsAt,
  keyIsPresent,
  methods,
  putOperation,
  type RangeResponse,
  rangeIsQuiet,
  rangeOperation,
  type TxnParts,
  type TxnResponse,
  txnRequest,
  txnResponse,
} from './messages.ts';
import type { ProtoMessage } from './protobuf.ts';
import type { Places } from './scopes.ts';
import { newMark, type Slot, type Slots } from './slots.ts';

export interface TransactionsOptions {
  readonly connection: EtcdConnection;
  readonly places: Places;
  readonly capacity: EtcdCapacity;
  readonly limits: Limits;
  /** Milliseconds until a transaction gives up. */
  readonly timeout: number;
  /** The client's slots, made when they are first needed. Rejects with `CallFault`. */
  readonly newSlots: () => Promise<Slots>;
}

type Outcome =
  | { readonly kind: 'answered'; readonly answer: TxnResponse }
  | { readonly kind: 'not-made'; readonly error: Fault<{ readonly code: string }> };

/** Milliseconds. A member without a leader answers late; another one may have a leader. */
const attemptTimeout = 1500;

/** A revision that no key has: etcd has revision 0 for a key that is not there. */
const never = 2 ** 52;

export class Transactions {
  readonly #options: TransactionsOptions;
  #slots: Promise<Slots> | null = null;

  constructor(options: TransactionsOptions) {
    this.#options = options;
  }

  async make(conditions: readonly Condition[], writes: readonly Write[]): Promise<TxnResult> {
    try {
      return writes.length === 0 ? await this.#test(conditions) : await this.#write(conditions, writes);
    } catch (error) {
      throw asStoreFault(error);
    }
  }

  async #test(conditions: readonly Condition[]): Promise<TxnResult> {
    const { connection, timeout } = this.#options;
    const request = this.#sized(this.#partsOf(conditions, [], []));
    const answer = txnResponse(await connection.ask(methods.txn, request, timeout));
    if (answer.succeeded) return { ok: true, revision: answer.revision };
    return { ok: false, failed: this.#failed(conditions, [...answer.ranges]) };
  }

  async #write(conditions: readonly Condition[], wanted: readonly Write[]): Promise<TxnResult> {
    const deadline = performance.now() + this.#options.timeout;
    let writes = wanted;
    let mayRenew = true;
    while (writes.length > 0) {
      const scopes = this.#options.places.scopesIn(writes);
      const proofs = [...new Set(scopes.values())].filter(({ op }) => op === 'delete').map(({ key }) => key);
      const parts = this.#partsOf(conditions, writes, proofs);
      for (const scope of scopes.keys())
        parts.success.push(putOperation(this.#options.places.stamp(scope), ''));
      let outcome: Outcome;
      try {
        outcome = await this.#attempt(parts, deadline);
      } catch (error) {
        // The client's own slots may have lost their lease, while the caller's lease lives.
        if (!isLeaseGone(error) || !mayRenew) throw error;
        mayRenew = false;
        this.#slots = null;
        continue;
      }
      if (outcome.kind === 'not-made') {
        if (performance.now() > deadline) throw outcome.error;
        continue;
      }
      const { answer } = outcome;
      if (answer.succeeded) return { ok: true, revision: answer.revision };
      const ranges = [...answer.ranges];
      const failed = this.#failed(conditions, ranges);
      if (failed.length > 0) return { ok: false, failed };
      const missing = new Set(proofs.filter(() => isEmpty(ranges.shift())));
      // Nothing refused it but the slot, which etcd has dropped with its lease.
      if (missing.size === 0) this.#slots = null;
      if (performance.now() > deadline) throw unavailable('etcd refused a transaction without a reason');
      writes = writes.filter(({ key }) => !missing.has(key));
    }
    return this.#test(conditions);
  }

  #partsOf(conditions: readonly Condition[], writes: readonly Write[], proofs: readonly string[]) {
    const { places } = this.#options;
    const compares = conditions.flatMap((condition) => this.#comparesOf(condition));
    const failure = conditions.flatMap((condition) => this.#readsOf(condition));
    for (const key of proofs) {
      compares.push(keyIsPresent(places.key(key)));
      failure.push(rangeOperation({ key: places.key(key) }, { keysOnly: true }));
    }
    const success = writes.map((write) => {
      if (write.op === 'delete') return deleteOperation(places.key(write.key));
      return putOperation(places.key(write.key), write.value, Number(write.lease?.id ?? 0));
    });
    return { compares, success, failure };
  }

  #comparesOf(condition: Condition): readonly ProtoMessage[] {
    const { places } = this.#options;
    switch (condition.is) {
      case 'absent':
        return [keyIsAbsent(places.key(condition.key))];
      case 'present':
        return [keyIsPresent(places.key(condition.key))];
      case 'unchanged':
        return [keyIsAt(places.key(condition.key), condition.modRevision || never)];
      default:
        return places.under(condition.prefix).map((range) => rangeIsQuiet(range, condition.revision));
    }
  }

  /** What tells, after a refusal, whether the condition held. */
  #readsOf(condition: Condition): readonly ProtoMessage[] {
    const { places } = this.#options;
    if (condition.is !== 'quiet')
      return [rangeOperation({ key: places.key(condition.key) }, { keysOnly: true })];
    const latest = { keysOnly: true, latestFirst: true, limit: 1 };
    return places.under(condition.prefix).map((range) => rangeOperation(range, latest));
  }

  /** Takes from `ranges` what `#readsOf` asked for. */
  #failed(conditions: readonly Condition[], ranges: (RangeResponse | null)[]): readonly Condition[] {
    return conditions.filter((condition) => {
      const [found] = ranges.shift()?.entries ?? [];
      switch (condition.is) {
        case 'absent':
          return found !== undefined;
        case 'present':
          return found === undefined;
        case 'unchanged':
          return found?.modRevision !== condition.modRevision;
        default: {
          const isSplit = this.#options.places.under(condition.prefix).length > 1;
          const [below] = isSplit ? (ranges.shift()?.entries ?? []) : [];
          return Math.max(found?.modRevision ?? 0, below?.modRevision ?? 0) > condition.revision;
        }
      }
    });
  }

  /** Throws `TransactionTooLarge`. */
  #sized(parts: TxnParts): ProtoMessage {
    const { capacity, limits } = this.#options;
    const request = txnRequest(parts);
    const { compares, success, failure } = parts;
    const operations = Math.max(compares.length, success.length, failure.length);
    const bytes = request.encode().length;
    if (operations <= capacity.operations && bytes <= capacity.bytes) return request;
    throw new Fault<StoreFault>(
      { code: 'TransactionTooLarge', limits },
      `the transaction is too large for etcd: ${operations} operations, ${bytes} bytes`,
    );
  }

  /** Makes it at most once. Throws when etcd refuses it, or when it stays unknown whether it was made. */
  async #attempt(parts: TxnParts, deadline: number): Promise<Outcome> {
    const { connection, newSlots, timeout } = this.#options;
    this.#slots ??= newSlots();
    const slots = await this.#slots.catch((error: unknown) => {
      this.#slots = null;
      throw error;
    });
    const slot = slots.take();
    const mark = newMark();
    try {
      const request = this.#sized({
        compares: [...parts.compares, keyIsAt(slot.key, slot.revision)],
        success: [...parts.success, putOperation(slot.key, mark, slot.lease)],
        failure: [...parts.failure, rangeOperation({ key: slot.key }, { keysOnly: true })],
      });
      const fields = await connection.once(
        methods.txn,
        request,
        Math.min(attemptTimeout, deadline - performance.now()),
      );
      const answer = txnResponse(fields);
      const present = answer.ranges.at(-1)?.entries[0]?.modRevision ?? 0;
      if (answer.succeeded) slots.giveBack(slot, answer.revision);
      else if (present === slot.revision) slots.giveBack(slot, slot.revision);
      return { kind: 'answered', answer };
    } catch (error) {
      if (!isCallFault(error) || error.data.code === 'CallRefused') {
        slots.giveBack(slot, slot.revision);
        throw error;
      }
      const made = await this.#whetherMade(slot, mark, timeout);
      if (made === null) return { kind: 'not-made', error };
      slots.giveBack(slot, made);
      return { kind: 'answered', answer: { revision: made, succeeded: true, ranges: [] } };
    }
  }

  /** The revision of a transaction whose answer was lost; null when it was not made and cannot be any more. */
  async #whetherMade(slot: Slot, mark: string, timeout: number): Promise<number | null> {
    const fence = `not ${mark}`;
    const request = txnRequest({
      compares: [keyIsAt(slot.key, slot.revision)],
      success: [putOperation(slot.key, fence, slot.lease)],
      failure: [rangeOperation({ key: slot.key })],
    });
    // Repeated, it finds the fence that an earlier attempt wrote.
    const answer = txnResponse(await this.#options.connection.ask(methods.txn, request, timeout));
    const [found] = answer.ranges[0]?.entries ?? [];
    if (answer.succeeded || found?.value === fence) return null;
    if (found?.value === mark) return found.modRevision;
    throw unavailable('etcd dropped what tells whether a transaction was made');
  }
}

const isEmpty = (range: RangeResponse | null | undefined): boolean => (range?.entries.length ?? 0) === 0;
