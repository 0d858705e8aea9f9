/**
 * Decides when the agent compares the switch with what it left there. A look finds changes that no message reports:
 * of meters and groups, and of flows where the switch has no flow monitor. Corrects nothing.
 *
 * Invariant: a look compares only a part of the flows, so it takes a small share of a processor on a switch of any size.
 */

/** What a look compares: meters and groups, or a part of the flows as well. */
export type LookScope = 'meters and groups' | 'flows as well';

/**
 * Looks for each one that compares flows, where the switch has a flow monitor: they find only what the monitor missed, and
 * took more CPU than all else that an idle agent does.
 */
const looksPerFlowLook = 6;

/** Min milliseconds between two comparisons of flows that answers wait for: a reading stops the switch for a moment. */
const awaitedLookInterval = 1000;

export class Looks {
  readonly #interval: number;
  readonly #wake: () => void;
  #timer: NodeJS.Timeout | undefined;
  #due = false;
  /** Looks that have been due. */
  #count = 0;
  /** Whether the switch has a flow monitor. */
  isMonitored = false;
  #looked = Number.NEGATIVE_INFINITY;
  #stopped = true;

  /** `interval` in milliseconds; `wake` when a look is due. */
  constructor(interval: number, wake: () => void) {
    this.#interval = interval;
    this.#wake = wake;
  }

  start(): void {
    this.#stopped = false;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Runs `look` when one is due, and when an answer waits for the switch to be as it should be (`isAwaited`). */
  async take(isAwaited: boolean, look: (scope: LookScope) => Promise<void>): Promise<void> {
    const began = performance.now();
    const isDue = this.#due;
    if (!isDue && !isAwaited) {
      if (this.#timer === undefined) this.#later();
      return;
    }
    this.#due = false;
    const flowsAreDue = isDue && (!this.isMonitored || this.#count++ % looksPerFlowLook === 0);
    const withFlows = flowsAreDue || (isAwaited && began - this.#looked > awaitedLookInterval);
    if (withFlows) this.#looked = began;
    try {
      await look(withFlows ? 'flows as well' : 'meters and groups');
    } finally {
      if (isDue || withFlows || this.#timer === undefined) this.#later();
    }
  }

  #later(): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#due = true;
      this.#wake();
    }, this.#interval);
  }
}
