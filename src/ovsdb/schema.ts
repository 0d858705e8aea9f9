/**
 * The tables and columns of the Open_vSwitch database that the agent follows, one line a column. Row types
 * derive from this. A column that a server's schema lacks reads as its initial value.
 */
import {
  booleanColumn,
  type Column,
  integer,
  optionalInteger,
  optionalText,
  textColumn,
  textMap,
  texts,
  uuids,
} from './column.ts';

export const database = 'Open_vSwitch';

export const followedTables = {
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
    name: textColumn,
    ports: uuids,
    controller: uuids,
    datapath_type: textColumn,
    datapath_id: optionalText,
    datapath_version: textColumn,
    fail_mode: optionalText,
    protocols: texts,
    external_ids: textMap,
    other_config: textMap,
  },
  Port: {
    name: textColumn,
    interfaces: uuids,
    tag: optionalInteger,
    external_ids: textMap,
    other_config: textMap,
  },
  Interface: {
    name: textColumn,
    type: textColumn,
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
    target: textColumn,
    is_connected: booleanColumn,
    role: optionalText,
  },
} as const satisfies Record<string, Record<string, Column<unknown>>>;

export type OvsdbTable = keyof typeof followedTables;
export const followedTableNames = Object.keys(followedTables) as readonly OvsdbTable[];

type ValueOf<C> = C extends Column<infer V> ? V : never;
export type OvsdbRow<T extends OvsdbTable> = {
  readonly [C in keyof (typeof followedTables)[T]]: ValueOf<(typeof followedTables)[T][C]>;
};

/** A row by its UUID before and after the change; null where the row did not or does not exist. */
export interface RowChange<T extends OvsdbTable> {
  readonly uuid: string;
  readonly old: OvsdbRow<T> | null;
  readonly row: OvsdbRow<T> | null;
}

/** The changes of one transaction, with an entry for every table. */
export type DatabaseUpdate = { readonly [T in OvsdbTable]: readonly RowChange<T>[] };

/** The rows that are held, by UUID. */
export interface RowSource {
  rows<T extends OvsdbTable>(table: T): ReadonlyMap<string, OvsdbRow<T>>;
}

/** Columns without their types, for code that treats all tables alike. */
export function columnsOf(table: OvsdbTable): ReadonlyMap<string, Column<unknown>> {
  return columnMaps.get(table) ?? new Map();
}

const columnMaps: ReadonlyMap<OvsdbTable, ReadonlyMap<string, Column<unknown>>> = new Map(
  followedTableNames.map((table) => [
    table,
    new Map<string, Column<unknown>>(Object.entries(followedTables[table])),
  ]),
);
