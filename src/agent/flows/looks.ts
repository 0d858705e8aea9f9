/**
 * When the agent compares the switch with what it left there: a part at a time, so that looks take a small share of a
 * processor whatever the size of the switch.
 * A look finds what no message tells: meters and groups that others changed, and flows where the switch has no flow
 * monitor. Mends nothing.
 */

/** What a look compares: meters and groups, of which no message tells, or a part of the flows besides. */
export type LookScope = 'untold' | 'flows too';

/** Milliseconds between two comparisons of flows that questions ask for: a reading stops the switch for a moment. */
const flowLookInterval = 1000;

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

  /** Runs `look` when one is due, and whenever somebody waits to hear that the switch is as it should be. */
  async take(asked: boolean, look: (scope: LookScope) => Promise<void>): Promise<void> {
    const began = performance.now();
    const withFlows = this.#due || (asked && began - this.#looked > flowLookInterval);
    if (!withFlows) {
      if (this.#timer === undefined) this.#later();
      if (asked) await look('untold');
      return;
    }
    this.#due = false;
    this.#looked = began;
    try {
      await look('flows too');
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
