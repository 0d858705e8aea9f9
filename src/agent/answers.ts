/**
 * Answers to what the API asks through the store. A question seen at some revision is answered only after all
 * before it is on the switch; the agent calls `settle` at such moments.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../base/errors.ts';
import { keys, prefixes } from '../model/keys.ts';
import type { AskRecord, CountersAnswer, DropCounter } from '../model/records.ts';
import type { PortId } from '../policy/world.ts';
import type { Batch, Snapshot, Store } from '../store/contract.ts';

export interface AnswersOptions {
  readonly store: Store;
  readonly host: string;
  readonly log: Logger;
  /** Resolves when packets meet the flows that the switch has acknowledged. */
  readonly settled: () => Promise<void>;
  /** Null when the port is not on this host. */
  readonly drops: (port: PortId) => Promise<readonly DropCounter[] | null>;
}

export class Answers {
  readonly #options: AnswersOptions;
  readonly #open = new Map<string, AskRecord>();

  constructor(options: AnswersOptions) {
    this.#options = options;
  }

  reset({ entries }: Snapshot): void {
    this.#open.clear();
    for (const { key, value } of entries) this.#take(key, value);
  }

  apply({ events }: Batch): void {
    for (const event of events) {
      if (event.type === 'put') this.#take(event.entry.key, event.entry.value);
      else if (event.key.startsWith(prefixes.asks)) this.#open.delete(event.key.slice(prefixes.asks.length));
    }
  }

  #take(key: string, value: string): void {
    if (!key.startsWith(prefixes.asks)) return;
    try {
      this.#open.set(key.slice(prefixes.asks.length), JSON.parse(value) as AskRecord);
    } catch {
      this.#options.log.warn({ key }, 'a question cannot be read');
    }
  }

  /** The questions that are open now; hand them to `settle` once what was known at this moment is applied. */
  take(): ReadonlyMap<string, AskRecord> {
    const taken = new Map(this.#open);
    this.#open.clear();
    return taken;
  }

  /** Puts questions back that could not be answered yet. */
  restore(asks: ReadonlyMap<string, AskRecord>): void {
    for (const [id, ask] of asks) if (!this.#open.has(id)) this.#open.set(id, ask);
  }

  /** Answers; questions that cannot be answered now stay open, and the reason of one of them is given. */
  async settle(asks: ReadonlyMap<string, AskRecord>): Promise<string | null> {
    if (asks.size === 0) return null;
    try {
      await this.#options.settled();
    } catch (error) {
      this.restore(asks);
      return reasonOf(error);
    }
    const failures = await Promise.all([...asks].map(([id, ask]) => this.#answer(id, ask)));
    return failures.find((failure) => failure !== null) ?? null;
  }

  async #answer(id: string, ask: AskRecord): Promise<string | null> {
    const { store, host } = this.#options;
    try {
      const answer = await this.#answerTo(ask);
      if (answer === null) return null;
      const put = { op: 'put', key: keys.answer(id, host), value: JSON.stringify(answer) } as const;
      // Nobody waits any more when the question is gone.
      await store.txn([{ key: keys.ask(id), is: 'present' }], [put]);
      return null;
    } catch (error) {
      this.restore(new Map([[id, ask]]));
      return reasonOf(error);
    }
  }

  async #answerTo(ask: AskRecord): Promise<object | null> {
    if (ask.kind !== 'counters') return {};
    const drops = await this.#options.drops(ask.port as PortId);
    return drops === null ? null : ({ drops } satisfies CountersAnswer);
  }
}
