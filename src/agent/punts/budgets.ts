/** Token buckets by key: at most `burst` at once, and one more every `interval` milliseconds. Full ones are forgotten. */
export interface BudgetOptions {
  readonly burst: number;
  readonly interval: number;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
}

interface Bucket {
  readonly left: number;
  readonly at: number;
}

/** From this many keys on, full buckets are looked for before one is added. */
const manyBuckets = 1000;

export class Budgets {
  readonly #options: Required<BudgetOptions>;
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: BudgetOptions) {
    this.#options = { now: () => performance.now(), ...options };
  }

  /** Whether there was one left; takes it. */
  take(key: string): boolean {
    const now = this.#options.now();
    const left = this.#leftOf(this.#buckets.get(key), now);
    if (left < 1) return false;
    if (this.#buckets.size >= manyBuckets && !this.#buckets.has(key)) this.#forgetFull(now);
    this.#buckets.set(key, { left: left - 1, at: now });
    return true;
  }

  /** Keys whose budget is not known to be full. */
  get size(): number {
    return this.#buckets.size;
  }

  #leftOf(bucket: Bucket | undefined, now: number): number {
    const { burst, interval } = this.#options;
    return bucket === undefined ? burst : Math.min(burst, bucket.left + (now - bucket.at) / interval);
  }

  #forgetFull(now: number): void {
    for (const [key, bucket] of this.#buckets)
      if (this.#leftOf(bucket, now) >= this.#options.burst) this.#buckets.delete(key);
  }
}
