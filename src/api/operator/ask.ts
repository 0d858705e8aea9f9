/**
 * Puts questions to the agents through the store, so that it does not matter which process they run in, and collects
 * the answers. The question and its answers are deleted whatever comes of them.
 */
import { randomUUID } from 'node:crypto';
import { keys } from '../../model/keys.ts';
import type { AskRecord } from '../../model/records.ts';
import type { Entry, Store } from '../../store/contract.ts';
import type { View } from '../state/view.ts';

export interface HostAnswers {
  /** The store's revision of the question: answers speak of everything before it. */
  readonly revision: number;
  /** By host, as JSON values. */
  readonly answers: ReadonlyMap<string, unknown>;
  /** Live hosts that did not answer in time. */
  readonly late: readonly string[];
}

/** Milliseconds between looks at who is still alive. */
const lifeCheckInterval = 250;

export class Asker {
  readonly #store: Store;
  readonly #view: View;
  /** Ends each wait that is under way. */
  readonly #waits = new Set<() => void>();

  constructor(store: Store, view: View) {
    this.#store = store;
    this.#view = view;
  }

  /** Questions under way are answered with what there is. */
  close(): void {
    for (const finish of this.#waits) finish();
  }

  liveHosts(): readonly string[] {
    return this.#view.state.liveHosts;
  }

  /** Asks `hosts` and waits at most `timeout` milliseconds. A host that dies meanwhile is not waited for. */
  async ask(question: AskRecord, hosts: readonly string[], timeout: number): Promise<HostAnswers> {
    const id = randomUUID();
    const key = keys.ask(id);
    const put = await this.#store.txn(
      [{ key, is: 'absent' }],
      [{ op: 'put', key, value: JSON.stringify(question) }],
    );
    const revision = put.ok ? put.revision : this.#view.revision;
    const answers = new Map<string, unknown>();
    try {
      await this.#collect(id, hosts, timeout, answers);
    } finally {
      await this.#forget(id);
    }
    return { revision, answers, late: this.#missing(hosts, answers) };
  }

  #missing(hosts: readonly string[], answers: ReadonlyMap<string, unknown>): readonly string[] {
    const { state } = this.#view;
    return hosts.filter((name) => !answers.has(name) && state.isLive(name));
  }

  async #collect(
    id: string,
    hosts: readonly string[],
    timeout: number,
    answers: Map<string, unknown>,
  ): Promise<void> {
    if (hosts.length === 0) return;
    const prefix = keys.answer(id, '');
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        stop();
        subscription.close();
        resolve();
      };
      const stop = (): void => {
        clearInterval(look);
        clearTimeout(deadline);
        this.#waits.delete(finish);
      };
      this.#waits.add(finish);
      const check = (): void => {
        if (this.#missing(hosts, answers).length === 0) finish();
      };
      const look = setInterval(check, lifeCheckInterval);
      const deadline = setTimeout(finish, timeout);
      const take = ({ key, value }: Entry): void =>
        void answers.set(key.slice(prefix.length), JSON.parse(value) as unknown);
      const subscription = this.#store.subscribe([prefix], {
        onSnapshot: ({ entries }) => {
          for (const entry of entries) take(entry);
          check();
        },
        onBatch: ({ events }) => {
          for (const event of events) if (event.type === 'put') take(event.entry);
          check();
        },
      });
    });
  }

  async #forget(id: string): Promise<void> {
    const { entries } = await this.#store.snapshot([keys.answer(id, '')]);
    const gone = [keys.ask(id), ...entries.map((entry) => entry.key)];
    await this.#store.txn(
      [],
      gone.map((key) => ({ op: 'delete', key })),
    );
  }
}
