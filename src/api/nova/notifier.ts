/**
 * Sends events to the compute service when ports of its servers are plugged, unplugged, changed or deleted. Boots and
 * migrations wait for them. It follows the store only, so it sees the changes of all agents and servers. Of several
 * servers on one store, the holder of the lease sends. The store records what was sent, so that a server that ends
 * loses no event and hardly any is sent twice.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { Fault, reasonOf } from '../../base/errors.ts';
import { keys } from '../../model/keys.ts';
import type { Entry, Snapshot, Store, Subscription, Write } from '../../store/contract.ts';
import { Election } from '../../store/election.ts';
import { eventsBetween, isUntold, type PortState } from './events.ts';
import type { NovaClient } from './nova-client.ts';
import { Outbox, type OutboxCounts, type Told } from './outbox.ts';
import { PortStates } from './port-states.ts';

export interface NotifierOptions {
  readonly store: Store;
  readonly log: Logger;
  readonly client: Pick<NovaClient, 'send' | 'close'>;
  /** Milliseconds between sendings. */
  readonly interval: number;
  readonly backoff?: { readonly minDelay: number; readonly maxDelay: number };
  /** Milliseconds between renewals of the lease, and until it ends without one. */
  readonly lease?: { readonly renewInterval: number; readonly ttl: number };
  /** No other server can be on the store. */
  readonly alone?: boolean;
}

export interface NotifierStatus extends OutboxCounts {
  /** Whether this server holds the lease and sends. */
  readonly telling: boolean;
  readonly pending: number;
}

const usualBackoff = { minDelay: 1000, maxDelay: 30_000 };
const usualLease = { renewInterval: 5000, ttl: 15_000 };
/** Milliseconds for a call that is under way at the end. */
const stopTimeout = 2000;
/** Keys of one transaction. */
const maxWrites = 200;

export type NotifierFault = { readonly code: 'LeaseLost' };

export class Notifier {
  readonly #options: NotifierOptions;
  readonly #lease: Election;
  #term: Term | null = null;
  /** Of the terms that are over. */
  #past: OutboxCounts = { taken: 0, refused: 0, failures: 0 };

  constructor(options: NotifierOptions) {
    this.#options = options;
    const { store, log, lease = usualLease, alone = false } = options;
    this.#lease = new Election({
      store,
      key: keys.novaLease(),
      holder: `${hostname()} ${process.pid} ${randomUUID()}`,
      ...lease,
      alone,
      onGained: () => {
        log.info('this server holds the lease and sends port events to the compute service');
        this.#term = new Term(options, this.#lease);
      },
      onLost: () => {
        log.warn('this server lost the lease for port events to the compute service');
        void this.#endTerm();
      },
      onTrouble: (reason) =>
        log.warn({ reason }, 'leader election for port events to the compute service failed'),
    });
  }

  start(): void {
    this.#lease.start();
  }

  get status(): NotifierStatus {
    const { outbox } = this.#term ?? {};
    const now = outbox?.counts ?? { taken: 0, refused: 0, failures: 0 };
    return {
      telling: this.#term !== null,
      pending: outbox?.pending ?? 0,
      taken: this.#past.taken + now.taken,
      refused: this.#past.refused + now.refused,
      failures: this.#past.failures + now.failures,
    };
  }

  /** A call under way may end. The next holder of the lease sends what is pending. */
  async stop(): Promise<void> {
    const { client } = this.#options;
    const late = setTimeout(() => client.close(), stopTimeout);
    await this.#endTerm();
    clearTimeout(late);
    client.close();
    await this.#lease.stop();
  }

  async #endTerm(): Promise<void> {
    const { taken, refused, failures } = this.status;
    const term = this.#term;
    this.#term = null;
    this.#past = { taken, refused, failures };
    await term?.end();
  }
}

/** From getting the lease to losing it. */
class Term {
  readonly outbox: Outbox;
  readonly #options: NotifierOptions;
  readonly #lease: Election;
  readonly #states: PortStates;
  readonly #subscription: Subscription;
  #begun = false;
  /** True while the states from before the first event are only recorded, without events. */
  #baseline = false;

  constructor(options: NotifierOptions, lease: Election) {
    this.#options = options;
    this.#lease = lease;
    const { store, log, client, interval, backoff = usualBackoff } = options;
    this.outbox = new Outbox({
      log,
      interval,
      backoff,
      send: (events) => client.send(events),
      keep: (told) => this.#keep(told),
    });
    this.#states = new PortStates((port, before, after, gone) => {
      const events = this.#baseline ? [] : eventsBetween(port, before, after, gone);
      // The compute service knows this state without an event.
      if (events.length === 0 && before === null && after !== null && isUntold(after)) return;
      this.outbox.add(port, events, after);
    });
    this.#subscription = store.subscribe(
      [keys.port.prefix, keys.binding.prefix, keys.novaBegan(), keys.novaTold.prefix],
      {
        onSnapshot: (snapshot) => this.#reset(snapshot),
        onBatch: (batch) => this.#states.apply(batch),
        onTrouble: (error) => log.warn({ reason: reasonOf(error) }, 'lost the store, listing it again'),
      },
    );
  }

  async end(): Promise<void> {
    this.#subscription.close();
    await this.outbox.close();
  }

  #reset(snapshot: Snapshot): void {
    if (!this.#begun) {
      this.#begun = true;
      // Servers from before the first event wait for none.
      this.#baseline = !snapshot.entries.some(({ key }) => key === keys.novaBegan());
      for (const entry of snapshot.entries) this.#recall(entry);
    }
    this.#states.reset(snapshot);
    if (!this.#baseline) return;
    this.#baseline = false;
    this.outbox.add(began, [], null);
  }

  #recall({ key, value }: Entry): void {
    const port = keys.novaTold.parse(key)?.port;
    if (port === undefined) return;
    const state = toldIn(value);
    if (state === null) this.#options.log.warn({ key }, 'a record cannot be read');
    else this.#states.assume(port, state);
  }

  async #keep(told: Told): Promise<void> {
    const writes = [...told].map(([port, state]): Write => {
      if (port === began) return { op: 'put', key: keys.novaBegan(), value: new Date().toISOString() };
      const key = keys.novaTold(port);
      return state === null ? { op: 'delete', key } : { op: 'put', key, value: JSON.stringify(state) };
    });
    for (let at = 0; at < writes.length; at += maxWrites) await this.#write(writes.slice(at, at + maxWrites));
  }

  /** Only while the lease is held: an older record must not overwrite another server's. */
  async #write(writes: readonly Write[]): Promise<void> {
    for (;;) {
      const { revision } = this.#lease;
      const lost = () => new Fault<NotifierFault>({ code: 'LeaseLost' }, 'another server has the lease');
      if (revision === null) throw lost();
      const condition = { key: keys.novaLease(), is: 'unchanged', modRevision: revision } as const;
      const { ok } = await this.#options.store.txn([condition], writes);
      if (ok) return;
      // It may only have been renewed in between.
      if (this.#lease.revision === revision) throw lost();
    }
  }
}

function toldIn(text: string): PortState | null {
  try {
    const told = keys.novaTold.read(text);
    return typeof told.server === 'string' ? told : null;
  } catch {
    return null;
  }
}

/** Takes the place of a port's id. */
const began = '';
