/**
 * The one face of a switch's database: a replica that stays, over connections that come and go, and
 * transactions. Owns reconnecting; its callbacks run on the thread of the socket and must not block. What the
 * rows mean to the agent is not known here.
 */
import { Backoff } from '../base/backoff.ts';
import { Fault, reasonOf } from '../base/errors.ts';
import { PathWatch } from '../base/path-watch.ts';
import { parseTarget } from '../base/target.ts';
import { requestConfiguration } from './configuration.ts';
import { Monitor, type Start } from './monitor.ts';
import { defaultPort, Rpc, type RpcFault } from './rpc.ts';
import type { Batch, Row, RowSource, TableName } from './schema.ts';
import { type Operation, type OperationResult, readResults, transactParams } from './transaction.ts';

export type OvsdbFault =
  /** No connection at the time of the call; nothing was sent. */
  | { readonly code: 'NotConnected' }
  /** The database took the change, the switch did not act on it in time: ovs-vswitchd may be down. */
  | { readonly code: 'NotApplied'; readonly wanted: number };

export interface Log {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export interface OvsdbOptions {
  /** `unix:PATH` or `tcp:HOST:PORT`. */
  readonly target: string;
  /** Ends the client for good. */
  readonly signal: AbortSignal;
  readonly log?: Log;
  /** Each change of the database once, as one batch; after a reconnect, what changed meanwhile as one. */
  readonly onUpdate: (batch: Batch) => void;
  /** The rows equal the database, on a fresh connection; after the batch that made them so. */
  readonly onUp?: (start: Start) => void;
  /** The connection that was up is lost, not by the signal; rows stay as they were. */
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

  /** Starts connecting at once, and never stops trying until the signal aborts. Throws `BadTarget`. */
  constructor(options: OvsdbOptions) {
    const { target } = options;
    const where = parseTarget(target, defaultPort);
    this.#options = options;
    this.#monitor = new Monitor((batch) => this.#updated(batch));
    this.#done = this.#run(where.kind === 'unix' ? where.path : null);
  }

  /** Resolves when the signal has ended the client and nothing of it is left. */
  get done(): Promise<void> {
    return this.#done;
  }

  get up(): boolean {
    return this.#rpc !== null;
  }

  rows<T extends TableName>(table: T): ReadonlyMap<string, Row<T>> {
    return this.#monitor.rows(table);
  }

  /**
   * One atomic change, one result an operation; no operations, no request. When it resolves, the rows hold
   * the change: the server sends updates ahead of the answer. Rejects with NotConnected, an RpcFault (outcome
   * unknown if it is Disconnected, Timeout or Aborted) or a TransactionFault.
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

  /** Like `transact`, and resolves only when the switch has acted on the change; else `NotApplied`. */
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

  /** Resolves when the switch has acted on all that the database says now; else `NotApplied`. */
  async applied(options: TransactOptions = {}): Promise<void> {
    const results = await this.transact(requestConfiguration, options);
    const wanted = results.at(-1)?.rows?.[0]?.next_cfg;
    const { signal, timeout = 10_000 } = options;
    if (typeof wanted === 'number') await this.#applied(wanted, timeout, signal);
  }

  /** Resolves when the rows hold all that the database held at the call. */
  async caughtUp(options: TransactOptions = {}): Promise<void> {
    const { signal, timeout = 10_000 } = options;
    if (!this.#rpc)
      throw new Fault<OvsdbFault>({ code: 'NotConnected' }, `${this.#options.target}: not connected`);
    // The server sends updates ahead of the answer to anything that it is asked later.
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
      const late = new Fault<OvsdbFault>({ code: 'NotApplied', wanted }, `not applied in ${timeout} ms`);
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

  #updated(batch: Batch): void {
    this.#tell('onUpdate', () => this.#options.onUpdate(batch));
    if (this.#waiters.size > 0) this.#wakeApplied();
  }

  // The owner's own fault must not pass for the peer's and cost the connection.
  #tell(name: string, callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#options.log?.error({ error, callback: name }, 'the owner of the OVSDB client failed');
    }
  }

  async #run(socketPath: string | null): Promise<void> {
    const { signal, log, target } = this.#options;
    const backoff = new Backoff({ minDelay: 5, maxDelay: 1000 });
    let said = '';
    while (!signal.aborted) {
      const watch = new PathWatch(socketPath);
      try {
        const reason = await this.#session(() => {
          backoff.reset();
          said = '';
        });
        if (!signal.aborted) log?.warn({ target, reason }, 'OVSDB connection ended');
      } catch (error) {
        const reason = reasonOf(error);
        if (!signal.aborted && reason !== said) log?.warn({ target, reason }, 'OVSDB is not reachable');
        said = reason;
      }
      if (!signal.aborted && (await watch.wait(backoff.next(), signal))) backoff.reset();
      watch.close();
    }
  }

  /** From connecting to the end of the connection, whose reason it returns; rejects if it never came up. */
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
        if (wasUp && !signal.aborted) this.#tell('onDown', () => this.#options.onDown?.(reason.message));
        ended(reason.message);
      },
    });
    try {
      const start = await this.#monitor.start(rpc);
      if (rpc.open) {
        this.#rpc = rpc;
        onSynchronised();
        log?.info({ target, start }, 'OVSDB is in step');
        this.#tell('onUp', () => this.#options.onUp?.(start));
      }
    } catch (error) {
      rpc.close(reasonOf(error));
      throw error;
    }
    return end;
  }
}
