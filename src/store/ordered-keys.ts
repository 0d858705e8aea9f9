/**
 * A set of keys in code-unit order, for prefix ranges over tens of thousands of keys. Sorted blocks have a
 * bounded size, so an insertion moves at most one block and never the whole set. Knows nothing of values or
 * revisions.
 */
const blockLimit = 512;

/** The first index in `length` for which `isBefore` is false. */
export function lowerBound(length: number, isBefore: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class OrderedKeys {
  /** No block is empty; every key of a block is less than every key of the next. */
  readonly #blocks: string[][] = [];

  /** `keys` in any order, each once. */
  constructor(keys: readonly string[] = []) {
    const sorted = keys.toSorted(byCodeUnit);
    // Half-full blocks leave room, so that the first insertions after a load do not split every block.
    for (let at = 0; at < sorted.length; at += blockLimit / 2) {
      this.#blocks.push(sorted.slice(at, at + blockLimit / 2));
    }
  }

  add(key: string): void {
    const index = this.#blockOf(key);
    const block = this.#blocks[index];
    if (block === undefined) {
      this.#blocks.push([key]);
      return;
    }
    const at = positionIn(block, key);
    if (block[at] === key) return;
    block.splice(at, 0, key);
    if (block.length > blockLimit) this.#blocks.splice(index + 1, 0, block.splice(blockLimit / 2));
  }

  remove(key: string): void {
    const index = this.#blockOf(key);
    const block = this.#blocks[index];
    if (block === undefined) return;
    const at = positionIn(block, key);
    if (block[at] !== key) return;
    block.splice(at, 1);
    if (block.length === 0) this.#blocks.splice(index, 1);
  }

  /** The keys that begin with `prefix`, in order. The set must not change during the walk. */
  *under(prefix: string): Generator<string, void> {
    let from = this.#blockOf(prefix);
    let at = positionIn(this.#blocks[from] ?? [], prefix);
    for (; from < this.#blocks.length; from++, at = 0) {
      const block = this.#blocks[from] ?? [];
      for (; at < block.length; at++) {
        const key = block[at] ?? '';
        if (!key.startsWith(prefix)) return;
        yield key;
      }
    }
  }

  /** The last block whose first key is not above `key`, or the first block. */
  #blockOf(key: string): number {
    return Math.max(0, lowerBound(this.#blocks.length, (i) => (this.#blocks[i]?.[0] ?? '') <= key) - 1);
  }
}

function positionIn(block: readonly string[], key: string): number {
  return lowerBound(block.length, (i) => (block[i] ?? '') < key);
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
