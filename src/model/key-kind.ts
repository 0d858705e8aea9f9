/**
 * A key kind: one kind of key in the store. The layout says how a key is built and parsed; the reader says which type the
 * value has. Knows no kind in particular; `keys.ts` lists them. Must not read a store.
 */

import { isObject } from './checks.ts';
import { refuseNewerRecord } from './schema-version.ts';

/** `record`: JSON. `mark`: exists exactly while a record requires it. `note`: text that stands for itself. */
type Holds = 'record' | 'mark' | 'note';

/** The part of Portcullis that creates such keys. */
export type KeyWriter = 'server' | 'agent';

/** The names in a layout, in order. */
type NamesIn<L extends string> = L extends `${infer First}/${infer Rest}`
  ? [...NameIn<First>, ...NamesIn<Rest>]
  : NameIn<L>;
type NameIn<S extends string> = S extends `:${infer Name}` | `*${infer Name}` ? [Name] : [];

type Strings<Names extends readonly string[]> = { [I in keyof Names]: string };

/** The named parts of a key. */
export type Parts<L extends string> = { readonly [Name in NamesIn<L>[number]]: string };
export type AnyParts = Readonly<Record<string, string>>;

export interface Kind<R, P extends AnyParts = AnyParts> {
  /**
   * `ports/:network/:id`: `:name` stands for one part of the key. `*project` stands for all the rest, because the
   * id of a project may contain slashes. No layout varies in its first part.
   */
  readonly layout: string;
  readonly holds: Holds;
  readonly writer: KeyWriter;
  /** All keys of the kind begin so. */
  readonly prefix: string;
  /** Null for a key of another kind. */
  readonly parse: (key: string) => P | null;
  /** Throws where a record is no JSON object, and `NewerRecord`. That the object is such a record is the writer's promise. */
  readonly read: Reader<R>;
}

/** Called with the parts in the layout's order, a kind builds a key. */
export interface KeyKind<R, L extends string> extends Kind<R, Parts<L>> {
  (...parts: Strings<NamesIn<L>>): string;
  /** The prefix of the keys that begin with these parts. */
  readonly under: (...parts: readonly string[]) => string;
}

export const recordsAt = <R, L extends string>(layout: L, read: Reader<R>, writer: KeyWriter) =>
  kindAt(layout, 'record', read, writer);
export const marksAt = <L extends string>(layout: L) => kindAt(layout, 'mark', text, 'server');
export const notesAt = <L extends string>(layout: L, writer: KeyWriter = 'server') =>
  kindAt(layout, 'note', text, writer);

type Reader<R> = (value: string) => R;

export const jsonOf =
  <R>(): Reader<R> =>
  (value) => {
    const record: unknown = JSON.parse(value);
    if (!isObject(record)) throw new TypeError('the value is no JSON object');
    refuseNewerRecord(record);
    return record as R;
  };

const text: Reader<string> = (value) => value;

function kindAt<R, L extends string>(
  layout: L,
  holds: Holds,
  read: Reader<R>,
  writer: KeyWriter,
): KeyKind<R, L> {
  const segments = layout.split('/');
  const pattern = new RegExp(`^${segments.map(patternOf).join('/')}$`);
  const under = (...parts: readonly string[]): string => {
    const left = [...parts];
    let key = '';
    for (const [at, segment] of segments.entries()) {
      const part = isName(segment) ? left.shift() : segment;
      if (part === undefined) break;
      key += at === segments.length - 1 ? part : `${part}/`;
    }
    return key;
  };
  return Object.assign((...parts: readonly string[]) => under(...parts), {
    layout,
    holds,
    writer,
    prefix: under(),
    under,
    parse: (key: string) => {
      const match = pattern.exec(key);
      return match === null ? null : ({ ...match.groups } as Parts<L>);
    },
    read,
  });
}

const isName = (segment: string): boolean => /^[:*]/.test(segment);

const patternOf = (segment: string): string =>
  isName(segment) ? `(?<${segment.slice(1)}>${segment.startsWith(':') ? '[^/]+' : '.+'})` : segment;
