/**
 * Delays between attempts to reach a peer: short at first, because a switch that restarts is back within
 * milliseconds and every further one is an outage, then doubling to a ceiling, with jitter.
 */
export interface BackoffOptions {
  /** Milliseconds. */
  readonly first: number;
  readonly ceiling: number;
}

export class Backoff {
  readonly #options: BackoffOptions;
  #next: number;

  constructor(options: BackoffOptions = { first: 20, ceiling: 2000 }) {
    this.#options = options;
    this.#next = options.first;
  }

  /** Milliseconds to wait before the next attempt. */
  next(): number {
    const delay = this.#next;
    this.#next = Math.min(delay * 2, this.#options.ceiling);
    return delay * (0.75 + Math.random() / 4);
  }

  reset(): void {
    this.#next = this.#options.first;
  }
}
