/** A subscription to an engine in this process. It can miss nothing, so only a handler that fails makes it list again. */
import { Backoff } from '../base/backoff.ts';
import { Fault } from '../base/errors.ts';
import type { Batch, Snapshot, StoreFault, Subscriber, Subscription } from './contract.ts';
import { PrefixSet } from './prefixes.ts';
import { ReaderQueue } from './reader-queue.ts';

interface Source {
  snapshot(prefixes: readonly string[]): Snapshot;
}

export class LocalSubscription implements Subscription {
  readonly #source: Source;
  readonly #delivery: ReaderQueue;
  readonly #prefixes: PrefixSet;
  readonly #onOver: () => void;
  readonly #backoff = new Backoff();
  /** Set while a failed handler waits for its next snapshot. */
  #pause: NodeJS.Timeout | null = null;
  #ended: Fault<StoreFault> | null = null;

  constructor(source: Source, prefixes: readonly string[], reader: Subscriber, onOver: () => void) {
    this.#source = source;
    this.#prefixes = new PrefixSet(prefixes);
    this.#onOver = onOver;
    this.#delivery = new ReaderQueue(reader, () => {
      this.#pause = setTimeout(() => this.#list(), this.#backoff.next());
    });
    this.#list();
  }

  get revision(): number {
    return this.#delivery.revision;
  }

  /** Batches come in the order of revisions. */
  offer(batch: Batch): void {
    if (this.#pause !== null) return;
    const isWanted = batch.events.some((event) =>
      this.#prefixes.covers(event.type === 'put' ? event.entry.key : event.key),
    );
    if (isWanted) this.#delivery.batch(batch);
    else this.#delivery.passed(batch.revision);
  }

  add(prefixes: readonly string[]): void {
    const fresh = prefixes.filter((prefix) => !this.#prefixes.has(prefix));
    if (fresh.length === 0) return;
    this.#prefixes.add(fresh);
    if (this.#pause === null) this.#delivery.snapshot(this.#source.snapshot(fresh), fresh);
  }

  remove(prefixes: readonly string[]): void {
    this.#prefixes.delete(prefixes);
    this.#delivery.remove(prefixes);
  }

  async caughtUp(): Promise<number> {
    if (this.#ended !== null) throw this.#ended;
    return this.#delivery.mark();
  }

  close(): void {
    this.end(new Fault<StoreFault>({ code: 'StoreClosed' }, 'the subscription is closed'));
  }

  end(fault: Fault<StoreFault>): void {
    this.#ended ??= fault;
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#delivery.close(fault);
    this.#onOver();
  }

  #list(): void {
    this.#pause = null;
    const { all } = this.#prefixes;
    this.#delivery.snapshot(this.#source.snapshot(all), all);
  }
}
