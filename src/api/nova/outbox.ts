/**
 * A queue of events: in order, each once, kept until the compute service accepts it. It sends at once after an idle time,
 * then once an interval, and with a growing delay while calls fail. Nobody waits for it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Backoff } from '../../base/backoff.ts';
import { Fault, reasonOf } from '../../base/errors.ts';
import type { NovaEvent, PortState } from './events.ts';
import type { Delivery, NovaFault } from './nova-client.ts';

/** Of one port, from then on: null for one of which nothing is to be known any more. */
export type Told = ReadonlyMap<string, PortState | null>;

export interface OutboxOptions {
  readonly log: Logger;
  /** Milliseconds between sendings. */
  readonly interval: number;
  /** Milliseconds until the first repetition, and at most. */
  readonly backoff: { readonly minDelay: number; readonly maxDelay: number };
  readonly send: (events: readonly NovaEvent[]) => Promise<Delivery>;
  /** Records what was sent. When it rejects, the events are sent again. */
  readonly keep: (told: Told) => Promise<void>;
}

export interface OutboxCounts {
  /** Events that were accepted, and events that were refused for good. */
  readonly taken: number;
  readonly refused: number;
  /** Sendings that failed and were repeated. */
  readonly failures: number;
}

/** Events of one sending; compute services answer in one piece. */
const maxEvents = 500;
/** Milliseconds between log lines about the same failure. */
const complaintInterval = 10_000;

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #backoff: Backoff;
  /** By content, oldest first: a repeated event moves to the end. */
  readonly #events = new Map<string, NovaEvent>();
  readonly #told = new Map<string, PortState | null>();
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;
  readonly #counts = { taken: 0, refused: 0, failures: 0 };
  #complained = Number.NEGATIVE_INFINITY;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff);
  }

  /** `state` is what will be known of the port when these events were told; there may be none. */
  add(port: string, events: readonly NovaEvent[], state: PortState | null): void {
    for (const event of events) {
      // A deleted port needs no other event.
      if (event.name === 'network-vif-deleted') this.#forget(port);
      const key = `${event.tag} ${event.server_uuid} ${event.name}`;
      this.#events.delete(key);
      this.#events.set(key, event);
    }
    this.#told.set(port, state);
    this.#running ??= this.#run();
  }

  get pending(): number {
    return this.#events.size;
  }

  get counts(): OutboxCounts {
    return this.#counts;
  }

  /** Pending events are not sent. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  #forget(port: string): void {
    for (const [key, event] of this.#events) if (event.tag === port) this.#events.delete(key);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    // Changes of one moment go together.
    await this.#pause(0);
    while (!signal.aborted && this.#told.size > 0) await this.#pause(await this.#round());
    // In the same turn as the last check: the next event starts a new run.
    this.#running = null;
  }

  /** Milliseconds to the next one. */
  async #round(): Promise<number> {
    const events = [...this.#events].slice(0, maxEvents);
    const whole = events.length === this.#events.size;
    const told = new Map(this.#told);
    try {
      if (events.length > 0) this.#count(await this.#options.send(events.map(([, event]) => event)));
      for (const [key, event] of events) if (this.#events.get(key) === event) this.#events.delete(key);
      // Some events of the other states may be under way; a state is kept only when all its events were sent.
      if (whole) {
        await this.#options.keep(told);
        for (const [port, state] of told) if (this.#told.get(port) === state) this.#told.delete(port);
      }
    } catch (error) {
      if (this.#stop.signal.aborted) return 0;
      this.#counts.failures++;
      this.#complain(error);
      return this.#backoff.next();
    }
    this.#backoff.reset();
    return whole ? this.#options.interval : 0;
  }

  #count({ taken, refused }: Delivery): void {
    this.#counts.taken += taken;
    this.#counts.refused += refused.length;
    for (const reason of new Set(refused))
      this.#options.log.info({ reason }, 'the compute service refused an event');
  }

  #complain(error: unknown): void {
    if (performance.now() < this.#complained + complaintInterval) return;
    this.#complained = performance.now();
    const known = error instanceof Fault && (error as Fault<NovaFault>).data.code === 'NovaUnavailable';
    const text = known
      ? 'the compute service cannot be told, trying again'
      : 'what the compute service was told could not be kept, telling it again';
    this.#options.log.warn({ reason: reasonOf(error), pending: this.pending }, text);
  }

  async #pause(milliseconds: number): Promise<void> {
    const { signal } = this.#stop;
    await delay(milliseconds, undefined, { signal }).catch(() => undefined);
  }
}
