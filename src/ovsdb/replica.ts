/**
 * A copy of the followed rows, updated by a database's updates in all three dialects (RFC 7047 4.1.6
 * `update`; ovsdb-server(7) `update2`, `update3`). It decodes an update whole before it applies any of it,
 * and returns one batch. Knows no connection. A wrong update throws and leaves the copy as it was.
 */
import { Fault } from '../base/errors.ts';
import type { Column } from './column.ts';
import {
  columnsOf,
  type DatabaseUpdate,
  followedTableNames,
  type OvsdbRow,
  type OvsdbTable,
  type RowChange,
  type RowSource,
} from './schema.ts';

export type ReplicaFault = { readonly code: 'BadUpdate'; readonly table: string };

type Rows = { readonly [T in OvsdbTable]: Map<string, OvsdbRow<T>> };
type Json = Readonly<Record<string, unknown>>;

/** `rows`: RFC 7047's old and new rows. `differences`: one of initial, insert, delete, modify a row. */
export type Dialect = 'rows' | 'differences';

export class Replica implements RowSource {
  readonly #rows: Rows = {
    Open_vSwitch: new Map(),
    Bridge: new Map(),
    Port: new Map(),
    Interface: new Map(),
    Controller: new Map(),
  };

  rows<T extends OvsdbTable>(table: T): ReadonlyMap<string, OvsdbRow<T>> {
    return this.#rows[table];
  }

  /** Applies an update; null when it changed nothing. Throws `BadUpdate` or `BadColumn`. */
  apply(updates: unknown, dialect: Dialect): DatabaseUpdate | null {
    return this.#commit((table) => {
      const held = this.rows(table);
      return readTable(updates, table, dialect).flatMap(([uuid, update]) => {
        const old = held.get(uuid) ?? null;
        const row = dialect === 'rows' ? fromRows(table, update) : fromDifference(table, old, update);
        return changeOf(table, uuid, old, row);
      });
    });
  }

  /** Replaces the held rows by a full copy. The batch holds only the differences; null if there are none. */
  replace(contents: unknown, dialect: Dialect): DatabaseUpdate | null {
    return this.#commit((table) => {
      const held = this.rows(table);
      const fresh = new Map(
        readTable(contents, table, dialect).map(([uuid, update]) => [
          uuid,
          dialect === 'rows' ? fromRows(table, update) : fromDifference(table, null, update),
        ]),
      );
      const gone = [...held].filter(([uuid]) => !fresh.get(uuid));
      return [
        ...gone.map(([uuid, old]) => ({ uuid, old, row: null })),
        ...[...fresh].flatMap(([uuid, row]) =>
          row ? changeOf(table, uuid, held.get(uuid) ?? null, row) : [],
        ),
      ];
    });
  }

  #commit(changesOf: <T extends OvsdbTable>(table: T) => readonly RowChange<T>[]): DatabaseUpdate | null {
    const update: DatabaseUpdate = {
      Open_vSwitch: changesOf('Open_vSwitch'),
      Bridge: changesOf('Bridge'),
      Port: changesOf('Port'),
      Interface: changesOf('Interface'),
      Controller: changesOf('Controller'),
    };
    if (followedTableNames.every((table) => update[table].length === 0)) return null;
    for (const table of followedTableNames) this.#put(table, update[table]);
    return update;
  }

  #put<T extends OvsdbTable>(table: T, changes: readonly RowChange<T>[]): void {
    const held: Map<string, OvsdbRow<T>> = this.#rows[table];
    for (const { uuid, row } of changes) {
      if (row) held.set(uuid, row);
      else held.delete(uuid);
    }
  }
}

function changeOf<T extends OvsdbTable>(
  table: T,
  uuid: string,
  old: OvsdbRow<T> | null,
  row: OvsdbRow<T> | null,
): RowChange<T>[] {
  if (!old && !row) return [];
  if (old && row) {
    const before: Json = old;
    const after: Json = row;
    let same = true;
    for (const [name, column] of columnsOf(table)) same &&= column.same(before[name], after[name]);
    if (same) return [];
  }
  return [{ uuid, old, row }];
}

function readTable(updates: unknown, table: OvsdbTable, dialect: Dialect): [string, Json][] {
  if (!isObject(updates)) throw badUpdate(table, `${dialect} without tables`);
  const rows = Object.hasOwn(updates, table) ? updates[table] : {};
  if (!isObject(rows)) throw badUpdate(table, 'rows are not an object');
  return Object.entries(rows).map(([uuid, update]) => {
    if (!isObject(update)) throw badUpdate(table, `update of ${uuid} is not an object`);
    return [uuid, update];
  });
}

function fromRows<T extends OvsdbTable>(table: T, update: Json): OvsdbRow<T> | null {
  return update.new === undefined || update.new === null ? null : decodeRow(table, update.new, null);
}

function fromDifference<T extends OvsdbTable>(
  table: T,
  old: OvsdbRow<T> | null,
  update: Json,
): OvsdbRow<T> | null {
  if (Object.hasOwn(update, 'delete')) return null;
  if (Object.hasOwn(update, 'modify')) {
    if (!old) throw badUpdate(table, 'an absent row is modified');
    return decodeRow(table, update.modify, old);
  }
  if (Object.hasOwn(update, 'insert')) return decodeRow(table, update.insert, null);
  if (Object.hasOwn(update, 'initial')) return decodeRow(table, update.initial, null);
  throw badUpdate(table, 'an update of no known kind');
}

function decodeRow<T extends OvsdbTable>(table: T, raw: unknown, old: OvsdbRow<T> | null): OvsdbRow<T> {
  if (!isObject(raw)) throw badUpdate(table, 'a row is not an object');
  const row: Record<string, unknown> = {};
  for (const [name, column] of columnsOf(table)) row[name] = decodeColumn(column, raw, name, old);
  // One entry for each column of the table, decoded by that column.
  return row as OvsdbRow<T>;
}

function decodeColumn(column: Column<unknown>, raw: Json, name: string, old: Json | null): unknown {
  if (!Object.hasOwn(raw, name)) return old ? old[name] : column.initial;
  const value = column.decode(raw[name]);
  return old ? column.merge(old[name], value) : value;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function badUpdate(table: string, reason: string): Fault<ReplicaFault> {
  return new Fault<ReplicaFault>({ code: 'BadUpdate', table }, `update of ${table}: ${reason}`);
}
