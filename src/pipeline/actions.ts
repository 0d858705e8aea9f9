/**
 * The actions of flows, each typed by the row of the table that it stands in: an action that the row does not name does
 * not compile. The brand is not exported, so these functions are the only way to make one.
 */
import type { NetworkKey, PortKey } from '../model/numbers.ts';
import { etherTypes } from '../net/packet/ethernet.ts';
import type { Action, FieldBits, FieldName, Learn, Subfield } from '../openflow/index.ts';
import { ports, vlanPresent } from '../openflow/index.ts';
import { type PortField, type RegisterField, register } from './registers.ts';
import {
  type LearntTable,
  type LoadField,
  type LookupTable,
  type NextTable,
  type ResubmitTable,
  type RewriteField,
  type TableName,
  type TableUsing,
  type TableWithOutput,
  tables,
  type UnwildcardField,
} from './tables.ts';
import { bitsOf, type WholeField } from './whole-fields.ts';
import type { Zone } from './zone.ts';

declare const row: unique symbol;
export type ActionOf<T extends TableName> = Action & { readonly [row]: T };

const ethernetHeaderSize = 14;

const allowed = <T extends TableName>(action: Action): ActionOf<T> => action as ActionOf<T>;

/** A register's new value; with a mask, only those bits of it. */
export type Loaded = FieldBits | { readonly value: FieldBits; readonly mask: FieldBits };
/** Numbers of different meaning are not to be mistaken for each other. */
type LoadedInto<F> = F extends PortField
  ? PortKey
  : F extends typeof register.network
    ? NetworkKey
    : F extends typeof register.zone
      ? Zone
      : Loaded;
/** Fields that the row does not load are never: spread objects escape the usual check. */
export type Loads<T extends TableName> = {
  readonly [F in FieldName]?: F extends LoadField<T> ? LoadedInto<F> : never;
};

export const loads = <T extends TableName>(values: Loads<T> | undefined): ActionOf<T>[] =>
  Object.entries<Loaded | undefined>(values ?? {}).flatMap(([field, loaded]) =>
    loaded === undefined
      ? []
      : [
          allowed<T>({
            type: 'set_field',
            field: field as RegisterField,
            ...(typeof loaded === 'object' ? loaded : { value: loaded }),
          }),
        ],
  );

/** Un-wildcards a field from bit `offset` on; the flow must match what the field needs, as for any use of it. */
export function unwildcard<T extends TableName>(
  field: UnwildcardField<T> & WholeField,
  offset = 0,
): ActionOf<T> {
  const part = { field, offset, bits: bitsOf[field] - offset };
  return allowed({ type: 'move', from: part, to: part });
}

const zone: Subfield = { field: register.zone, offset: 0, bits: 16 };

/** The conntrack lookup of a packet in its network's zone. It goes on at `next` with its state known. */
export const lookUp = <T extends TableName>(next: LookupTable<T>): ActionOf<T> =>
  allowed({ type: 'ct', zone, table: tables[next as TableName].id });

/** Commits the connection; `exec` writes its record. Pieces are reassembled, and go on at `next`. */
export const commit = <T extends TableUsing<'commit'>>(
  exec: readonly Action[],
  next?: LookupTable<T>,
): ActionOf<T> =>
  allowed({
    type: 'ct',
    commit: true,
    zone,
    ...(next === undefined ? {} : { table: tables[next as TableName].id }),
    exec,
  });

export const rewrite = <T extends TableName>(field: RewriteField<T>, value: FieldBits): ActionOf<T> =>
  allowed({ type: 'set_field', field, value });

/** What an earlier lookup said of the packet is forgotten. */
export const clearConnection = <T extends TableUsing<'ct_clear'>>(): ActionOf<T> =>
  allowed({ type: 'ct_clear' });

/** The switch ends a packet whose TTL is not above 1. */
export const decrementTtl = <T extends TableUsing<'dec_ttl'>>(): ActionOf<T> => allowed({ type: 'dec_ttl' });

