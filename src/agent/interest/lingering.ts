/** Tells which of the things that nobody needs have not been needed for a while, and wakes when one of them is over. */
export class Lingering<Item extends string> {
  readonly #time: number;
  readonly #onOver: () => void;
  /** Since when nobody has needed it, by a clock that never jumps. */
  readonly #since = new Map<Item, number>();
  #timer: NodeJS.Timeout | undefined;

  /** `time` in milliseconds. `onOver`: `over` would name something. */
  constructor(time: number, onOver: () => void) {
    this.#time = time;
    this.#onOver = onOver;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** `unneeded`: all that nobody needs now. */
  over(unneeded: readonly Item[]): Item[] {
    const now = performance.now();
    const present = new Set(unneeded);
    for (const item of this.#since.keys()) if (!present.has(item)) this.#since.delete(item);
    for (const item of present) if (!this.#since.has(item)) this.#since.set(item, now);
    const over = unneeded.filter((item) => now - (this.#since.get(item) ?? now) >= this.#time);
    this.#wakeLater(now);
    return over;
  }

  #wakeLater(now: number): void {
    clearTimeout(this.#timer);
    const left = [...this.#since.values()].map((since) => since + this.#time - now).filter((ms) => ms > 0);
    if (left.length === 0) return;
    this.#timer = setTimeout(this.#onOver, Math.ceil(Math.min(...left)));
    this.#timer.unref();
  }
}
