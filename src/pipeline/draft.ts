/**
 * How a stage says a flow: typed by its table's row, with the reason it exists. Values only.
 * Two kinds: a whole flow, and a share in a conjunctive flow, which is merged with the shares that other
 * rules have in the same match (one match at one priority is one flow to the switch).
 */
import type { NetworkKey, PortKey } from '../model/numbers.ts';
import type { Action, FieldName, FlowBody, Match } from '../openflow/index.ts';
import type { Direction, NetworkId, PortId, RuleId } from '../policy/world.ts';
import {
  type LoadField,
  type MatchField,
  type NextTable,
  register,
  type TableName,
  tables,
} from './tables.ts';
import type { Zone } from './zone.ts';

/** Why a flow is there. Drops are counted by `reason` and `port`. */
export interface Provenance {
  readonly stage: TableName;
  /** Stable, for people and metrics: `mac-spoof`, `established`, `deliver` … */
  readonly reason: string;
  readonly port?: PortId;
  readonly network?: NetworkId;
  readonly rule?: RuleId;
  /** On a rule's verdict: only for packets that begin a connection. */
  readonly opens?: true;
  /** Set on drops: which way the packet went, as the guest sees it. */
  readonly drop?: Direction;
  /** On drops for want of a rule: by its usual name, or `other`. */
  readonly protocol?: string;
}

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
 * is matched exactly; without it the cached decision holds for every target.
 */
type NdWithCode<M> = keyof M & NdField extends never ? unknown : { readonly icmpv6_code: 0 };
type PortField = typeof register.source | typeof register.destination;
/** Ports of different networks may share a key, so a port is matched in its network only. */
type Keyed<M> = keyof M & PortField extends never
  ? unknown
  : { readonly [F in keyof M & PortField]: PortKey } & { readonly [register.network]: NetworkKey };
type Why = Omit<Provenance, 'stage'>;

/** A register's new value; with a mask, only those bits of it. */
type Loaded = number | { readonly value: number; readonly mask: number };
/** Numbers of different meaning are not to be mistaken for each other. */
type LoadedInto<F, Other> = F extends PortField
  ? PortKey
  : F extends typeof register.network
    ? NetworkKey
    : F extends typeof register.zone
      ? Zone
      : Other;

export interface Then<T extends TableName> {
  readonly load?: { readonly [F in LoadField<T>]?: LoadedInto<F, Loaded> };
  readonly actions?: readonly Action[];
  readonly goto?: NextTable<T>;
}

const loads = (values: Then<TableName>['load']): Action[] =>
  Object.entries<Loaded>(values ?? {}).map(([field, loaded]) => ({
    type: 'set_field',
    field: field as (typeof register)[keyof typeof register],
    ...(typeof loaded === 'number' ? { value: loaded } : loaded),
  }));

export function flow<T extends TableName, M extends MatchIn<T>>(
  table: T,
  priority: number,
  match: Only<T, M>,
  then: Then<T>,
  why: Why,
): Draft {
  const actions = [...loads(then.load), ...(then.actions ?? [])];
  const next = then.goto;
  const body: FlowBody = next === undefined ? { actions } : { actions, goto: tables[next].id };
  return { table: tables[table].id, priority, match, body, why: { stage: table, ...why } };
}

/** An explicit, counted end. */
export function drop<T extends TableName, M extends MatchIn<T>>(
  table: T,
  priority: number,
  match: Only<T, M>,
  reason: string,
  direction: Direction,
  port?: PortId,
): Draft {
  const why = { reason, drop: direction };
  return flow(table, priority, match, {}, port === undefined ? why : { ...why, port });
}

export function clause<T extends TableName, M extends MatchIn<T>>(
  table: T,
  priority: number,
  match: Only<T, M>,
  conjunction: Conjunction,
): Draft {
  return { table: tables[table].id, priority, match, conjunction, why: { stage: table, reason: 'clause' } };
}

/**
 * One of several ways of a packet that goes to more than one receiver. In a clone, since a commit on one way
 * would leave the next without conntrack state.
 */
export function branch<T extends TableName>(
  load: { readonly [F in LoadField<T>]?: LoadedInto<F, number> },
  next: NextTable<T>,
): Action {
  const resubmit: Action = { type: 'resubmit', table: tables[next as TableName].id };
  return { type: 'clone', actions: [...loads(load), resubmit] };
}
