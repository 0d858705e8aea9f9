/**
 * A subscription to an etcd store: one session after the other (`watch-session.ts`). Owns the wanted prefixes, the barriers and
 * the pauses between attempts. Lists everything again where a session was lost or its reader failed.
 */
import { Backoff } from '../../base/backoff.ts';
import { Fault } from '../../base/errors.ts';
import type { Snapshot, StoreFault, Subscriber, Subscription } from '../contract.ts';
import { PrefixSet } from '../prefixes.ts';
import { ReaderQueue } from '../reader-queue.ts';
import type { EtcdConnection } from './connection.ts';
import type { Places } from './scopes.ts';
import { type Stamps, WatchSession } from './watch-session.ts';

export interface EtcdSubscriptionOptions {
  readonly connection: EtcdConnection;
  readonly places: Places;
  readonly list: (prefixes: readonly string[]) => Promise<Snapshot>;
  readonly readStamps: (scopes: readonly string[]) => Promise<Stamps>;
  readonly prefixes: readonly string[];
  readonly reader: Subscriber;
  readonly onOver: () => void;
}

interface Barrier {
  readonly resolve: (reached: Promise<number>) => void;
  readonly reject: (fault: Fault<StoreFault>) => void;
}

export class EtcdSubscription implements Subscription {
  readonly #options: EtcdSubscriptionOptions;
  readonly #prefixes: PrefixSet;
  readonly #delivery: ReaderQueue;
  readonly #backoff = new Backoff();
  #session: WatchSession | null = null;
  #barriers: Barrier[] = [];
  #pause: NodeJS.Timeout | null = null;
  #ended: Fault<StoreFault> | null = null;

  constructor(options: EtcdSubscriptionOptions) {
    this.#options = options;
    this.#prefixes = new PrefixSet(options.prefixes);
    this.#delivery = new ReaderQueue(options.reader, () => this.#again());
    this.#begin();
  }

  get revision(): number {
    return this.#delivery.revision;
  }

  add(prefixes: readonly string[]): void {
    const fresh = prefixes.filter((prefix) => !this.#prefixes.has(prefix));
    if (fresh.length === 0) return;
    this.#prefixes.add(fresh);
    if (this.#session === null) return;
    if (this.#session.canFollow(fresh)) this.#session.add(fresh);
    else {
      this.#delivery.drop();
      this.#session.close();
      this.#begin();
    }
  }

  remove(prefixes: readonly string[]): void {
    this.#prefixes.delete(prefixes);
    this.#delivery.remove(prefixes);
    this.#session?.remove(prefixes, this.#prefixes.all);
  }

  async caughtUp(): Promise<number> {
    if (this.#ended !== null) throw this.#ended;
    return new Promise((resolve, reject) => {
      this.#barriers.push({ resolve, reject });
      this.#session?.work();
    });
  }

  close(): void {
    this.end(new Fault<StoreFault>({ code: 'StoreClosed' }, 'the subscription is closed'));
  }

  end(fault: Fault<StoreFault>): void {
    if (this.#ended !== null) return;
    this.#ended = fault;
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#session?.close();
    for (const { reject } of this.#barriers) reject(fault);
    this.#barriers = [];
    this.#delivery.close(fault);
    this.#options.onOver();
  }

  #begin(): void {
    const { connection, places, list, readStamps } = this.#options;
    const barriers = () => this.#barriers;
    const session: WatchSession = new WatchSession({
      connection,
      places,
      delivery: this.#delivery,
      list,
      wants: (prefix) => this.#prefixes.has(prefix),
      readStamps,
      barriers: {
        get count() {
          return barriers().length;
        },
        free: (count) => {
          for (const { resolve } of this.#barriers.splice(0, count)) resolve(this.#delivery.mark());
          this.#backoff.reset();
        },
      },
      onTrouble: (error) => this.#delivery.trouble(error),
      onLost: (error) => this.#failed(session, error),
    });
    this.#session = session;
    session.start(this.#prefixes.all).catch((error: unknown) => this.#failed(session, error));
  }

  #failed(session: WatchSession, error: unknown): void {
    if (this.#session !== session || this.#ended !== null) return;
    this.#delivery.drop();
    this.#delivery.trouble(error);
    this.#again();
  }

  /** Everything again, after a pause. */
  #again(): void {
    this.#session?.close();
    this.#session = null;
    if (this.#ended !== null || this.#pause !== null) return;
    this.#pause = setTimeout(() => {
      this.#pause = null;
      this.#begin();
    }, this.#backoff.next());
  }
}
