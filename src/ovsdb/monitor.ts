/**
 * Keeps a replica equal to the database over one connection. It requests the followed columns in the best
 * dialect that the server speaks: monitor_cond_since, monitor_cond or monitor. It applies the updates that
 * the server sends. The last transaction id outlives the connection: a server that still knows it sends only
 * later changes.
 */
import { Fault } from '../base/errors.ts';
import { Replica } from './replica.ts';
import { peerProtocol, type Rpc, type RpcFault } from './rpc.ts';
import {
  columnsOf,
  type DatabaseUpdate,
  database,
  followedTableNames,
  type OvsdbTable,
  type RowSource,
} from './schema.ts';

export type MonitorFault =
  /** The server's schema gives a followed column another type than the one that this code reads. */
  { readonly code: 'SchemaMismatch'; readonly table: string; readonly column: string };

/** How the first answer of a connection related to the held rows. */
export type Start = 'resumed' | 'full';

const unknownTransaction = '00000000-0000-0000-0000-000000000000';
const monitorId = 'portcullis';

type Requests = Readonly<Record<string, readonly { readonly columns: readonly string[] }[]>>;

export class Monitor implements RowSource {
  readonly #replica = new Replica();
  readonly #onUpdate: (batch: DatabaseUpdate) => void;
  #lastTransaction = unknownTransaction;

  constructor(onUpdate: (batch: DatabaseUpdate) => void) {
    this.#onUpdate = onUpdate;
  }

  rows: RowSource['rows'] = (table) => this.#replica.rows(table);

  /** Resolves when the replica equals the database. Rejects with an RpcFault or MonitorFault. */
  async start(rpc: Rpc): Promise<Start> {
    const requests = requestsFor(await rpc.call('get_schema', [database]), rpc.target);
    try {
      return await this.#startSince(rpc, requests);
    } catch (error) {
      if (!isRefused(error)) throw error;
    }
    try {
      return await this.#startFull(rpc, 'monitor_cond', requests);
    } catch (error) {
      if (!isRefused(error)) throw error;
    }
    return this.#startFull(rpc, 'monitor', requests);
  }

  /** Takes a notification of the monitored connection. Throws when the replica cannot follow any more. */
  notified(method: string, params: readonly unknown[], target: string): void {
    switch (method) {
      case 'update':
        this.#deliver(() => this.#replica.apply(params[1], 'rows'));
        return;
      case 'update2':
        this.#deliver(() => this.#replica.apply(params[1], 'differences'));
        return;
      case 'update3': {
        const seen = params[1];
        if (typeof seen !== 'string') throw peerProtocol(target, 'update3 without a transaction');
        this.#deliver(() => this.#replica.apply(params[2], 'differences'));
        this.#lastTransaction = seen;
        return;
      }
      case 'monitor_canceled':
        throw peerProtocol(target, 'the server removed or converted the database');
      default:
    }
  }

  // A reply is applied while it is read: the updates that follow it in the stream build on it.
  #startSince(rpc: Rpc, requests: Requests): Promise<Start> {
    const params = [database, monitorId, requests, this.#lastTransaction];
    return started(rpc, 'monitor_cond_since', params, (result) => {
      const [found, seen, updates] = Array.isArray(result) ? (result as readonly unknown[]) : [];
      if (typeof found !== 'boolean' || typeof seen !== 'string')
        throw peerProtocol(rpc.target, 'unexpected answer to monitor_cond_since');
      this.#deliver(() =>
        found ? this.#replica.apply(updates, 'differences') : this.#replica.replace(updates, 'differences'),
      );
      this.#lastTransaction = seen;
      return found ? 'resumed' : 'full';
    });
  }

  #startFull(rpc: Rpc, method: 'monitor' | 'monitor_cond', requests: Requests): Promise<Start> {
    this.#lastTransaction = unknownTransaction;
    return started(rpc, method, [database, monitorId, requests], (result) => {
      this.#deliver(() => this.#replica.replace(result, method === 'monitor' ? 'rows' : 'differences'));
      return 'full';
    });
  }

  #deliver(apply: () => DatabaseUpdate | null): void {
    let batch: DatabaseUpdate | null;
    try {
      batch = apply();
    } catch (error) {
      // The server's view of the replica and the replica differ, so there is nothing to resume from.
      this.#lastTransaction = unknownTransaction;
      throw error;
    }
    if (batch) this.#onUpdate(batch);
  }
}

function started(
  rpc: Rpc,
  method: string,
  params: readonly unknown[],
  take: (result: unknown) => Start,
): Promise<Start> {
  return new Promise((resolve, reject) => {
    rpc.request(method, params, (fault, result) => {
      if (fault) {
        reject(fault);
        return;
      }
      try {
        resolve(take(result));
      } catch (error) {
        reject(error);
        throw error;
      }
    });
  });
}

function isRefused(error: unknown): error is Fault<RpcFault> {
  return error instanceof Fault && (error.data as { code: string }).code === 'Refused';
}

/** The followed columns that the server has, after a check of the types on which differences depend. */
function requestsFor(schema: unknown, target: string): Requests {
  const served = at(schema, 'tables');
  if (typeof served !== 'object' || served === null) throw peerProtocol(target, 'get_schema has no tables');
  const known = followedTableNames.filter((table) => at(at(served, table), 'columns') !== undefined);
  if (!known.includes('Open_vSwitch')) throw peerProtocol(target, 'not an Open_vSwitch database');
  return Object.fromEntries(
    known.map((table) => [table, [{ columns: knownColumns(table, at(at(served, table), 'columns')) }]]),
  );
}

function knownColumns(table: OvsdbTable, served: unknown): string[] {
  return [...columnsOf(table)].flatMap(([name, column]) => {
    const definition = at(served, name);
    if (definition === undefined) return [];
    const max = at(at(definition, 'type'), 'max');
    const composite = max === 'unlimited' || (typeof max === 'number' && max > 1);
    if (composite !== column.composite) {
      throw new Fault<MonitorFault>(
        { code: 'SchemaMismatch', table, column: name },
        `the server's schema has another shape for ${table}.${name}`,
      );
    }
    return [name];
  });
}

function at(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string, unknown>)[key];
}
