/**
 * Rows of one resource in memory, by id in order of creation, with the secondary indexes that reads and uniqueness
 * checks need. Knows nothing of the store.
 */
export interface Shown {
  readonly body: Readonly<Record<string, unknown>>;
  /** `body` as JSON, once somebody needed it. */
  text: string | null;
}

export interface Row<R> {
  readonly key: string;
  record: R;
  modRevision: number;
  /** What readers see of it; null until asked for, and again after it or what it shows changed. */
  shown: Shown | null;
}

/** The values under which a record is found; several or none are fine. */
export type IndexOf<R> = (record: R) => readonly string[];

export class Table<R extends { readonly id: string }, I extends string> {
  readonly #rows = new Map<string, Row<R>>();
  readonly #indexes: readonly {
    readonly name: I;
    readonly of: IndexOf<R>;
    readonly rows: Map<string, Set<Row<R>>>;
  }[];

  constructor(indexes: Readonly<Record<I, IndexOf<R>>>) {
    this.#indexes = (Object.entries(indexes) as [I, IndexOf<R>][]).map(([name, of]) => ({
      name,
      of,
      rows: new Map(),
    }));
  }

  get(id: string): Row<R> | undefined {
    return this.#rows.get(id);
  }

  all(): Iterable<Row<R>> {
    return this.#rows.values();
  }

  by(index: I, value: string): ReadonlySet<Row<R>> {
    return this.#indexes.find(({ name }) => name === index)?.rows.get(value) ?? nothing;
  }

  /** Returns the record that it replaces. */
  put(key: string, record: R, modRevision: number): R | null {
    const row = this.#rows.get(record.id);
    if (row === undefined) {
      const added: Row<R> = { key, record, modRevision, shown: null };
      this.#rows.set(record.id, added);
      for (const index of this.#indexes)
        for (const value of index.of(record)) enter(index.rows, value, added);
      return null;
    }
    const before = row.record;
    for (const index of this.#indexes) {
      const old = index.of(before);
      const now = index.of(record);
      for (const value of old) if (!now.includes(value)) leave(index.rows, value, row);
      for (const value of now) if (!old.includes(value)) enter(index.rows, value, row);
    }
    row.record = record;
    row.modRevision = modRevision;
    row.shown = null;
    return before;
  }

  delete(id: string): R | null {
    const row = this.#rows.get(id);
    if (row === undefined) return null;
    this.#rows.delete(id);
    for (const index of this.#indexes)
      for (const value of index.of(row.record)) leave(index.rows, value, row);
    return row.record;
  }

  /** Something that the row shows has changed outside its record. */
  outdate(id: string): void {
    const row = this.#rows.get(id);
    if (row !== undefined) row.shown = null;
  }
}

const nothing: ReadonlySet<never> = new Set();

function enter<T>(map: Map<string, Set<T>>, value: string, row: T): void {
  const set = map.get(value);
  if (set === undefined) map.set(value, new Set([row]));
  else set.add(row);
}

function leave<T>(map: Map<string, Set<T>>, value: string, row: T): void {
  const set = map.get(value);
  set?.delete(row);
  if (set?.size === 0) map.delete(value);
}
