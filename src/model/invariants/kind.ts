/**
 * The kinds of keys in a store and what a snapshot has of each. Only shapes are known here; what must hold of the
 * records of a kind stands in the files beside this one. Must not read a store.
 */

/** A snapshot's entry, as far as its being right goes. */
export interface StoredEntry {
  readonly key: string;
  readonly value: string;
}

/** A kind of key with records of type R. The type is not there at run time. */
export interface Kind<R> {
  /**
   * `ports/:network/:id`: a name stands for one part of the key, `*project` for all the rest, since projects' ids may
   * have slashes in them.
   */
  readonly layout: string;
  /** `mark`: there because of other records alone, and its value is plain text. */
  readonly is: 'record' | 'mark';
  readonly phantom?: R;
}

export const recordsAt = <R>(layout: string): Kind<R> => ({ layout, is: 'record' });
export const marksAt = (layout: string): Kind<string> => ({ layout, is: 'mark' });

/** The named parts of a key. */
export type Parts = Readonly<Record<string, string>>;

export interface Found<R> {
  readonly key: string;
  readonly parts: Parts;
  readonly record: R;
}

interface Shape {
  readonly pattern: RegExp;
  readonly names: readonly string[];
}

function shapeOf({ layout }: Kind<unknown>): Shape {
  const names: string[] = [];
  const source = layout.split('/').map((part) => {
    if (!/^[:*]/.test(part)) return part;
    names.push(part.slice(1));
    return part.startsWith(':') ? '([^/]+)' : '(.+)';
  });
  return { pattern: new RegExp(`^${source.join('/')}$`), names };
}

function partsOf({ pattern, names }: Shape, key: string): Parts | null {
  const match = pattern.exec(key);
  return match === null ? null : Object.fromEntries(names.map((name, at) => [name, match[at + 1] ?? '']));
}

/** No layout varies in its first part. */
function firstPart(path: string): string {
  const end = path.indexOf('/');
  return end === -1 ? path : path.slice(0, end);
}

/** A snapshot, sorted by kinds. */
export class Image {
  readonly #found = new Map<Kind<unknown>, Found<unknown>[]>();
  readonly #byId = new Map<Kind<unknown>, Map<string, Found<unknown>>>();
  /** Keys of no kind, and records that are no JSON objects. */
  readonly strange: { readonly key: string; readonly problem: string }[] = [];

  constructor(kinds: readonly Kind<unknown>[], entries: Iterable<StoredEntry>) {
    const shapes = new Map<string, (Shape & { readonly kind: Kind<unknown> })[]>();
    for (const kind of kinds) {
      this.#found.set(kind, []);
      this.#byId.set(kind, new Map());
      const beside = shapes.get(firstPart(kind.layout));
      const shape = { ...shapeOf(kind), kind };
      if (beside === undefined) shapes.set(firstPart(kind.layout), [shape]);
      else beside.push(shape);
    }
    for (const entry of entries) {
      const known = (shapes.get(firstPart(entry.key)) ?? []).some((shape) => {
        const parts = partsOf(shape, entry.key);
        if (parts !== null) this.#add(shape.kind, entry, parts);
        return parts !== null;
      });
      if (!known) this.strange.push({ key: entry.key, problem: 'no such kind of key is known' });
    }
  }

  #add(kind: Kind<unknown>, { key, value }: StoredEntry, parts: Parts): void {
    const record = kind.is === 'mark' ? value : parsed(value);
    if (record === undefined) {
      this.strange.push({ key, problem: 'the value is no JSON object' });
      return;
    }
    const found = { key, parts, record };
    this.#found.get(kind)?.push(found);
    const { id } = parts;
    if (id !== undefined) this.#byId.get(kind)?.set(id, found);
  }

  all<R>(kind: Kind<R>): readonly Found<R>[] {
    return (this.#found.get(kind) ?? []) as readonly Found<R>[];
  }

  /** The record under a key that ends with the id. */
  byId<R>(kind: Kind<R>, id: string): R | undefined {
    return (this.#byId.get(kind)?.get(id) as Found<R> | undefined)?.record;
  }

  /** Whether a key of the kind belongs to it: for tests that no kind is forgotten. */
  static knows(kinds: readonly Kind<unknown>[], key: string): boolean {
    return kinds.some((kind) => partsOf(shapeOf(kind), key) !== null);
  }
}

function parsed(value: string): unknown {
  try {
    const record: unknown = JSON.parse(value);
    return typeof record === 'object' && record !== null && !Array.isArray(record) ? record : undefined;
  } catch {
    return undefined;
  }
}
