/**
 * When rounds run: one after another, each for all that is known when it starts. Events only wake; after a failed
 * round they gather until a rest is over, however many come, so that a switch or store that refuses is asked at
 * a pace. Knows nothing of what a round does.
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
  /** Set while rounds rest after a failed one. */
  #rest: NodeJS.Timeout | undefined;
  /** Set while another round is due although nothing has changed. */
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

  /** What failed before may succeed now: no more rest. */
  hasten(): void {
    clearTimeout(this.#rest);
    this.#rest = undefined;
    this.wake();
  }

  /** A round succeeded but has to be followed by another, at a pace of its own, until `settled`. */
  repeatLater(): void {
    if (this.#stopped) return;
    clearTimeout(this.#repeat);
    this.#repeat = setTimeout(() => this.wake(), this.#repeats.next());
  }

  settled(): void {
    this.#repeats.reset();
  }

  /** No round starts any more. */
  halt(): void {
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
        this.#log.warn({ error: reasonOf(error) }, 'a round failed, trying again');
        clearTimeout(this.#rest);
        this.#rest = setTimeout(() => this.hasten(), this.#rests.next());
        break;
      }
    } while (this.#again && !this.#stopped);
    this.#busy = false;
    if (this.#again) this.wake();
  }
}
