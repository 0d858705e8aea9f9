/**
 * Some watches of etcd on one gRPC stream. A stream that ends is opened again, at another endpoint if need be, and each
 * watch goes on after the last event that it delivered. Joins fragments. Says `onLost` where events may be missing.
 *
 * etcd may lose events of a watch that reads history while it is compacted (etcd#18089, etcd#19179). A watch that would
 * resume far back is therefore lost, so that its owner lists again.
 *
 * Rejected: progress notifications. etcd before 3.4.25 and 3.5.8 may send them before the events that they stand for
 * (etcd#15220).
 */
import { Backoff } from '../../base/backoff.ts';
import { Fault, reasonOf } from '../../base/errors.ts';
import type { EtcdConnection, Stream } from './connection.ts';
import { asStoreFault, unavailable } from './faults.ts';
import {
  type KeyRange,
  methods,
  type WatchResponse,
  watchCancel,
  watchCreate,
  watchResponse,
} from './messages.ts';
import { Fields, type ProtoMessage } from './protobuf.ts';

export type WatchEvents = WatchResponse['events'];

export interface WatchHandlers {
  /** Asks etcd for its revision: the connection notices another history, which a watch would wait for in silence. */
  probe(): Promise<unknown>;
  /** Whole revisions of one watch, in order. */
  onEvents(id: number, events: WatchEvents): void;
  /** The stream ended and is opened again. */
  onTrouble(error: unknown): void;
  /** The stream is over. */
  onLost(error: Error): void;
}

interface Watch {
  readonly range: KeyRange;
  /** Every event up to this revision was delivered. */
  seen: number;
  isResumed: boolean;
  fragments: WatchEvents;
}

/** Revisions over which a watch resumes. */
const maxResume = 5000;

export class WatchStream {
  readonly #connection: EtcdConnection;
  readonly #handlers: WatchHandlers;
  readonly #watches = new Map<number, Watch>();
  readonly #backoff = new Backoff();
  #stream: Stream | null = null;
  #reopening: NodeJS.Timeout | null = null;
  #over = false;

  constructor(connection: EtcdConnection, handlers: WatchHandlers) {
    this.#connection = connection;
    this.#handlers = handlers;
    void this.#open();
  }

  /** Delivers every event in the range after the revision. No id is used twice. */
  add(id: number, range: KeyRange, after: number): void {
    this.#watches.set(id, { range, seen: after, isResumed: false, fragments: [] });
    this.#send(watchCreate(id, range, after + 1));
  }

  remove(id: number): void {
    if (this.#watches.delete(id)) this.#send(watchCancel(id));
  }

  close(): void {
    this.#over = true;
    if (this.#reopening !== null) clearTimeout(this.#reopening);
    this.#stream?.cancel();
  }

  #send(request: ProtoMessage): void {
    this.#stream?.write(request.encode());
  }

  async #open(): Promise<void> {
    this.#reopening = null;
    let stream: Stream;
    try {
      if ([...this.#watches.values()].some(({ isResumed }) => isResumed)) await this.#handlers.probe();
      stream = await this.#connection.stream(methods.watch);
    } catch (error) {
      this.#reopen(error);
      return;
    }
    if (this.#over) {
      stream.on('error', () => {});
      stream.cancel();
      return;
    }
    stream.on('data', (bytes: Buffer) => {
      if (this.#stream === stream && !this.#over) this.#take(bytes);
    });
    const ended = (error: unknown): void => {
      if (this.#stream !== stream || this.#over) return;
      this.#stream = null;
      this.#reopen(error);
    };
    stream.on('error', ended);
    stream.on('end', () => ended(new Error('etcd ended a watch')));
    this.#stream = stream;
    for (const [id, watch] of this.#watches) {
      watch.fragments = [];
      this.#send(watchCreate(id, watch.range, watch.seen + 1));
    }
  }

  #reopen(error: unknown): void {
    if (this.#over) return;
    for (const watch of this.#watches.values()) watch.isResumed = true;
    const fault = asStoreFault(error);
    this.#handlers.onTrouble(fault instanceof Fault ? fault : unavailable(`etcd: ${reasonOf(error)}`, error));
    this.#reopening ??= setTimeout(() => void this.#open(), this.#backoff.next());
  }

  /** A frame from outside: nothing is thrown at gRPC. */
  #take(bytes: Buffer): void {
    try {
      this.#answer(watchResponse(new Fields(bytes)));
    } catch (error) {
      this.#lose(unavailable('etcd sent a message that cannot be read', error));
    }
  }

  #answer(response: WatchResponse): void {
    this.#connection.history.saw(response.revision);
    const watch = this.#watches.get(response.id);
    // Events of a watch that was removed meanwhile.
    if (watch === undefined) return;
    if (response.compactRevision > 0)
      return this.#lose(unavailable(`history begins after revision ${response.compactRevision}`));
    if (response.canceled) return this.#lose(unavailable(`etcd ended a watch: ${response.reason}`));
    if (response.created) {
      if (watch.isResumed && response.revision - watch.seen > maxResume)
        return this.#lose(unavailable(`${response.revision - watch.seen} revisions were missed`));
      return;
    }
    this.#backoff.reset();
    const events = watch.fragments.length === 0 ? response.events : [...watch.fragments, ...response.events];
    watch.fragments = response.fragment ? events : [];
    if (response.fragment) return;
    // etcd may repeat events.
    const fresh = events.filter(({ entry }) => entry.modRevision > watch.seen);
    watch.seen = Math.max(watch.seen, ...fresh.slice(-1).map(({ entry }) => entry.modRevision));
    if (fresh.length > 0) this.#handlers.onEvents(response.id, fresh);
  }

  #lose(error: Fault<{ readonly code: string }>): void {
    this.close();
    this.#handlers.onLost(error);
  }
}
