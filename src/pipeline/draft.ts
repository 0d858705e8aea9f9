/**
 * Draft flows, as features declare them: typed by the table's row, each with its reason. Values only.
 * Two kinds: a whole flow, and a clause of a conjunctive flow. Clauses of different rules with one match are merged,
 * because one match at one priority is one flow to the switch.
 */
import { bug } from '../base/errors.ts';
import type { NetworkKey, PortKey } from '../model/numbers.ts';
import type { Action, FieldName, FlowBody, Match } from '../openflow/index.ts';
import type { DropReason } from '../policy/drop-reasons.ts';
import type { Direction, NetworkId, PortId, RuleId } from '../policy/world.ts';
import { type ActionOf, type Loads, loads } from './actions.ts';
import type { PortField, register } from './registers.ts';
import {
  bandOf,
  type Level,
  type MatchField,
  type NextTable,
  type PassReason,
  type PlainBand,
  type TableName,
  tables,
} from './tables.ts';

interface Subject {
  readonly port?: PortId;
  readonly network?: NetworkId;
}

/** Why packets may go on, or what the switch does with them. */
export interface PassWhy extends Subject {
  readonly reason: PassReason;
  readonly rule?: RuleId;
  /** On a rule's verdict: only for packets that begin a connection. */
  readonly opens?: true;
}

/** Why packets end here. Drops are counted by reason, port, direction and protocol. */
export interface DropWhy extends Subject {
  readonly reason: DropReason;
  /** Which way the packet went, as the guest sees it. */
  readonly drop: Direction;
  /** On drops that no rule admits: the protocol's usual name, or `other`. */
  readonly protocol?: string;
}

/** Why a flow is there. */
export type Provenance = { readonly stage: TableName } & (
  | (PassWhy & { readonly drop?: undefined; readonly protocol?: undefined })
  | (DropWhy & { readonly rule?: undefined; readonly opens?: undefined })
);

export interface Conjunction {
  readonly id: number;
  readonly clause: number;
  readonly of: number;
}

interface Place {
  readonly table: number;
  readonly priority: number;
  readonly match: Match;
  readonly why: Provenance;
}
export type Draft = Place & ({ readonly body: FlowBody } | { readonly conjunction: Conjunction });

export type MatchIn<T extends TableName> = Pick<Match, MatchField<T>>;
/** A match with no field that its table's row does not name (spread objects escape the usual check). */
type Only<T extends TableName, M> = M & {
  readonly [F in Exclude<keyof M, MatchField<T>>]: never;
} & NdWithCode<M> &
  Keyed<M>;
type NdField = Extract<FieldName, `nd_${string}`>;
/**
 * A field of neighbour discovery is matched together with ICMPv6 code 0, as RFC 4861 demands of the packet. Open
 * vSwitch up to 2.17.8, 3.0.5, 3.1.3 and 3.2.1 gives a kernel datapath the mask of these fields only when the code
 * is matched exactly; without it the megaflow holds for every target.
 */
type NdWithCode<M> = keyof M & NdField extends never ? unknown : { readonly icmpv6_code: 0 };

/** Ports of different networks may share a key, so a port is matched in its network only. */
type Keyed<M> = keyof M & PortField extends never
  ? unknown
  : { readonly [F in keyof M & PortField]: PortKey } & { readonly [register.network]: NetworkKey };

/** A flow goes on at a table or does something. Packets end by `drop` and `end` alone. */
export type Then<T extends TableName> =
  | { readonly load?: Loads<T>; readonly actions?: readonly ActionOf<T>[]; readonly goto: NextTable<T> }
  | {
      readonly load?: Loads<T>;
      readonly actions: readonly ActionOf<T>[];
      readonly goto?: undefined;
    };

export type Priority<T extends TableName> = PlainBand<T> | Level<T>;

function priorityOf<T extends TableName>(table: T, at: Priority<T>): number {
  const { band: name, level } = typeof at === 'object' ? at : { band: at, level: 0 };
  const band = bandOf(table, name);
  const [lowest, highest] = typeof band === 'number' ? [band, band] : (band ?? [0, -1]);
  const priority = lowest + level;
  return level >= 0 && priority <= highest ? priority : bug(`${table} has no priority ${level} in ${name}`);
}

function whole<T extends TableName>(
  table: T,
  at: Priority<T>,
  match: Match,
  body: FlowBody,
  why: PassWhy | DropWhy,
): Draft {
  // One literal: in Node 20 each object that begins by a spread has a hidden class of its own, and flows are kept.
  return {
    table: tables[table].id,
    priority: priorityOf(table, at),
    match,
    body,
    why: { stage: table, ...why },
  };
}

export function flow<T extends TableName, M extends MatchIn<T>>(
  table: T,
  at: Priority<NoInfer<T>>,
  match: Only<T, M>,
  then: Then<NoInfer<T>>,
  why: PassWhy,
): Draft {
  const actions: Action[] = [...loads(then.load), ...(then.actions ?? [])];
  const next = then.goto;
  const body: FlowBody = next === undefined ? { actions } : { actions, goto: tables[next].id };
  return whole(table, at, match, body, why);
}

/** An explicit end, counted by reason. `actions` un-wildcard fields; a drop does nothing else. */
export function drop<T extends TableName, M extends MatchIn<T>>(
  table: T,
  at: Priority<NoInfer<T>>,
  match: Only<T, M>,
  why: DropWhy,
  actions: readonly ActionOf<NoInfer<T>>[] = [],
): Draft {
  return whole(table, at, match, { actions }, why);
}

/** Ends a copy that has no receiver. Not a drop: no packet is lost. */
export function end<T extends TableName, M extends MatchIn<T>>(
  table: T,
  at: Priority<NoInfer<T>>,
  match: Only<T, M>,
  why: PassWhy,
): Draft {
  return whole(table, at, match, { actions: [] }, why);
}

export function clause<T extends TableName, M extends MatchIn<T>>(
  table: T,
  at: Priority<NoInfer<T>>,
  match: Only<T, M>,
  conjunction: Conjunction,
): Draft {
  const why: Provenance = { stage: table, reason: 'clause' };
  return { table: tables[table].id, priority: priorityOf(table, at), match, conjunction, why };
}
