/**
 * The marks of network keys and port keys in the store, and those that were removed a short time ago. A number that a
 * deleted record had rests: hosts may still have flows and connections that name it. After a restart of the server
 * nothing rests. A new record prefers a hash of its own id, so it hardly ever meets such a number.
 */
import { type KeyHandler, on } from '../../model/key-dispatch.ts';
import { keys } from '../../model/keys.ts';

/** Milliseconds. A host that cannot apply a deletion for so long has lost its store or its switch. */
const restTimeout = 10 * 60_000;

export class ClaimedNumbers {
  /** By mark: the id of the record. */
  readonly #owners = new Map<string, string>();
  /** By mark: when it was removed, on this process's clock; the oldest first. */
  readonly #resting = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get handlers(): readonly KeyHandler[] {
    return [keys.networkKey, keys.portKey].map((kind) =>
      on(kind, ({ key: mark, record: owner }) => this.set(mark, owner)),
    );
  }

  set(mark: string, owner: string | null): void {
    this.#resting.delete(mark);
    if (owner !== null) this.#owners.set(mark, owner);
    else if (this.#owners.delete(mark)) this.#resting.set(mark, this.#now());
  }

  /** Whether a new record may have the number. */
  isFree(mark: string): boolean {
    this.#endRests();
    return !this.#owners.has(mark) && !this.#resting.has(mark);
  }

  /** Whether a record has the number now. */
  isClaimed(mark: string): boolean {
    return this.#owners.has(mark);
  }

  /** Marks with the ids of their records. */
  entries(): IterableIterator<[mark: string, owner: string]> {
    return this.#owners.entries();
  }

  #endRests(): void {
    for (const [mark, since] of this.#resting) {
      if (this.#now() - since < restTimeout) return;
      this.#resting.delete(mark);
    }
  }
}
