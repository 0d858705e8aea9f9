/**
 * The core of a resource whose records are the rows of one table: finding, listing, showing, creating one by one.
 * A subclass knows what its records require and what other records depend on them.
 */
import type { AttributeTable, DraftOf } from '../../model/attribute.ts';
import { type MissingCode, type MissingFault, missing } from '../../model/missing.ts';
import type { Verbs } from '../../model/policy.ts';
import type { Taggable } from '../../model/records.ts';
import type { Birth, Owned } from '../../model/standard-attributes.ts';
import { tagsOf } from '../../model/tags.ts';
import { type Filters, rowsById, rowsByIndex } from '../http/filters.ts';
import { type Capabilities, type Context, ownerOf, type Resource } from '../http/resource.ts';
import { isEverywhere } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { Row, Table } from '../state/table.ts';
import { shareables } from './shareables.ts';
import { isOpenTo } from './sharing.ts';

export abstract class StoredResource<
  R extends Owned & Taggable,
  T extends AttributeTable,
  Index extends string = never,
> implements Resource<R, T>
{
  abstract readonly name: string;
  abstract readonly collection: string;
  abstract readonly path: string;
  abstract readonly table: T;
  abstract readonly verbs: Verbs;
  protected abstract readonly missingCode: MissingCode;
  protected abstract readonly rowsIn: (state: State) => Table<R, Index>;
  readonly capabilities: Capabilities<R, T> = {};
  protected readonly context: Context;
  /** The indexes that answer filters, by attribute, the narrowest first. */
  protected readonly indexes: Readonly<Record<string, Index>> = {};
  /** The index by the parent's id, where only the parent's owner sees everything that belongs to it. */
  protected readonly ofParent: Index | null = null;

  constructor(context: Context) {
    this.context = context;
  }

  protected abstract createOne(
    change: Change,
    draft: DraftOf<T>,
    birth: Birth,
    caller: Caller,
    created: readonly R[],
  ): R;
  abstract remove(change: Change, row: Row<R>, caller: Caller): void;

  protected get state(): State {
    return this.context.view.state;
  }

  /** For capabilities: RBAC policies share it. */
  protected readonly byPolicies = {
    isShared: (record: R, project: string): boolean => isOpenTo(this.state, record, project),
  };

  find(id: string): Row<R> | undefined {
    return this.rowsIn(this.state).get(id);
  }

  candidates(filters: Filters, caller: Caller): Iterable<Row<R>> {
    const rows = this.rowsIn(this.state);
    let found = rowsById(filters, (id) => rows.get(id));
    for (const [attribute, index] of Object.entries(this.indexes))
      found ??= rowsByIndex(filters, attribute, (value) => rows.by(index, value));
    return (
      found ??
      rowsByIndex(filters, 'project_id', (project) => rows.of(project)) ??
      this.#visible(rows, caller)
    );
  }

  #visible(rows: Table<R, Index>, caller: Caller): Iterable<Row<R>> {
    const { parent } = this.capabilities;
    if (parent === undefined || this.ofParent === null || isEverywhere(this.verbs.read, caller))
      return rows.all();
    const own = new Set(rows.of(caller.project));
    for (const { record } of shareables[parent.type].rowsIn(this.state).of(caller.project))
      for (const row of rows.by(this.ofParent, record.id)) own.add(row);
    return own;
  }

  missing(id: string): MissingFault {
    return missing(this.missingCode, id);
  }

  show(record: R, reader: Caller): Readonly<Record<string, unknown>> {
    const { tags, sharing } = this.capabilities;
    return {
      ...Object.fromEntries(Object.entries(record)),
      tenant_id: record.project_id,
      ...(tags === undefined ? {} : { tags: tagsOf(record) }),
      ...(sharing === undefined ? {} : { shared: sharing.isShared(record, reader.project) }),
    };
  }

  create(change: Change, drafts: readonly DraftOf<T>[], caller: Caller): readonly R[] {
    const created: R[] = [];
    for (const draft of drafts)
      created.push(this.createOne(change, draft, this.birthOf(change, draft, caller), caller, created));
    return created;
  }

  protected birthOf(change: Change, draft: { readonly project_id?: unknown }, caller: Caller): Birth {
    return { id: this.context.newId(), project: ownerOf(draft, caller), now: change.now };
  }

  write(change: Change, before: Row<R>, after: R): void {
    change.put(before.key, after);
  }
}
