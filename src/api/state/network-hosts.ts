/** Which hosts hold ports of each network, counted as bindings come and go. Knows nothing of ports. */

export class NetworkHosts {
  /** Network to host to the number of its ports there. */
  readonly #counts = new Map<string, Map<string, number>>();

  /** The hosts that hold ports of the network. */
  of(network: string): Iterable<string> {
    return this.#counts.get(network)?.keys() ?? [];
  }

  /** A port of the network went from one host to another; null for none. Answers whether `of` changed. */
  moved(network: string, from: string | null, to: string | null): boolean {
    if (from === to) return false;
    const gone = from !== null && this.#count(network, from, -1) === 0;
    const come = to !== null && this.#count(network, to, 1) === 1;
    return gone || come;
  }

  #count(network: string, host: string, by: 1 | -1): number {
    const hosts = this.#counts.get(network) ?? new Map<string, number>();
    const count = (hosts.get(host) ?? 0) + by;
    if (count > 0) hosts.set(host, count);
    else hosts.delete(host);
    if (hosts.size > 0) this.#counts.set(network, hosts);
    else this.#counts.delete(network);
    return count;
  }
}
