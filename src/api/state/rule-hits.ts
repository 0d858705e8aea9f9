/** The hits of rules as hosts recorded them. Leaves out what only agents need of the records. */
import { type KeyHandler, on } from '../../model/key-dispatch.ts';
import { keys } from '../../model/keys.ts';
import type { HitCount, HitRecord, HitWatchRecord } from '../../model/records.ts';

/** By port, `''` where ports are not told apart or are gone. */
export type HitsOnHost = ReadonlyMap<string, HitCount>;

const none: ReadonlyMap<string, HitsOnHost> = new Map();

export class RuleHits {
  readonly #byRule = new Map<string, Map<string, HitsOnHost>>();
  /** By host. */
  readonly watches = new Map<string, HitWatchRecord>();

  /** A rule's hits by host. */
  of(rule: string): ReadonlyMap<string, HitsOnHost> {
    return this.#byRule.get(rule) ?? none;
  }

  /** Keep these up to date with the store. */
  readonly handlers: readonly KeyHandler[] = [
    on(keys.hitWatch, ({ parts: { host }, record }) => {
      if (record === null) this.watches.delete(host);
      else this.watches.set(host, record);
    }),
    on(keys.hits, ({ parts: { host, rule }, record }) => {
      if (record === null) this.#forget(host, rule);
      else this.#take(host, rule, record);
    }),
  ];

  #take(host: string, rule: string, { ports }: HitRecord): void {
    const hosts = this.#byRule.get(rule) ?? new Map<string, HitsOnHost>();
    this.#byRule.set(rule, hosts.set(host, new Map(Object.entries(ports))));
  }

  #forget(host: string, rule: string): void {
    const hosts = this.#byRule.get(rule);
    hosts?.delete(host);
    if (hosts?.size === 0) this.#byRule.delete(rule);
  }
}
