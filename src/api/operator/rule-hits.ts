/** What hosts have told of rules' hits, as the API reads it. What only agents need of the records is left out. */
import { prefixes } from '../../model/keys.ts';
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

  /** `value` null when the record is gone; keys of other records are passed over. */
  apply(key: string, value: string | null): void {
    const [kind = '', host = '', rule = ''] = key.split('/');
    if (`${kind}/` === prefixes.hitWatches) {
      if (value === null) this.watches.delete(host);
      else this.watches.set(host, JSON.parse(value) as HitWatchRecord);
    } else if (`${kind}/` === prefixes.hits) {
      if (value === null) this.#forget(host, rule);
      else this.#take(host, rule, JSON.parse(value) as HitRecord);
    }
  }

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
