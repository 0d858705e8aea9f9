/** The terms of concurrency, each with a picture. A task must not wait for the queue that it runs in. */

/** Gives back one place. Call it once. */
export type Release = () => void;

/** A car park: at most `max` tasks are inside at once. The others wait at the barrier in order of arrival. */
export class Limiter {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(max: number) {
    this.#free = max;
  }

  /** Resolves when there is room. Rejects with the signal's reason when the signal is aborted first. */
  async acquire(signal?: AbortSignal): Promise<Release> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#turn(signal);
    return () => this.#giveBack();
  }

  /** Runs the task when there is room. A task that fails gives its place back too. */
  async run<T>(task: () => T | Promise<T>): Promise<T> {
    const release = await this.acquire();
    try {
      return await task();
    } finally {
      release();
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = (): void => {
        signal?.removeEventListener('abort', stop);
        resolve();
      };
      const stop = (): void => {
        this.#waiting.delete(go);
        reject(signal?.reason);
      };
      this.#waiting.add(go);
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  #giveBack(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

/** A counter with one clerk: one task at a time, in order of arrival. */
export class Sequencer extends Limiter {
  constructor() {
    super(1);
  }
}

/**
 * A bus: it takes all callers that wait when it leaves; later callers wait for the next. `leave` may wait for
 * its turn first.
 */
export class Throttler<T> {
  readonly #drive: (leave: () => void) => Promise<T>;
  #next: Promise<T> | null = null;

  constructor(drive: (leave: () => void) => Promise<T>) {
    this.#drive = drive;
  }

  /** Settles as the next run does. */
  run(): Promise<T> {
    if (this.#next !== null) return this.#next;
    const leave = (): void => {
      if (this.#next === run) this.#next = null;
    };
    const run = Promise.resolve().then(() => this.#drive(leave));
    this.#next = run;
    // A run that fails before it leaves must not fail later callers.
    void run.then(leave, leave);
    return run;
  }
}
