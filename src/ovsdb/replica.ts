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
  type RowSource,
} from './schema.ts';

export type ReplicaFault = { readonly code: 'BadUpdate'; readonly table: string };

type AnyRow = Readonly<Record<string, unknown>>;
interface AnyChange {
  readonly uuid: string;
  readonly old: AnyRow | null;
  readonly row: AnyRow | null;
}
type Json = Readonly<Record<string, unknown>>;

/** `rows`: RFC 7047's old and new rows. `differences`: one of initial, insert, delete, modify a row. */
export type Dialect = 'rows' | 'differences';

export class Replica implements RowSource {
  readonly #tables = new Map<OvsdbTable, Map<string, AnyRow>>(
    followedTableNames.map((name) => [name, new Map()]),
  );

  rows<T extends OvsdbTable>(table: T): ReadonlyMap<string, OvsdbRow<T>> {
    return this.#table(table) as ReadonlyMap<string, unknown> as ReadonlyMap<string, OvsdbRow<T>>;
  }

  /** Applies an update; null when it changed nothing. Throws `BadUpdate` or `BadColumn`. */
  apply(updates: unknown, dialect: Dialect): DatabaseUpdate | null {
    return this.#commit((table) => {
      const held = this.#table(table);
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
      const held = this.#table(table);
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

  #table(name: OvsdbTable): Map<string, AnyRow> {
    return this.#tables.get(name) ?? new Map();
  }

  #commit(changesOf: (table: OvsdbTable) => readonly AnyChange[]): DatabaseUpdate | null {
    const changes = followedTableNames.map((table) => [table, changesOf(table)] as const);
    if (changes.every(([, rows]) => rows.length === 0)) return null;
    for (const [table, rows] of changes) {
      const held = this.#table(table);
      for (const { uuid, row } of rows) {
        if (row) held.set(uuid, row);
        else held.delete(uuid);
      }
    }
    return Object.fromEntries(changes) as unknown as DatabaseUpdate;
  }
}

function changeOf(table: OvsdbTable, uuid: string, old: AnyRow | null, row: AnyRow | null): AnyChange[] {
  if (!old && !row) return [];
  if (old && row) {
    let same = true;
    for (const [name, column] of columnsOf(table)) same &&= column.same(old[name], row[name]);
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

function fromRows(table: OvsdbTable, update: Json): AnyRow | null {
  return update.new === undefined || update.new === null ? null : decodeRow(table, update.new, null);
}

function fromDifference(table: OvsdbTable, old: AnyRow | null, update: Json): AnyRow | null {
  if (Object.hasOwn(update, 'delete')) return null;
  if (Object.hasOwn(update, 'modify')) {
    if (!old) throw badUpdate(table, 'an absent row is modified');
    return decodeRow(table, update.modify, old);
  }
  if (Object.hasOwn(update, 'insert')) return decodeRow(table, update.insert, null);
  if (Object.hasOwn(update, 'initial')) return decodeRow(table, update.initial, null);
  throw badUpdate(table, 'an update of no known kind');
}

function decodeRow(table: OvsdbTable, raw: unknown, old: AnyRow | null): AnyRow {
  if (!isObject(raw)) throw badUpdate(table, 'a row is not an object');
  const row: Record<string, unknown> = {};
  for (const [name, column] of columnsOf(table)) row[name] = decodeColumn(column, raw, name, old);
  return row;
}

function decodeColumn(column: Column<unknown>, raw: Json, name: string, old: AnyRow | null): unknown {
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
