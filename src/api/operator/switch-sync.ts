/**
 * Waits until every live host's switch has all that the store holds. A server writes one key, the target, and each host
 * writes the target's revision once its switch has acknowledged everything before it (`applied`). A sync therefore costs
 * each host one write, however many callers share the target.
 */

import { keys } from '../../model/keys.ts';
import type { AppliedRecord } from '../../model/records.ts';
import type { Store } from '../../store/contract.ts';
import type { View } from '../state/view.ts';

export interface Synced {
  /** That of the target. */
  readonly revision: number;
  /** Hosts whose switches have reached it. */
  readonly hosts: readonly string[];
  /** Live hosts whose switches have not. */
  readonly late: readonly string[];
  /** Connections that these hosts cut since they were last heard, and in all. */
  readonly cut: number;
  readonly cutTotal: number;
}

export class SwitchSync {
  readonly #store: Store;
  readonly #view: View;
  readonly #waits = new Set<() => void>();
  /** The next target: one that is being written may be older than a caller's own writes. */
  #next: Promise<number> | null = null;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(store: Store, view: View) {
    this.#store = store;
    this.#view = view;
  }

  /** Waits under way end with what there is. */
  close(): void {
    for (const finish of this.#waits) finish();
  }

  /** Waits at most `timeout` milliseconds for hosts. One that dies meanwhile is not waited for. */
  async reach(timeout: number): Promise<Synced> {
    await this.#view.catchUp();
    const before = new Map(this.#view.state.applied);
    const revision = await this.#target();
    // A host that has just come up counts, even if this server has not heard of it yet.
    await this.#view.reached(revision);
    const hosts = this.#view.state.liveHosts;
    const reached = new Map<string, AppliedRecord>();
    await this.#collect(hosts, revision, reached, timeout);
    const cuts = [...reached].map(([host, { cut_total }]) => {
      const earlier = before.get(host)?.cut_total ?? 0;
      // An agent that started again counts from 0.
      return { cut: cut_total < earlier ? cut_total : cut_total - earlier, total: cut_total };
    });
    return {
      revision,
      hosts: [...reached.keys()],
      late: this.#missing(hosts, reached),
      cut: cuts.reduce((sum, { cut }) => sum + cut, 0),
      cutTotal: cuts.reduce((sum, { total }) => sum + total, 0),
    };
  }

  /** The revision of a target that is written after the call. Calls that come while one is written share the next. */
  #target(): Promise<number> {
    this.#next ??= this.#writing.then(() => {
      this.#next = null;
      const written = this.#write();
      this.#writing = written.catch(() => undefined);
      return written;
    });
    return this.#next;
  }

  async #write(): Promise<number> {
    const put = await this.#store.txn([], [{ op: 'put', key: keys.syncTarget(), value: '' }]);
    return put.ok ? put.revision : this.#view.revision;
  }

  #missing(hosts: readonly string[], reached: ReadonlyMap<string, AppliedRecord>): readonly string[] {
    return hosts.filter((host) => !reached.has(host) && this.#view.state.isLive(host));
  }

  /** Adds each host to `reached` when it is first known to have reached the revision. */
  #collect(
    hosts: readonly string[],
    revision: number,
    reached: Map<string, AppliedRecord>,
    timeout: number,
  ): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        for (const host of hosts) {
          const applied = this.#view.state.applied.get(host);
          if (!reached.has(host) && applied !== undefined && applied.revision >= revision)
            reached.set(host, applied);
        }
        if (this.#missing(hosts, reached).length === 0) finish();
      };
      const finish = (): void => {
        stop();
        clearTimeout(deadline);
        this.#waits.delete(finish);
        resolve();
      };
      const stop = this.#view.onChange(look);
      const deadline = setTimeout(finish, timeout);
      this.#waits.add(finish);
      look();
    });
  }
}
