/** A lease of a store in this process: it lives until it is revoked, or for its time after it is abandoned. */
import type { Lease } from './contract.ts';

export class LocalLease implements Lease {
  readonly id: string;
  readonly lost: Promise<void>;
  readonly #ttl: number;
  /** Deletes its keys. */
  readonly #end: () => Promise<void>;
  #onLost: () => void = () => {};
  #timer: NodeJS.Timeout | undefined;

  constructor(id: string, ttl: number, end: () => Promise<void>) {
    this.id = id;
    this.#ttl = ttl;
    this.#end = end;
    this.lost = new Promise((resolve) => {
      this.#onLost = resolve;
    });
  }

  async revoke(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#end();
  }

  abandon(): void {
    this.#timer ??= setTimeout(() => {
      // A disk that fails keeps the keys until the next start, as it keeps everything.
      void this.#end().then(this.#onLost, this.#onLost);
    }, this.#ttl);
    this.#timer.unref();
  }
}
