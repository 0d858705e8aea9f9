/**
 * The tables and columns of the Open_vSwitch database that the agent follows, one line a column. Row types
 * derive from this. A column that a server's schema lacks reads as its initial value.
 */
import {
  type Column,
  flag,
  integer,
  optionalInteger,
  optionalText,
  text,
  textMap,
  texts,
  uuids,
} from './column.ts';

export const database = 'Open_vSwitch';

export const tables = {
  Open_vSwitch: {
    bridges: uuids,
    cur_cfg: integer,
    next_cfg: integer,
    external_ids: textMap,
    other_config: textMap,
    ovs_version: optionalText,
    datapath_types: texts,
    iface_types: texts,
  },
  Bridge: {
    name: text,
    ports: uuids,
    controller: uuids,
    datapath_type: text,
    datapath_id: optionalText,
    datapath_version: text,
    fail_mode: optionalText,
    protocols: texts,
    external_ids: textMap,
    other_config: textMap,
  },
  Port: {
    name: text,
    interfaces: uuids,
    tag: optionalInteger,
    external_ids: textMap,
    other_config: textMap,
  },
  Interface: {
    name: text,
    type: text,
    external_ids: textMap,
    options: textMap,
    ofport: optionalInteger,
    ofport_request: optionalInteger,
    mac: optionalText,
    mac_in_use: optionalText,
    mtu: optionalInteger,
    error: optionalText,
    admin_state: optionalText,
    link_state: optionalText,
  },
  Controller: {
    target: text,
    is_connected: flag,
    role: optionalText,
  },
} as const satisfies Record<string, Record<string, Column<unknown>>>;

export type TableName = keyof typeof tables;
export const tableNames = Object.keys(tables) as readonly TableName[];

type ValueOf<C> = C extends Column<infer V> ? V : never;
export type Row<T extends TableName> = {
  readonly [C in keyof (typeof tables)[T]]: ValueOf<(typeof tables)[T][C]>;
};

/** A row by its UUID before and after the change; null where the row did not or does not exist. */
export interface Change<T extends TableName> {
  readonly uuid: string;
  readonly old: Row<T> | null;
  readonly row: Row<T> | null;
}

/** The changes of one transaction, with an entry for every table. */
export type Batch = { readonly [T in TableName]: readonly Change<T>[] };

/** The rows that are held, by UUID. */
export interface RowSource {
  rows<T extends TableName>(table: T): ReadonlyMap<string, Row<T>>;
}

/** Columns without their types, for code that treats all tables alike. */
export function columnsOf(table: TableName): ReadonlyMap<string, Column<unknown>> {
  return columnMaps.get(table) ?? new Map();
}

const columnMaps: ReadonlyMap<TableName, ReadonlyMap<string, Column<unknown>>> = new Map(
  tableNames.map((table) => [table, new Map<string, Column<unknown>>(Object.entries(tables[table]))]),
);
