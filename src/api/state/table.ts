/**
 * Rows of one resource in memory, by id in order of creation, with the secondary indexes that reads and uniqueness
 * checks need. Knows nothing of the store.
 */
export interface Row<R> {
  readonly key: string;
  record: R;
  modRevision: number;
  /** Its JSON as readers see it; null until somebody asks, and after a change of anything that it shows. */
  shown: string | null;
  /** The JSON for readers from whom attributes are hidden, by kind of reader. */
  shownOtherwise: string[] | null;
}

/** The values under which the index finds a record: any number. */
export type IndexOf<R> = (record: R) => readonly string[];

export class Table<R extends { readonly id: string; readonly project_id: string }, I extends string> {
  readonly #rows = new Map<string, Row<R>>();
  readonly #projects: Rows<R> = new Map();
  readonly #indexes: readonly {
    readonly name: I;
    readonly of: IndexOf<R>;
    readonly rows: Rows<R>;
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

  /** How many are the project's. */
  countOf(project: string): number {
    return this.of(project).size;
  }

  /** The project's own. */
  of(project: string): ReadonlySet<Row<R>> {
    return rowsIn(this.#projects, project);
  }

  by(index: I, value: string): ReadonlySet<Row<R>> {
    const rows = this.#indexes.find(({ name }) => name === index)?.rows;
    return rows === undefined ? nothing : rowsIn(rows, value);
  }

  /** Returns the record that it replaces. */
  put(key: string, record: R, modRevision: number): R | null {
    const row = this.#rows.get(record.id);
    if (row === undefined) {
      const added: Row<R> = { key, record, modRevision, shown: null, shownOtherwise: null };
      this.#rows.set(record.id, added);
      enter(this.#projects, record.project_id, added);
      for (const index of this.#indexes)
        for (const value of index.of(record)) enter(index.rows, value, added);
      return null;
    }
    const before = row.record;
    if (before.project_id !== record.project_id) {
      leave(this.#projects, before.project_id, row);
      enter(this.#projects, record.project_id, row);
    }
    for (const index of this.#indexes) {
      const old = index.of(before);
      const now = index.of(record);
      for (const value of old) if (!now.includes(value)) leave(index.rows, value, row);
      for (const value of now) if (!old.includes(value)) enter(index.rows, value, row);
    }
    row.record = record;
    row.modRevision = modRevision;
    forget(row);
    return before;
  }

  delete(id: string): R | null {
    const row = this.#rows.get(id);
    if (row === undefined) return null;
    this.#rows.delete(id);
    leave(this.#projects, row.record.project_id, row);
    for (const index of this.#indexes)
      for (const value of index.of(row.record)) leave(index.rows, value, row);
    return row.record;
  }

  /** Something that the row shows has changed outside its record. */
  outdate(id: string): void {
    const row = this.#rows.get(id);
    if (row !== undefined) forget(row);
  }

  outdateAll(): void {
    for (const row of this.#rows.values()) forget(row);
  }
}

/** The names of a table's indexes. */
export type IndexNames<T> = T extends Table<infer _R, infer I> ? I : never;

function forget<R>(row: Row<R>): void {
  row.shown = null;
  row.shownOtherwise = null;
}

/** Most values belong to one row (a MAC, an address, a name). A set for each would take as much memory as the row. */
type Rows<R> = Map<string, Row<R> | Set<Row<R>>>;

const nothing: ReadonlySet<never> = new Set();

function rowsIn<R>(index: Rows<R>, value: string): ReadonlySet<Row<R>> {
  const rows = index.get(value);
  if (rows === undefined) return nothing;
  return rows instanceof Set ? rows : new Set([rows]);
}

function enter<R>(rows: Rows<R>, value: string, row: Row<R>): void {
  const there = rows.get(value);
  if (there === undefined) rows.set(value, row);
  else if (there instanceof Set) there.add(row);
  else if (there !== row) rows.set(value, new Set([there, row]));
}

function leave<R>(rows: Rows<R>, value: string, row: Row<R>): void {
  const there = rows.get(value);
  if (there === row) rows.delete(value);
  if (!(there instanceof Set)) return;
  there.delete(row);
  if (there.size === 0) rows.delete(value);
}
