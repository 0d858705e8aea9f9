/**
 * Answers the questions that the API asks through the store.
 *
 * Invariant: a question is answered only after everything that the store held before it is on the switch. The report
 * calls `settle` at such moments.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../../base/errors.ts';
import { isObject } from '../../model/checks.ts';
import type { Explanation } from '../../model/explanation.ts';
import { keys } from '../../model/keys.ts';
import type { AskRecord, CountersAnswer, DropCounter } from '../../model/records.ts';
import type { PortId } from '../../policy/world.ts';
import type { Batch, Snapshot, Store } from '../../store/contract.ts';
import type { StoreReader } from '../interest/following.ts';
import type { ExplainedPacket } from './explaining.ts';

export interface AnswersOptions {
  readonly store: Store;
  readonly host: string;
  readonly log: Logger;
  /** Records what rules have let in up to now. */
  readonly hits: () => Promise<void>;
  /** Drops that belong to no port. */
  readonly hostDrops: () => Promise<readonly DropCounter[]>;
  /** Null when the port is not on this host. */
  readonly drops: (port: PortId) => Promise<readonly DropCounter[] | null>;
  /** The walk of a packet; null when another host answers. */
  readonly explain: (packet: ExplainedPacket) => Promise<Explanation | null>;
}

export class Answers implements StoreReader {
  readonly prefixes = [keys.ask.prefix];
  readonly #options: AnswersOptions;
  readonly #open = new Map<string, AskRecord>();

  constructor(options: AnswersOptions) {
    this.#options = options;
  }

  reset({ entries }: Snapshot): void {
    this.#open.clear();
    for (const { key, value } of entries) this.#take(key, value);
  }

  /** False without a new question: a round for one that is deleted would derive nothing. */
  apply({ events }: Batch): boolean {
    let isAsked = false;
    for (const event of events) {
      if (event.type === 'put') isAsked = this.#take(event.entry.key, event.entry.value) || isAsked;
      else this.#open.delete(keys.ask.parse(event.key)?.id ?? '');
    }
    return isAsked;
  }

  #take(key: string, value: string): boolean {
    const id = keys.ask.parse(key)?.id;
    if (id === undefined) return false;
    const ask = readAsk(value);
    if (ask === null) this.#options.log.warn({ key }, 'cannot read a question');
    else this.#open.set(id, ask);
    return ask !== null;
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

  /**
   * Answers, when packets meet the flows of the round. Questions that cannot be answered now stay open, and the
   * reason of one of them is given.
   */
  async settle(asks: ReadonlyMap<string, AskRecord>): Promise<string | null> {
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

  async #answerTo(ask: AskRecord): Promise<CountersAnswer | object | null> {
    if (ask.kind === 'hits') await this.#options.hits();
    if (ask.kind === 'explain') {
      const { port, frame, arrival } = ask;
      if (arrival?.at.includes(this.#options.host) === false) return null;
      const packet = { port: port as PortId, frame: Buffer.from(frame, 'hex') };
      if (arrival === undefined) return this.#options.explain(packet);
      // Who asked does not wait for a host that cannot say.
      return (await this.#options.explain({ ...packet, from: arrival.from })) ?? {};
    }
    if (ask.kind === 'host-counters') {
      if (ask.host !== this.#options.host) return null;
      return { drops: await this.#options.hostDrops() } satisfies CountersAnswer;
    }
    if (ask.kind !== 'counters') return {};
    const drops = await this.#options.drops(ask.port as PortId);
    return drops === null ? null : ({ drops } satisfies CountersAnswer);
  }
}

/** Null for what is no question; one of a kind that is not known here is answered too, with nothing. */
function readAsk(value: string): AskRecord | null {
  try {
    const ask: unknown = JSON.parse(value);
    return isObject(ask) && typeof ask['kind'] === 'string' ? (ask as AskRecord) : null;
  } catch {
    return null;
  }
}
