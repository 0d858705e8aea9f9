/**
 * The crash-safe store of one machine.
 *
 * Idea: the engine answers every read and subscription from memory; the image keeps acknowledged transactions
 * on disk. The engine judges transactions at once, in order. The store flushes them in groups: while one group
 * is written, the next one gathers.
 *
 * Invariants: readers and callers see a group only after its flush. Refusals wait too, because a refusal
 * reveals the writes before it. Keys with a lease are never on disk, because no lease outlives the process.
 */
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Fault, reasonOf } from '../base/errors.ts';
import type {
  Condition,
  Entry,
  Lease,
  Snapshot,
  Store,
  StoreFault,
  Subscriber,
  Subscription,
  TxnResult,
  Write,
} from './contract.ts';
import { makeDirectory } from './data-directory.ts';
import { DirectoryLock } from './directory-lock.ts';
import { Engine, type Staged } from './engine.ts';
import { Image } from './image.ts';
import { noLimits } from './limits.ts';
import { LocalLease } from './local-lease.ts';
import { closed } from './memory.ts';

interface Waiting {
  readonly staged: Staged;
  readonly resolve: (result: TxnResult) => void;
  readonly reject: (fault: Fault<StoreFault>) => void;
}

export class EmbeddedStore implements Store {
  readonly limits = noLimits;
  readonly #lock: DirectoryLock;
  readonly #image: Image;
  readonly #engine: Engine;
  #gathering: Waiting[] = [];
  /** Settles, never rejects, when nothing gathers and nothing is being written. */
  #flushing: Promise<void> | null = null;
  /** Set once the disk no longer matches what readers saw. Only a reopen mends that. */
  #broken: Fault<StoreFault> | null = null;
  #closing: Promise<void> | null = null;

  private constructor(lock: DirectoryLock, image: Image, engine: Engine) {
    this.#lock = lock;
    this.#image = image;
    this.#engine = engine;
  }

  /** Throws `StoreLocked`, `StoreCorrupt`, or `StoreUnavailable` when the directory cannot be used. */
  static async open(directory: string): Promise<EmbeddedStore> {
    let lock: DirectoryLock;
    try {
      await makeDirectory(directory);
      lock = await DirectoryLock.take(join(directory, 'owner.lock'));
    } catch (error) {
      if (error instanceof Fault) throw error;
      throw unavailable(`${directory} cannot be used: ${reasonOf(error)}`, error);
    }
    let image: Image | null = null;
    try {
      image = await Image.open(directory);
      const { revision, entries } = image.load();
      return new EmbeddedStore(lock, image, new Engine(revision, entries));
    } catch (error) {
      await image?.close();
      await lock.release();
      if (error instanceof Fault) throw error;
      throw unavailable(`${directory} cannot be used: ${reasonOf(error)}`, error);
    }
  }

  async get(key: string): Promise<Entry | null> {
    return this.#open().get(key);
  }

  async revision(): Promise<number> {
    return this.#open().revision;
  }

  async snapshot(prefixes: readonly string[]): Promise<Snapshot> {
    return this.#open().snapshot(prefixes);
  }

  async txn(conditions: readonly Condition[], writes: readonly Write[]): Promise<TxnResult> {
    const engine = this.#open();
    if (this.#broken !== null) throw this.#broken;
    return this.#make(engine.stage(conditions, writes));
  }

  subscribe(prefixes: readonly string[], reader: Subscriber): Subscription {
    return this.#open().subscribe(prefixes, reader);
  }

  async lease(ttl: number): Promise<Lease> {
    const id = this.#open().grant();
    return new LocalLease(id, ttl, async () => {
      if (this.#closing === null) await this.#make(this.#engine.stageEnd(id));
    });
  }

  /** Finishes and answers the open transactions first. */
  close(): Promise<void> {
    this.#closing ??= this.#shut();
    return this.#closing;
  }

  async #shut(): Promise<void> {
    await this.#flushing;
    this.#engine.close(closed());
    await this.#image.close();
    await this.#lock.release();
  }

  #make(staged: Staged): Promise<TxnResult> {
    return new Promise((resolve, reject) => {
      this.#gathering.push({ staged, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  #open(): Engine {
    if (this.#closing !== null) throw closed();
    return this.#engine;
  }

  async #flush(): Promise<void> {
    while (this.#gathering.length > 0) {
      // Transactions that begin in this turn of the event loop (from writers just answered) join the group.
      await nextTurn();
      const group = this.#gathering;
      this.#gathering = [];
      const batches = group.flatMap(({ staged }) => staged.batch ?? []);
      try {
        await this.#image.write(batches);
      } catch (error) {
        this.#fail(group, error);
        continue;
      }
      for (const batch of batches) this.#engine.publish(batch);
      for (const { staged, resolve } of group) resolve(staged.result);
    }
    this.#flushing = null;
  }

  /** Transactions that gathered meanwhile were judged on top of the failed writes, so they fail too. */
  #fail(group: readonly Waiting[], cause: unknown): void {
    const fallen = [...group, ...this.#gathering];
    this.#gathering = [];
    this.#engine.abandon();
    const fault = unavailable(`the write was not made: ${reasonOf(cause)}`, cause);
    if (!this.#agrees()) {
      this.#broken = unavailable('a failed write left the disk in doubt; open the store again', cause);
    }
    for (const { reject } of fallen) reject(fault);
  }

  /** Whether the disk holds exactly what readers have seen. */
  #agrees(): boolean {
    try {
      return this.#image.revision() === this.#engine.revision;
    } catch {
      return false;
    }
  }
}

function unavailable(message: string, cause?: unknown): Fault<StoreFault> {
  return new Fault<StoreFault>({ code: 'StoreUnavailable' }, message, cause);
}
