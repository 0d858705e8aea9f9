/**
 * Which hosts are alive: those that have written their record within its `ttl`, by this server's own clock. No clock of
 * one machine is compared with another's. A host counts as alive when this server first sees its record, because nobody
 * can say how old that is.
 */
import type { HostRecord } from '../../model/records.ts';

export class HostLiveness {
  readonly #heard = new Map<string, { readonly revision: number; readonly at: number }>();

  /** `revision` is that of the record's last write. Seeing the same one again proves nothing. */
  hear(host: string, revision: number): void {
    if (this.#heard.get(host)?.revision !== revision)
      this.#heard.set(host, { revision, at: performance.now() });
  }

  forget(host: string): void {
    this.#heard.delete(host);
  }

  isLive({ name, ttl }: Pick<HostRecord, 'name' | 'ttl'>): boolean {
    const heard = this.#heard.get(name);
    return heard !== undefined && performance.now() - heard.at < ttl;
  }
}