/** Sets a bit of a register to whether the packet, from its IP header on, is larger than an MTU. */
export const checkSize = <T extends TableUsing<'check_pkt_larger'>>(
  mtu: number,
  field: LoadField<T> & RegisterField,
  offset: number,
): ActionOf<T> => allowed({ type: 'check_pkt_larger', bytes: mtu + ethernetHeaderSize, field, offset });

/** Copies a header field into another. */
export const copyField = <T extends TableName>(
  from: FieldName,
  to: RewriteField<T>,
  bits: number,
): ActionOf<T> =>
  allowed({ type: 'move', from: { field: from, offset: 0, bits }, to: { field: to, offset: 0, bits } });

export const resubmit = <T extends TableName>(table: ResubmitTable<T>): ActionOf<T> =>
  allowed({ type: 'resubmit', table: tables[table as TableName].id });

/** What the actions do to packet, registers and conntrack state is undone behind them. */
export const clone = <T extends TableUsing<'clone'>>(actions: readonly ActionOf<T>[]): ActionOf<T> =>
  allowed({ type: 'clone', actions });

/**
 * One of several ways of a packet that goes to more than one receiver. In a clone, since a commit on one way
 * would leave the next without conntrack state.
 */
export const branch = <T extends TableUsing<'clone'>>(
  load: Loads<T>,
  next: ResubmitTable<T> & NextTable<T>,
): ActionOf<T> => clone<T>([...loads<T>(load), resubmit<T>(next)]);

export const output = <T extends TableWithOutput<'port'>>(port: number): ActionOf<T> =>
  allowed({ type: 'output', port });

/** Sends the packet back to the port that it came from. */
export const sendBack = <T extends TableWithOutput<'in_port'>>(): ActionOf<T> =>
  allowed({ type: 'output', port: ports.inPort });

export const punt = <T extends TableWithOutput<'controller'>>(
  userdata: Uint8Array,
  meter: number,
): ActionOf<T> => allowed({ type: 'controller', userdata, meter });

/** The same for packets that are limited before. */
export const puntCopy = <T extends TableWithOutput<'controller'>>(userdata: Uint8Array): ActionOf<T> =>
  allowed({ type: 'controller', userdata });

/** What an output that truncates keeps at least: an Ethernet header. */
const minTruncation = 14;

/** Makes the switch keep a clone as one. The output goes to the controller, where the switch skips it: nothing is sent. */
export const keepApart = <T extends TableWithOutput<'copy'>>(): ActionOf<T> =>
  allowed({ type: 'output_trunc', port: ports.controller, maxLen: minTruncation });

export const meter = <T extends TableUsing<'meter'>>(id: number): ActionOf<T> =>
  allowed({ type: 'meter', meter: id });

/** Makes the packet MPLS and back, which ends a megaflow here: what follows is decided anew. */
export const throughMpls = <T extends TableUsing<'mpls'>>(mpls: number, ethertype: number): ActionOf<T>[] => [
  allowed({ type: 'push_mpls', ethertype: mpls }),
  allowed({ type: 'pop_mpls', ethertype }),
];

export const popVlan = <T extends TableUsing<'vlan'>>(): ActionOf<T> => allowed({ type: 'pop_vlan' });

/** Adds an 802.1Q tag of a VLAN. */
export const pushVlan = <T extends TableUsing<'vlan'>>(vlan: number): ActionOf<T>[] => [
  allowed({ type: 'push_vlan', ethertype: etherTypes.vlan }),
  allowed({ type: 'set_field', field: 'vlan_vid', value: vlanPresent | vlan }),
];

export const learn = <T extends TableName>(into: LearntTable<T>, flow: Omit<Learn, 'table'>): ActionOf<T> =>
  allowed({ type: 'learn', learn: { ...flow, table: tables[into as TableName].id } });
