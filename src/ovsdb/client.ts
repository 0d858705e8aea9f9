/**
 * The client of a switch's database: a replica that stays while connections come and go, and transactions.
 * Owns reconnecting. Its callbacks run while the socket is read and must not block. Does not know what the
 * rows mean to the agent.
 */
import { Backoff } from '../base/backoff.ts';
import { Fault, reasonOf } from '../base/errors.ts';
import { PathWatch } from '../base/path-watch.ts';
import { parseTarget } from '../base/target.ts';
import { requestConfiguration } from './configuration.ts';
import { Monitor, type Start } from './monitor.ts';
import { defaultPort, Rpc, type RpcFault } from './rpc.ts';
import type { DatabaseUpdate, OvsdbRow, OvsdbTable, RowSource } from './schema.ts';
import { type Operation, type OperationResult, readResults, transactParams } from './transaction.ts';

export type OvsdbFault =
  /** No connection existed at the time of the call; nothing was sent. */
  | { readonly code: 'NotConnected' }
  /** The database took the change, but the switch did not apply it in time: ovs-vswitchd may be down. */
  | { readonly code: 'NotApplied'; readonly wanted: number };

export interface OvsdbLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export interface OvsdbOptions {
  /** `unix:PATH` or `tcp:HOST:PORT`. */
  readonly target: string;
  /** Ends the client. */
  readonly signal: AbortSignal;
  readonly log?: OvsdbLog;
  /**
   * Receives each change of the database once, as one batch. Changes during an interruption come as one batch
   * too.
   */
  readonly onUpdate: (batch: DatabaseUpdate) => void;
  /** Called when the rows equal the database on a fresh connection, after the batch that made them equal. */
  readonly onUp?: (start: Start) => void;
  /** Called when the connection is lost, unless the signal ended it. The rows stay as they were. */
  readonly onDown?: (reason: string) => void;
  /** Milliseconds of silence before the peer is probed; 5000. */
  readonly probeInterval?: number;
}

export interface TransactOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds, 10000 by default. */
  readonly timeout?: number;
}

interface AppliedWaiter {
  readonly wanted: number;
  readonly resolve: () => void;
}

export class Ovsdb implements RowSource {
  readonly #options: OvsdbOptions;
  readonly #monitor: Monitor;
  readonly #waiters = new Set<AppliedWaiter>();
  #rpc: Rpc | null = null;
  readonly #done: Promise<void>;

  /** Starts connecting at once, and retries until the signal aborts. Throws `BadTarget`. */
  constructor(options: OvsdbOptions) {
    const { target } = options;
    const where = parseTarget(target, defaultPort);
    this.#options = options;
    this.#monitor = new Monitor((batch) => this.#updated(batch));
    this.#done = this.#run(where.kind === 'unix' ? where.path : null);
  }

  /** Resolves when the signal has ended the client and its connection is gone. */
  get done(): Promise<void> {
    return this.#done;
  }

  get up(): boolean {
    return this.#rpc !== null;
  }

  rows<T extends OvsdbTable>(table: T): ReadonlyMap<string, OvsdbRow<T>> {
    return this.#monitor.rows(table);
  }

