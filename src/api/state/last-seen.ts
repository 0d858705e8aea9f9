/**
 * When this server last saw each host alive, by its own clock, for people. Whether a host is alive is the store's word
 * alone. A server that started after a host's death says when it started to know of the host.
 */
export class LastSeen {
  readonly #gone = new Map<string, number>();

  lives(host: string): void {
    this.#gone.delete(host);
  }

  /** The host is dead. The first call after its death counts. */
  isGone(host: string): void {
    if (!this.#gone.has(host)) this.#gone.set(host, Date.now());
  }

  /** Milliseconds since 1970: now for a host that is alive. */
  of(host: string): number {
    return this.#gone.get(host) ?? Date.now();
  }
}
