/**
 * The kinds of OVSDB columns that the agent reads. Each kind decodes the wire form (RFC 7047, section 5.1)
 * and knows how a difference applies to it (ovsdb-server(7), update2). Values are immutable. Sets are sorted
 * arrays without duplicates, so equal sets compare equal.
 */
import { Fault } from '../base/errors.ts';

export type ColumnFault = { readonly code: 'BadColumn'; readonly wanted: string };

export interface Column<T> {
  /** The value of a row that does not mention the column. */
  readonly initial: T;
  /**
   * The column may hold more than one element. A difference then lists the elements that only one of old and
   * new has.
   */
  readonly composite: boolean;
  /** Throws `BadColumn`. */
  decode(raw: unknown): T;
  merge(old: T, difference: T): T;
  same(a: T, b: T): boolean;
}

function bad(wanted: string): Fault<ColumnFault> {
  return new Fault<ColumnFault>({ code: 'BadColumn', wanted }, `column is not ${wanted}`);
}

type Atom<T> = (raw: unknown) => T;

const stringAtom: Atom<string> = (raw) => {
  if (typeof raw !== 'string') throw bad('a string');
  return raw;
};
const integerAtom: Atom<number> = (raw) => {
  if (typeof raw !== 'number' || !Number.isSafeInteger(raw)) throw bad('an integer');
  return raw;
};
const booleanAtom: Atom<boolean> = (raw) => {
  if (typeof raw !== 'boolean') throw bad('a boolean');
  return raw;
};
const uuidAtom: Atom<string> = (raw) => {
  if (!Array.isArray(raw) || raw.length !== 2 || raw[0] !== 'uuid' || typeof raw[1] !== 'string')
    throw bad('a uuid');
  return raw[1];
};

/** The members of `["set", [...]]`; a set of one may be the bare atom. */
function members(raw: unknown): readonly unknown[] {
  if (!Array.isArray(raw) || raw[0] !== 'set') return [raw];
  const [, inner] = raw as readonly unknown[];
  if (raw.length !== 2 || !Array.isArray(inner)) throw bad('a set');
  return inner;
}

function scalar<T>(atom: Atom<T>, initial: T): Column<T> {
  return {
    initial,
    composite: false,
    decode: atom,
    merge: (_old, next) => next,
    same: (a, b) => a === b,
  };
}

function optional<T>(atom: Atom<T>): Column<T | null> {
  return {
    initial: null,
    composite: false,
    decode: (raw) => {
      const all = members(raw);
      if (all.length > 1) throw bad('at most one value');
      return all.length === 0 ? null : atom(all[0]);
    },
    merge: (_old, next) => next,
    same: (a, b) => a === b,
  };
}

function setOf(atom: Atom<string>): Column<readonly string[]> {
  return {
    initial: [],
    composite: true,
    decode: (raw) => [...new Set(members(raw).map(atom))].sort(),
    merge: (old, difference) => {
      const held = new Set(old);
      for (const value of difference) if (!held.delete(value)) held.add(value);
      return [...held].sort();
    },
    same: (a, b) => a.length === b.length && a.every((value, i) => value === b[i]),
  };
}

export type TextMap = ReadonlyMap<string, string>;

function decodeMap(raw: unknown): TextMap {
  const [tag, pairs] = Array.isArray(raw) ? (raw as readonly unknown[]) : [];
  if (tag !== 'map' || !Array.isArray(pairs)) throw bad('a map');
  const map = new Map<string, string>();
  for (const pair of pairs as readonly unknown[]) {
    if (!Array.isArray(pair) || pair.length !== 2) throw bad('a map');
    map.set(stringAtom(pair[0]), stringAtom(pair[1]));
  }
  return map;
}

export const textColumn = scalar(stringAtom, '');
export const integer = scalar(integerAtom, 0);
export const booleanColumn = scalar(booleanAtom, false);
export const optionalText = optional(stringAtom);
export const optionalInteger = optional(integerAtom);
export const texts = setOf(stringAtom);
export const uuids = setOf(uuidAtom);
export const textMap: Column<TextMap> = {
  initial: new Map(),
  composite: true,
  decode: decodeMap,
  merge: (old, difference) => {
    const held = new Map(old);
    for (const [key, value] of difference) {
      if (held.get(key) === value) held.delete(key);
      else held.set(key, value);
    }
    return held;
  },
  same: (a, b) => a.size === b.size && [...a].every(([key, value]) => b.get(key) === value),
};
