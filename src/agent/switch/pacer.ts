/**
 * Spaces corrections of what somebody else changes on the switch, so that two controllers which undo each other's work
 * do not make both spin. The first correction is not delayed.
 */

/** Milliseconds between two corrections. */
const correctionInterval = 500;

export class Pacer {
  readonly #correct: () => void;
  #timer: NodeJS.Timeout | undefined;
  #due = Number.POSITIVE_INFINITY;
  #corrected = Number.NEGATIVE_INFINITY;

  constructor(correct: () => void) {
    this.#correct = correct;
  }

  /** Corrects after `delay` milliseconds and after the interval. Of several requests the earliest counts. */
  request(delay = 0): void {
    const now = performance.now();
    const due = Math.max(now + delay, this.#corrected + correctionInterval);
    if (due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => {
      this.cancel();
      this.#correct();
    }, due - now);
  }

  /** A correction was made: the next one waits for the interval. */
  corrected(): void {
    this.#corrected = performance.now();
  }

  /** Nothing needs a correction any more. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#due = Number.POSITIVE_INFINITY;
  }
}
