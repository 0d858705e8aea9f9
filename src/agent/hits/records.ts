/**
 * A host's records of hits in the store: reads what an earlier life left, writes what changed. Knows nothing of
 * switches.
 */

import { Sequencer } from '../../base/async.ts';
import { isObject } from '../../model/checks.ts';
import { keys } from '../../model/keys.ts';
import type { HitRecord, HitWatchRecord } from '../../model/records.ts';
import type { Store, Write } from '../../store/contract.ts';
import type { HitAccounts } from './accounts.ts';

/** Records in one transaction. */
const maxWrites = 500;

export class HitRecords {
  readonly #store: Store;
  readonly #host: string;
  readonly #accounts: HitAccounts;
  readonly #writes = new Sequencer();
  #watch: HitWatchRecord = { since: 0, reset: null };
  #watchSaid = true;

  constructor(store: Store, host: string, accounts: HitAccounts) {
    this.#store = store;
    this.#host = host;
    this.#accounts = accounts;
  }

  /** Goes on from what is there, and begins to watch if nobody has; rejects when the store does. */
  async restore(recall: (rule: string, flow: string) => void): Promise<void> {
    const prefix = keys.hits(this.#host, '');
    for (const { key, value } of (await this.#store.snapshot([prefix])).entries) {
      const record = hitsOf(value);
      const rule = key.slice(prefix.length);
      if (record === null) continue;
      this.#accounts.restore(rule, record);
      for (const flow of Object.keys(record.switch)) recall(rule, flow);
    }
    const watch = await this.#store.get(keys.hitWatch(this.#host));
    const known = watch === null ? null : watchOf(watch.value);
    this.#watchSaid = known !== null;
    this.#watch = known ?? { since: Date.now(), reset: null };
    await this.write();
  }

  /** Counts were lost, at most since the look before. */
  reset(): void {
    this.#watch = { ...this.#watch, reset: Date.now() };
    this.#watchSaid = false;
  }

  /** Only what changed since it was written last. What cannot be written is still changed when it rejects. */
  async write(): Promise<void> {
    await this.#writes.run(() => this.#writeNow());
  }

  async #writeNow(): Promise<void> {
    const changed = this.#accounts.takeChanged();
    try {
      if (!this.#watchSaid) {
        const watch = this.#watch;
        const put = { op: 'put', key: keys.hitWatch(this.#host), value: JSON.stringify(watch) } as const;
        await this.#store.txn([], [put]);
        this.#watchSaid = watch === this.#watch;
      }
      const writes = [...changed].map(([rule, record]): Write => {
        const key = keys.hits(this.#host, rule);
        return record === null ? { op: 'delete', key } : { op: 'put', key, value: JSON.stringify(record) };
      });
      for (let from = 0; from < writes.length; from += maxWrites)
        await this.#store.txn([], writes.slice(from, from + maxWrites));
    } catch (error) {
      this.#accounts.putBack(changed.keys());
      throw error;
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

/** Null for what cannot be read: it then counts anew. */
function hitsOf(text: string): HitRecord | null {
  const record = parsed(text) as Partial<HitRecord> | null;
  return isObject(record?.ports) && isObject(record.switch) ? (record as HitRecord) : null;
}

function watchOf(text: string): HitWatchRecord | null {
  const record = parsed(text) as Partial<HitWatchRecord> | null;
  return typeof record?.since === 'number' ? { since: record.since, reset: record.reset ?? null } : null;
}