  /**
   * One atomic change, with one result an operation. Without operations nothing is sent. When it resolves,
   * the rows hold the change, because the server sends updates ahead of the answer. Rejects with
   * NotConnected, a TransactionFault or an RpcFault. The outcome is unknown after Disconnected, Timeout and
   * Aborted.
   */
  async transact(
    operations: readonly Operation[],
    options: TransactOptions = {},
  ): Promise<readonly OperationResult[]> {
    if (operations.length === 0) return [];
    const { signal, timeout = 10_000 } = options;
    if (!this.#rpc)
      throw new Fault<OvsdbFault>({ code: 'NotConnected' }, `${this.#options.target}: not connected`);
    return readResults(
      await this.#rpc.call('transact', transactParams(operations), { signal, timeout }),
      operations,
    );
  }

  /** Like `transact`, but resolves only when the switch has applied the change; else rejects with `NotApplied`. */
  async transactApplied(
    operations: readonly Operation[],
    options: TransactOptions = {},
  ): Promise<readonly OperationResult[]> {
    if (operations.length === 0) return [];
    const { signal, timeout = 10_000 } = options;
    const results = await this.transact([...operations, ...requestConfiguration], options);
    const wanted = results.at(-1)?.rows?.[0]?.next_cfg;
    if (typeof wanted === 'number') await this.#applied(wanted, timeout, signal);
    return results.slice(0, operations.length);
  }

  /** Resolves when the switch has applied everything that the database holds now; else rejects with `NotApplied`. */
  async applied(options: TransactOptions = {}): Promise<void> {
    const results = await this.transact(requestConfiguration, options);
    const wanted = results.at(-1)?.rows?.[0]?.next_cfg;
    const { signal, timeout = 10_000 } = options;
    if (typeof wanted === 'number') await this.#applied(wanted, timeout, signal);
  }

  /** Resolves when the rows hold everything that the database held at the call. */
  async caughtUp(options: TransactOptions = {}): Promise<void> {
    const { signal, timeout = 10_000 } = options;
    if (!this.#rpc)
      throw new Fault<OvsdbFault>({ code: 'NotConnected' }, `${this.#options.target}: not connected`);
    // The server sends updates ahead of its answers to later requests.
    await this.#rpc.call('echo', [], { signal, timeout });
  }

  #applied(wanted: number, timeout: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (fault: Fault<OvsdbFault | RpcFault> | null) => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        signal?.removeEventListener('abort', onAbort);
        this.#options.signal.removeEventListener('abort', onAbort);
        if (fault) reject(fault);
        else resolve();
      };
      const onAbort = () => finish(new Fault({ code: 'Aborted', method: 'transact' }, 'aborted'));
      const late = new Fault<OvsdbFault>({ code: 'NotApplied', wanted }, `not applied within ${timeout} ms`);
      const timer = setTimeout(() => finish(late), timeout);
      const waiter = { wanted, resolve: () => finish(null) };
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', onAbort);
      this.#options.signal.addEventListener('abort', onAbort);
      if (signal?.aborted || this.#options.signal.aborted) onAbort();
      this.#wakeApplied();
    });
  }

  #wakeApplied(): void {
    const [root] = this.rows('Open_vSwitch').values();
    for (const waiter of this.#waiters) if (root && root.cur_cfg >= waiter.wanted) waiter.resolve();
  }

  #updated(batch: DatabaseUpdate): void {
    this.#callBack('onUpdate', () => this.#options.onUpdate(batch));
    if (this.#waiters.size > 0) this.#wakeApplied();
  }

  // A fault in a callback must not pass for the peer's fault and cost the connection.
  #callBack(name: string, callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#options.log?.error({ error, callback: name }, 'OVSDB client callback failed');
    }
  }

  async #run(socketPath: string | null): Promise<void> {
    const { signal, log, target } = this.#options;
    const backoff = new Backoff({ minDelay: 5, maxDelay: 1000 });
    let lastReason = '';
    while (!signal.aborted) {
      const watch = new PathWatch(socketPath);
      try {
        const reason = await this.#session(() => {
          backoff.reset();
          lastReason = '';
        });
        if (!signal.aborted) log?.warn({ target, reason }, 'OVSDB connection ended');
      } catch (error) {
        const reason = reasonOf(error);
        if (!signal.aborted && reason !== lastReason)
          log?.warn({ target, reason }, 'OVSDB connection failed');
        lastReason = reason;
      }
      if (!signal.aborted && (await watch.wait(backoff.next(), signal))) backoff.reset();
      watch.close();
    }
  }

  /** One connection, from connecting to its end, whose reason it returns. Rejects if it never came up. */
  async #session(onSynchronised: () => void): Promise<string> {
    const { target, signal, probeInterval, log } = this.#options;
    let ended: (reason: string) => void = () => undefined;
    const end = new Promise<string>((resolve) => {
      ended = resolve;
    });
    const rpc = await Rpc.connect({
      target,
      signal,
      probeInterval,
      onNotification: (method, params) => this.#monitor.notified(method, params, target),
      onClose: (reason) => {
        const wasUp = this.#rpc === rpc;
        this.#rpc = null;
        if (wasUp && !signal.aborted) this.#callBack('onDown', () => this.#options.onDown?.(reason.message));
        ended(reason.message);
      },
    });
    try {
      const start = await this.#monitor.start(rpc);
      if (rpc.open) {
        this.#rpc = rpc;
        onSynchronised();
        log?.info({ target, start }, 'OVSDB monitor is in sync');
        this.#callBack('onUp', () => this.#options.onUp?.(start));
      }
    } catch (error) {
      rpc.close(reasonOf(error));
      throw error;
    }
    return end;
  }
}
