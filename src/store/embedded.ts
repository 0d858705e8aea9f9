/**
 * The crash-safe store of one machine: the engine answers every read and watch from memory, the image keeps
 * what was acknowledged. Transactions are judged at once, in order, and flushed in groups: while one group is
 * on its way to the disk the next one gathers. Only a flushed group is shown and answered, refusals included,
 * because a refusal tells of writes before it.
 *
 * History lives in memory alone. After a reopen it begins at the revision on disk: a watch from the next
 * revision on misses nothing and goes on; one from an older revision cannot know what was deleted meanwhile and
 * gets `Compacted`, so its reader lists again.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Fault, reasonOf } from '../base/errors.ts';
import type {
  Condition,
  Entry,
  Snapshot,
  Store,
  StoreFault,
  TxnResult,
  Watch,
  WatchHandlers,
  Write,
} from './contract.ts';
import { DirectoryLock } from './directory-lock.ts';
import { Engine, type EngineOptions, type Staged } from './engine.ts';
import { Image } from './image.ts';
import { closed } from './memory.ts';

interface Waiting {
  readonly staged: Staged;
  readonly resolve: (result: TxnResult) => void;
  readonly reject: (fault: Fault<StoreFault>) => void;
}

export class EmbeddedStore implements Store {
  readonly #lock: DirectoryLock;
  readonly #image: Image;
  readonly #engine: Engine;
  #gathering: Waiting[] = [];
  /** Settles, never rejects, when nothing gathers and nothing is being written. */
  #flushing: Promise<void> | null = null;
  /** Set once the disk no longer matches what readers saw; only a reopen helps then. */
  #broken: Fault<StoreFault> | null = null;
  #closing: Promise<void> | null = null;

  private constructor(lock: DirectoryLock, image: Image, engine: Engine) {
    this.#lock = lock;
    this.#image = image;
    this.#engine = engine;
  }

  /** Throws `StoreLocked`, `StoreCorrupt`, or `StoreUnavailable` when the directory cannot be used. */
  static async open(directory: string, options: EngineOptions = {}): Promise<EmbeddedStore> {
    let lock: DirectoryLock;
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      lock = await DirectoryLock.take(join(directory, 'owner.lock'));
    } catch (error) {
      if (error instanceof Fault) throw error;
      throw unavailable(`${directory} cannot be used: ${reasonOf(error)}`, error);
    }
    let image: Image | null = null;
    try {
      image = await Image.open(directory);
      const { revision, entries } = image.load();
      return new EmbeddedStore(lock, image, new Engine(revision, entries, options));
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

  async range(prefix: string): Promise<Snapshot> {
    return this.#open().range(prefix);
  }

  async txn(conditions: readonly Condition[], writes: readonly Write[]): Promise<TxnResult> {
    const engine = this.#open();
    if (this.#broken !== null) throw this.#broken;
    const staged = engine.stage(conditions, writes);
    return new Promise((resolve, reject) => {
      this.#gathering.push({ staged, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  watch(prefix: string, fromRevision: number, handlers: WatchHandlers): Watch {
    const watch = this.#engine.watch(prefix, fromRevision, handlers);
    if (this.#closing !== null) this.#engine.close(closed());
    return watch;
  }

  async compact(revision: number): Promise<void> {
    this.#open().compact(revision);
  }

  /** Transactions that were begun are finished and answered first. */
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

  #open(): Engine {
    if (this.#closing !== null) throw closed();
    return this.#engine;
  }

  async #flush(): Promise<void> {
    while (this.#gathering.length > 0) {
      // What this turn of the event loop still begins (writers that were just answered) joins the group.
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

  /** What gathered meanwhile was judged on top of the failed writes and falls with them. */
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

  /** Whether the disk holds exactly what readers were shown. */
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
