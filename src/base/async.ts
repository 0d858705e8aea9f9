/**
 * The words of concurrency, each with its picture. No task may wait for the same queue that it runs in.
 */

/** Gives back what was acquired; to be called once. */
export type Release = () => void;

/** A car park: at most `max` are inside at once; the others wait at the barrier in the order in which they came. */
export class Limiter {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(max: number) {
    this.#free = max;
  }

  /** Resolves when there is room. Rejects with the signal's reason when the signal is aborted before. */
  async acquire(signal?: AbortSignal): Promise<Release> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#turn(signal);
    return () => this.#giveBack();
  }

  /** Runs the task when there is room; a task that fails gives its place back too. */
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

/** A counter with one clerk: one at a time, in the order in which they came. */
export class Sequencer extends Limiter {
  constructor() {
    super(1);
  }
}

/** A bus: it takes all who wait when it leaves; who comes later waits for the next. `leave` may wait for its turn first. */
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
    // A run that fails before it leaves takes nobody else along.
    void run.then(leave, leave);
    return run;
  }
}
