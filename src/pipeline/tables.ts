/**
 * All tables of the pipeline, by name, and all pass reasons. Their rows stand with the features that own them; a flow that breaks its
 * table's row does not compile. Numbers leave gaps for tables to come. The names are set on the switch too.
 */
import { type classifyReasons, classifyTables } from './features/classify/tables.ts';
import { type deliveryReasons, deliveryTables } from './features/delivery/tables.ts';
import { type dhcpReasons, dhcpTables } from './features/dhcp/tables.ts';
import { type forwardingReasons, forwardingTables } from './features/forwarding/tables.ts';
import { type guardReasons, guardTables } from './features/guards/tables.ts';
import { type ingressGuardReasons, ingressGuardTables } from './features/ingress-guard/tables.ts';
import { type isolationReasons, isolationTables } from './features/isolation/tables.ts';
import { type moveReasons, moveTables } from './features/moves/tables.ts';
import { type ownerReasons, ownerTables } from './features/owners/tables.ts';
import { type physicalReasons, physicalTables } from './features/physical/tables.ts';
import { type qosReasons, qosTables } from './features/qos/tables.ts';
import { type recordReasons, recordTables } from './features/records/tables.ts';
import { type responderReasons, responderTables } from './features/responder/tables.ts';
import { type routingReasons, routingTables } from './features/routing/tables.ts';
import { type securityGroupReasons, securityGroupTables } from './features/security-groups/tables.ts';
import { type trackingReasons, trackingTables } from './features/tracking/tables.ts';
import { type tunnelReasons, tunnelTables } from './features/tunnels/tables.ts';
import type { Band, TableRow } from './rows.ts';

export const tables = {
  ...classifyTables,
  ...guardTables,
  ...trackingTables,
  ...securityGroupTables,
  ...dhcpTables,
  ...responderTables,
  ...qosTables,
  ...tunnelTables,
  ...ownerTables,
  ...physicalTables,
  ...forwardingTables,
  ...isolationTables,
  ...ingressGuardTables,
  ...recordTables,
  ...deliveryTables,
  ...routingTables,
  ...moveTables,
} as const satisfies Record<string, TableRow>;

/** The reasons of flows that are no drops. Those of drops are in policy/drop-reasons.ts, since the evaluator has them too. */
export type PassReason =
  | keyof typeof classifyReasons
  | keyof typeof guardReasons
  | keyof typeof trackingReasons
  | keyof typeof securityGroupReasons
  | keyof typeof dhcpReasons
  | keyof typeof responderReasons
  | keyof typeof qosReasons
  | keyof typeof tunnelReasons
  | keyof typeof ownerReasons
  | keyof typeof physicalReasons
  | keyof typeof forwardingReasons
  | keyof typeof isolationReasons
  | keyof typeof ingressGuardReasons
  | keyof typeof recordReasons
  | keyof typeof deliveryReasons
  | keyof typeof routingReasons
  | keyof typeof moveReasons;

export type TableName = keyof typeof tables;
type Row<T extends TableName> = (typeof tables)[T];

/** The values of a list in the row; never where the row has no such list. */
type Listed<T extends TableName, Key extends keyof TableRow> = T extends TableName
  ? Row<T> extends { readonly [K in Key]: readonly (infer Value)[] }
    ? Value
    : never
  : never;
/** The tables with `value` in a list of their row. */
type Listing<Key extends keyof TableRow, Value> = {
  [T in TableName]: Value extends Listed<T, Key> ? T : never;
}[TableName];

export type MatchField<T extends TableName> = Row<T>['match'][number];
export type LoadField<T extends TableName> = Listed<T, 'load'>;
export type NextTable<T extends TableName> = Extract<Listed<T, 'next'>, TableName>;
export type LookupTable<T extends TableName> = Extract<Listed<T, 'lookup'>, TableName>;
export type ResubmitTable<T extends TableName> = Extract<Listed<T, 'resubmit'>, TableName>;
export type LearntTable<T extends TableName> = Extract<Listed<T, 'learn'>, TableName>;
export type UnwildcardField<T extends TableName> = Listed<T, 'unwildcard'>;
export type RewriteField<T extends TableName> = Listed<T, 'rewrite'>;
export type TableUsing<What extends NonNullable<TableRow['uses']>[number]> = Listing<'uses', What>;
export type TableWithOutput<To extends NonNullable<TableRow['output']>[number]> = Listing<'output', To>;

type Bands<T extends TableName> = Row<T>['bands'];
type BandsOf<T extends TableName, Kind> = T extends TableName
  ? { [B in keyof Bands<T>]: Bands<T>[B] extends Kind ? B : never }[keyof Bands<T>]
  : never;
/** A band of one priority. */
export type PlainBand<T extends TableName> = BandsOf<T, number>;
/** One priority of a band that is a range, counted from its lowest. */
export interface Level<T extends TableName> {
  readonly band: BandsOf<T, readonly [number, number]>;
  readonly level: number;
}

/** The tables with a band of a name. */
export type TableWithBand<B extends string> = {
  [T in TableName]: B extends keyof Bands<T> ? T : never;
}[TableName];

export const rowOf = (table: TableName): TableRow => tables[table];
export const bandOf = (table: TableName, band: string): Band | undefined => rowOf(table).bands[band];

/** By table id: the priorities of its neutral bands. */
const neutralBands: ReadonlyMap<number, readonly Band[]> = new Map(
  Object.values<TableRow>(tables).map(({ id, bands, neutral = [] }) => [
    id,
    Object.entries(bands).flatMap(([name, band]) =>
      neutral === 'all' || neutral.includes(name) ? [band] : [],
    ),
  ]),
);

/** Whether flows of a table and a priority do not decide who may talk to whom. */
export const isNeutral = (table: number, priority: number): boolean =>
  neutralBands
    .get(table)
    ?.some((band) =>
      typeof band === 'number' ? band === priority : priority >= band[0] && priority <= band[1],
    ) === true;

/** Tables that the switch itself fills. */
export const switchOwnedTables: ReadonlySet<number> = new Set(
  Object.values<TableRow>(tables).flatMap(({ id, owner }) => (owner === 'switch' ? [id] : [])),
);

/** For the switch's own listing: table id → name. */
export const tableNames: ReadonlyMap<number, TableName> = new Map(
  (Object.keys(tables) as TableName[]).map((name) => [tables[name].id, name]),
);

const names = Object.keys(tables) as TableName[];
export const tablesWithBand = <B extends string>(band: B): readonly TableWithBand<B>[] =>
  names.filter((name): name is TableWithBand<B> => bandOf(name, band) !== undefined);
