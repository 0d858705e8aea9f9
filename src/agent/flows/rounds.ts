/**
 * Runs rounds one after another, each for all that is known when it starts. Events only wake, so a slow switch makes
 * rounds bigger and never builds a queue. After a failed round, rounds wait for a back-off, whatever happens meanwhile.
 * Knows nothing about what a round does. Rejected: `Throttler`, since `retryNow` has to end the wait of a run.
 */
import type { Logger } from 'pino';
import { Backoff } from '../../base/backoff.ts';
import { reasonOf } from '../../base/errors.ts';

const pace = { minDelay: 50, maxDelay: 5000 } as const;

export class Rounds {
  readonly #round: () => Promise<void>;
  readonly #log: Logger;
  readonly #rests = new Backoff(pace);
  readonly #repeats = new Backoff(pace);
  /** Set while rounds wait after a failed one. */
  #rest: NodeJS.Timeout | undefined;
  /** Set while another round is due although nothing changed. */
  #repeat: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();
  #busy = false;
  #again = false;
  #stopped = false;
  #failures = 0;

  constructor(round: () => Promise<void>, log: Logger) {
    this.#round = round;
    this.#log = log;
  }

  get failures(): number {
    return this.#failures;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Something changed. */
  wake(): void {
    if (this.#stopped) return;
    if (this.#busy || this.#rest !== undefined) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    setImmediate(() => {
      this.#working = this.#run();
    });
  }

  /** A round that failed may succeed now: ends the wait. */
  retryNow(): void {
    clearTimeout(this.#rest);
    this.#rest = undefined;
    this.wake();
  }

  /** Part of a round that succeeded has to be repeated: runs rounds with a back-off of their own until `settled`. */
  repeatLater(): void {
    if (this.#stopped) return;
    clearTimeout(this.#repeat);
    this.#repeat = setTimeout(() => this.wake(), this.#repeats.next());
  }

  settled(): void {
    this.#repeats.reset();
  }

  /** Starts no more rounds. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#rest);
    clearTimeout(this.#repeat);
  }

  /** Resolves when the round under way has ended. */
  async ended(): Promise<void> {
    await this.#working;
  }

  async #run(): Promise<void> {
    do {
      this.#again = false;
      try {
        await this.#round();
        this.#rests.reset();
      } catch (error) {
        if (this.#stopped) break;
        this.#failures++;
        this.#log.warn({ error: reasonOf(error) }, 'round failed; will retry');
        clearTimeout(this.#rest);
        this.#rest = setTimeout(() => this.retryNow(), this.#rests.next());
        break;
      }
    } while (this.#again && !this.#stopped);
    this.#busy = false;
    if (this.#again) this.wake();
  }
}
