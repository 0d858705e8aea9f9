/**
 * When the agent compares the switch with what it left there: a part at a time, so that looks take a small share of a
 * processor whatever the size of the switch.
 * A look finds what no message tells: meters and groups that others changed, and flows where the switch has no flow
 * monitor. Mends nothing.
 */

/** Milliseconds; a question that waits for the switch has it looked at again after this. */
const freshness = 1000;

export class Looks {
  readonly #interval: number;
  readonly #wake: () => void;
  #timer: NodeJS.Timeout | undefined;
  #due = false;
  #looked = Number.NEGATIVE_INFINITY;
  #halted = false;

  /** `interval` in milliseconds; `wake` when a look is due. */
  constructor(interval: number, wake: () => void) {
    this.#interval = interval;
    this.#wake = wake;
  }

  halt(): void {
    this.#halted = true;
    clearTimeout(this.#timer);
  }

  /** Runs `look` when one is due, or when somebody waits for an answer and the last was long ago. */
  async take(asked: boolean, look: () => Promise<void>): Promise<void> {
    const began = performance.now();
    if (!this.#due && !(asked && began - this.#looked > freshness)) {
      if (this.#timer === undefined) this.#later();
      return;
    }
    this.#due = false;
    this.#looked = began;
    try {
      await look();
    } finally {
      this.#later();
    }
  }

  #later(): void {
    clearTimeout(this.#timer);
    if (this.#halted) return;
    this.#timer = setTimeout(() => {
      this.#due = true;
      this.#wake();
    }, this.#interval);
  }
}
