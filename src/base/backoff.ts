/**
 * Delays between attempts to reach a peer. The first is short, because a switch that restarts is back within
 * milliseconds, and each further millisecond is an outage. Each next delay is twice as long, up to a maximum,
 * with jitter.
 */
export interface BackoffOptions {
  /** Milliseconds. */
  readonly minDelay: number;
  readonly maxDelay: number;
}

export class Backoff {
  readonly #options: BackoffOptions;
  #next: number;

  constructor(options: BackoffOptions = { minDelay: 20, maxDelay: 2000 }) {
    this.#options = options;
    this.#next = options.minDelay;
  }

  /** Milliseconds to wait before the next attempt. */
  next(): number {
    const delay = this.#next;
    this.#next = Math.min(delay * 2, this.#options.maxDelay);
    return delay * (0.75 + Math.random() / 4);
  }

  reset(): void {
    this.#next = this.#options.minDelay;
  }
}
