/**
 * Follows the store under prefixes that are added and removed, and gives readers what it delivers.
 *
 * Invariant: what readers have is whole for the ports whose flows are installed. Where a change makes such a port need
 * more, that change waits, with all behind it, until the rest is there too. Ports without flows hold nothing up.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../../base/errors.ts';
import { keys } from '../../model/keys.ts';
import type { GroupId } from '../../policy/world.ts';
import type { Batch, Snapshot, Store, StoreEvent, Subscription } from '../../store/contract.ts';
import { PrefixSet } from '../../store/prefixes.ts';
import { type Installed, type Known, prefixesAfter } from './needs.ts';

/** A reader of some prefixes of the store. All readers get each revision as one batch. */
export interface StoreReader {
  /** It receives snapshots of these. */
  readonly prefixes: readonly string[];
  reset(snapshot: Snapshot, prefixes: readonly string[]): void;
  /** False for a batch that calls for no round. */
  apply(batch: Batch): boolean;
}

type Item =
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot; readonly prefixes: readonly string[] }
  | { readonly kind: 'batch'; readonly batch: Batch };

export interface FollowingOptions {
  readonly store: Store;
  readonly log: Logger;
  readonly readers: readonly StoreReader[];
  /** Followed from the start, and for good. */
  readonly prefixes: readonly string[];
  readonly installed: Installed;
  readonly known: Known;
  /** Readers have something new. */
  readonly onChange: () => void;
}

export class Following {
  readonly #options: FollowingOptions;
  readonly #subscription: Subscription;
  /** The prefixes that were added, and those of them whose snapshots have come. */
  readonly #added = new PrefixSet();
  readonly #arrived = new PrefixSet();
  #held: Item[] = [];
  /** What installed ports will need once they have what is held. */
  readonly #required = new Set<string>();
  /** The revision of what readers have while something is held. */
  #revision = 0;
  #listed = false;

  constructor(options: FollowingOptions) {
    this.#options = options;
    this.#subscription = options.store.subscribe(options.prefixes, {
      onSnapshot: (snapshot, prefixes) => {
        this.#arrived.add(prefixes);
        this.#take({ kind: 'snapshot', snapshot, prefixes });
      },
      onBatch: (batch) => this.#take({ kind: 'batch', batch }),
      onTrouble: (error) => options.log.warn({ error: reasonOf(error) }, 'lost the store; listing it again'),
    });
  }

  close(): void {
    this.#subscription.close();
  }

  /** Whether readers have the first snapshot. */
  get isListed(): boolean {
    return this.#listed;
  }

  /** Whether a change waits for more. */
  get isHolding(): boolean {
    return this.#held.length > 0;
  }

  /** Readers have everything up to this revision. */
  get revision(): number {
    return this.isHolding ? this.#revision : this.#subscription.revision;
  }

  /** The prefixes that were added and not removed since. */
  get added(): readonly string[] {
    return this.#added.all;
  }

  add(prefixes: Iterable<string>): void {
    const fresh = [...prefixes].filter((prefix) => !this.#added.has(prefix));
    if (fresh.length === 0) return;
    this.#added.add(fresh);
    this.#subscription.add(fresh);
  }

  /** Not while a change is held: it may be what needs them. */
  remove(prefixes: readonly string[]): void {
    this.#added.delete(prefixes);
    this.#arrived.delete(prefixes);
    this.#subscription.remove(prefixes);
  }

  #take(item: Item): void {
    if (this.#options.installed.any()) this.#require(item);
    if (this.#held.length === 0) this.#revision = this.#subscription.revision;
    this.#held.push(item);
    const missing = [...this.#required].filter((prefix) => !this.#arrived.has(prefix));
    if (missing.length > 0) this.add(missing);
    else this.#release();
  }

  #require(item: Item): void {
    const { installed, known } = this.#options;
    // A change that is held may have given a group to an installed port.
    const group = (id: GroupId): boolean => installed.group(id) || this.#required.has(keys.rule.under(id));
    for (const event of eventsOf(item))
      for (const prefix of prefixesAfter(event, { ...installed, group }, known)) this.#required.add(prefix);
  }

  #release(): void {
    const items = this.#held;
    this.#held = [];
    this.#required.clear();
    const needed = items.map((item) => this.#hand(item));
    if (needed.includes(true)) this.#options.onChange();
  }

  /** Gives whether a round is needed. */
  #hand(item: Item): boolean {
    const { readers } = this.#options;
    if (item.kind === 'batch') return readers.map((reader) => reader.apply(item.batch)).includes(true);
    const { snapshot, prefixes } = item;
    for (const reader of readers) {
      const own = new PrefixSet(reader.prefixes);
      const listed = prefixes.filter((prefix) => own.covers(prefix));
      if (listed.length > 0) reader.reset(snapshot, listed);
    }
    this.#listed = true;
    return true;
  }
}

function* eventsOf(item: Item): Generator<StoreEvent> {
  if (item.kind === 'batch') yield* item.batch.events;
  else for (const entry of item.snapshot.entries) yield { type: 'put', entry };
}
