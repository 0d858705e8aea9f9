/**
 * How the switch remembers who admitted a connection: the keys of ports, each in a place of the connection's label or
 * mark. Says where the places are and what is in them; which of them a packet gets is the stage's affair.
 */
import type { PortKey } from '../model/numbers.ts';
import type { Action, Match } from '../openflow/index.ts';
import type { register } from './registers.ts';

/** 32 bits of the field. The low half of the label was the whole record once, so it stays as it was. */
export interface Place {
  readonly field: 'ct_label' | 'ct_mark';
  readonly offset: number;
}

/** Ports that sent packets like the connection's first: of its first pass, and of the latest other. */
export const originatorPlaces = [
  { field: 'ct_label', offset: 0 },
  { field: 'ct_label', offset: 64 },
] as const satisfies readonly Place[];

/** Ports that were given them: of the first pass, of another, and the latest of all others. */
export const responderPlaces = [
  { field: 'ct_label', offset: 32 },
  { field: 'ct_label', offset: 96 },
  { field: 'ct_mark', offset: 0 },
] as const satisfies readonly Place[];

const bits = 32;
const full = 0xffffffffn;

/** The connections that have a port's key in a place. */
export function names({ field, offset }: Place, key: PortKey | 0): Pick<Match, 'ct_label' | 'ct_mark'> {
  if (field === 'ct_mark') return { ct_mark: key };
  return { ct_label: { value: BigInt(key) << BigInt(offset), mask: full << BigInt(offset) } };
}

/** The connections that have nobody in a place. */
export const unnamed = (place: Place) => names(place, 0);
/** Those that have nobody of a first pass. */
export const firstPass = { ct_label: { value: 0n, mask: (1n << 64n) - 1n } } as const;

/**
 * A record that no connection has, because no port has this key. A flow that matches it makes the switch cache the
 * decision about every packet with its whole record (see whole-fields.ts).
 */
export const impossibleRecord = { ct_label: (1n << 128n) - 1n, ct_mark: Number(full) } as const;

/** Writes a port's key into a place, as part of a commit. */
export const write = (place: Place, key: typeof register.source | typeof register.destination): Action => ({
  type: 'move',
  from: { field: key, offset: 0, bits },
  to: { ...place, bits },
});

export interface Record {
  readonly label: bigint;
  readonly mark: number;
}

const keyIn = ({ label, mark }: Record, { field, offset }: Place): number =>
  field === 'ct_mark' ? mark : Number((label >> BigInt(offset)) & full);

export interface Keys {
  readonly originators: readonly number[];
  readonly responders: readonly number[];
}

/** The keys in a record, each once. */
export function keysOf(record: Record): Keys {
  const keysIn = (places: readonly Place[]): number[] => [
    ...new Set(places.map((place) => keyIn(record, place)).filter((key) => key !== 0)),
  ];
  return { originators: keysIn(originatorPlaces), responders: keysIn(responderPlaces) };
}

/** Empties the places of these keys, as part of a commit. */
export function forget(record: Record, { originators, responders }: Keys): Action[] {
  const clear = (places: readonly Place[], keys: readonly number[]): Action[] =>
    places
      .filter((place) => keys.includes(keyIn(record, place)))
      .map(({ field, offset }: Place) => {
        if (field === 'ct_mark') return { type: 'set_field', field, value: 0, mask: Number(full) };
        return { type: 'set_field', field, value: 0n, mask: full << BigInt(offset) };
      });
  return [...clear(originatorPlaces, originators), ...clear(responderPlaces, responders)];
}
