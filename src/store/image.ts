/**
 * The durable copy of a store in one lmdb environment: the present entries and their revision. `write`
 * replaces both in one lmdb transaction and resolves only after the flush. `load` reads all of it once. Holds
 * no history and judges nothing.
 */
import { open as openFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { Fault, reasonOf } from '../base/errors.ts';
import type { Batch, Entry, StoreFault } from './contract.ts';
import { requireRoom } from './disk-room.ts';
import { damageOf } from './image-check.ts';

const revisionKey = Buffer.from([0]);
const entryMark = 1;
const format = 1;
/** Bytes of the pages that lead to an entry and are rewritten with it; a tree is not deeper. */
const pathBytes = 5 * 4096;
const statThreshold = 1 << 20;

export class Image {
  readonly #database: RootDatabase<string, Buffer>;
  readonly #path: string;

  private constructor(database: RootDatabase<string, Buffer>, path: string) {
    this.#database = database;
    this.#path = path;
  }

  /** `directory` exists and belongs to this process alone. Throws `StoreCorrupt` for a file that is not an image. */
  static async open(directory: string): Promise<Image> {
    const path = join(directory, 'data.mdb');
    const damage = await damageOf(path);
    if (damage !== null) throw corrupt(path, damage);
    try {
      const database = open<string, Buffer>({
        path: directory,
        noSubdir: false,
        encoding: 'string',
        keyEncoding: 'binary',
        // A promise then means flushed to disk, not merely written.
        overlappingSync: false,
        // With it on, lmdb makes promises of its own, whose rejection on a full disk nobody can catch.
        eventTurnBatching: false,
      });
      const image = new Image(database, path);
      await flushName(directory);
      return image;
    } catch (error) {
      // Positive codes come from the system (no permission, no space), negative ones from lmdb about the
      // file.
      if (error instanceof Error && 'code' in error && Number(error.code) > 0) throw error;
      throw corrupt(path, reasonOf(error), error);
    }
  }

  /** Everything, with its revision. Throws `StoreCorrupt`. */
  load(): { revision: number; entries: Entry[] } {
    const head = this.#database.get(revisionKey);
    const entries: Entry[] = [];
    if (head === undefined) return { revision: 0, entries };
    const [written, revision] = head.split(' ').map(Number);
    if (written !== format) throw corrupt(this.#path, `format ${head} is not ${format}`);
    if (revision === undefined || !Number.isSafeInteger(revision)) throw corrupt(this.#path, 'no revision');
    for (const { key, value } of this.#database.getRange({ start: Buffer.from([entryMark]) })) {
      entries.push(this.#decode(key, value, revision));
    }
    return { revision, entries };
  }

  /** Applies the batches, in order, as one atomic and durable change. Entries with a lease are not kept. */
  async write(batches: readonly Batch[]): Promise<void> {
    const revision = batches.at(-1)?.revision;
    if (revision === undefined) return;
    const last = new Map<string, Entry | null>();
    for (const { events } of batches) {
      for (const event of events) {
        if (event.type === 'delete') last.set(event.key, null);
        else last.set(event.entry.key, event.entry.lease === undefined ? event.entry : null);
      }
    }
    const database = this.#database;
    await requireRoom(dirname(this.#path), (await this.#rewritten(last.size)) + newBytes(last));
    try {
      await database.batch(() => {
        for (const [key, entry] of last) {
          if (entry === null) void database.remove(encodeKey(key));
          else void database.put(encodeKey(key), encodeEntry(entry));
        }
        void database.put(revisionKey, `${format} ${revision}`);
      });
    } catch (error) {
      throw await rootOf(error);
    }
  }

  /** Upper bound, in bytes, of the existing pages that a write of so many entries rewrites. */
  async #rewritten(entries: number): Promise<number> {
    const bytes = entries * pathBytes;
    // Only a large change needs the file's size: no page is rewritten twice, however many of its entries
    // change.
    return bytes < statThreshold ? bytes : Math.min(bytes, (await stat(this.#path)).size);
  }

  /** The revision on disk, read again. */
  revision(): number {
    return Number(this.#database.get(revisionKey)?.split(' ')[1] ?? 0);
  }

  async close(): Promise<void> {
    await this.#database.close();
  }

  #decode(key: Buffer, value: string, revision: number): Entry {
    const first = value.indexOf(' ');
    const second = value.indexOf(' ', first + 1);
    const modRevision = Number(value.slice(0, first));
    const createRevision = Number(value.slice(first + 1, second));
    if (
      first < 1 ||
      second < 0 ||
      !(createRevision >= 1 && createRevision <= modRevision && modRevision <= revision)
    ) {
      throw corrupt(this.#path, 'an entry has no valid revisions');
    }
    return { key: key.toString('utf8', 1), value: value.slice(second + 1), modRevision, createRevision };
  }
}

/** Bytes of new pages for the entries themselves. */
function newBytes(last: ReadonlyMap<string, Entry | null>): number {
  let bytes = pathBytes;
  // A character has at most three bytes, and split pages are half empty.
  for (const [key, entry] of last) bytes += 2 * 3 * (key.length + (entry?.value.length ?? 0));
  return bytes;
}

function encodeKey(key: string): Buffer {
  const bytes = Buffer.alloc(Buffer.byteLength(key) + 1, entryMark);
  bytes.write(key, 1);
  return bytes;
}

function encodeEntry(entry: Entry): string {
  return `${entry.modRevision} ${entry.createRevision} ${entry.value}`;
}

/** lmdb hides the reason in a promise on the error. Unhandled, that promise would end the process. */
async function rootOf(error: unknown): Promise<unknown> {
  try {
    if (error instanceof Error && 'commitError' in error) await error.commitError;
  } catch (root) {
    return root;
  }
  return error;
}

/** A new file's name is durable once its directory is flushed. */
async function flushName(directory: string): Promise<void> {
  const handle = await openFile(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function corrupt(path: string, detail: string, cause?: unknown): Fault<StoreFault> {
  return new Fault<StoreFault>({ code: 'StoreCorrupt', path }, `${path} cannot be read: ${detail}`, cause);
}
