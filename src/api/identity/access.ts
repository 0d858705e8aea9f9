/**
 * What a caller may see and change of one resource. Every request gets its rows here. A row that the caller does not see is
 * answered as if it did not exist; a change that the caller may not make is refused with the name of the rule.
 */
import type { AccessRule } from '../../model/access.ts';
import type { AttributeTable, RequestDraft } from '../../model/attribute.ts';
import { badRequest, refuse } from '../../model/faults.ts';
import { missing } from '../../model/missing.ts';
import { type AccessTarget, allows, disallowed, type Verb } from '../../model/policy.ts';
import type { Owned } from '../../model/standard-attributes.ts';
import { refuseRequest } from '../http/request-faults.ts';
import { ownerOf, type Parent, type Resource } from '../http/resource.ts';
import { isExternalTo } from '../resources/external-networks.ts';
import { shareables } from '../resources/shareables.ts';
import { isOpenTo } from '../resources/sharing.ts';
import type { State } from '../state/state.ts';
import type { Row } from '../state/table.ts';
import type { Caller } from './caller.ts';

const nothing: ReadonlySet<string> = new Set();

/** Whether a rule lets the caller do it to everything. */
export const isEverywhere = (rule: AccessRule, caller: Caller): boolean =>
  (caller.admin && rule.includes('admin')) || (caller.service && rule.includes('service'));

/** The attributes that are hidden from one kind of reader. */
export interface Visibility {
  readonly reader: Caller;
  readonly hidden: ReadonlySet<string>;
  /** Equal for readers from whom the same is hidden; 0 where nothing is hidden. */
  readonly kind: number;
}

/** For resources without attributes that are hidden from anybody. */
export const allVisible = (reader: Caller): Visibility => ({ reader, hidden: nothing, kind: 0 });

function hiddenFrom(table: AttributeTable, who: 'service' | 'other'): ReadonlySet<string> {
  const names = Object.entries(table).flatMap(([name, { rights }]) =>
    rights?.read === undefined || rights.read.some((standing) => standing === who) ? [] : [name],
  );
  return names.length === 0 ? nothing : new Set(names);
}

/** What a rule asks about a record; looked up only when a rule asks. */
class TargetOf implements AccessTarget {
  readonly project: string;
  readonly #state: State;
  readonly #record: Owned;
  readonly #parent: Parent | undefined;
  readonly #reader: string;

  constructor(state: State, record: Owned, parent: Parent | undefined, reader: string) {
    this.project = record.project_id;
    this.#state = state;
    this.#record = record;
    this.#parent = parent;
    this.#reader = reader;
  }

  get parent(): string | null {
    return this.#place?.project_id ?? null;
  }

  get shared(): boolean {
    const place = this.#place;
    return place !== undefined && isOpenTo(this.#state, place, this.#reader);
  }

  get external(): boolean {
    return isExternalTo(this.#state, this.#record.id, this.#reader);
  }

  /** The parent, or the record itself when it has none. */
  get #place(): Owned | undefined {
    if (this.#parent === undefined) return this.#record;
    const id: unknown = Reflect.get(this.#record, this.#parent.attribute);
    return shareables[this.#parent.type].rowsIn(this.#state).get(String(id))?.record;
  }
}

export class Access<R extends Owned> {
  readonly #resource: Resource<R>;
  readonly #view: { readonly state: State };
  readonly #hidden: Readonly<Record<'service' | 'other', ReadonlySet<string>>>;

  constructor(resource: Resource<R>, view: { readonly state: State }) {
    this.#resource = resource;
    this.#view = view;
    this.#hidden = {
      service: hiddenFrom(resource.table, 'service'),
      other: hiddenFrom(resource.table, 'other'),
    };
  }

  visibilityOf(reader: Caller): Visibility {
    if (reader.admin) return allVisible(reader);
    const hidden = reader.service ? this.#hidden.service : this.#hidden.other;
    if (hidden.size === 0) return allVisible(reader);
    return { reader, hidden, kind: reader.service ? 1 : 2 };
  }

  /** Whether the caller sees a record; asked once for many records. */
  visibleTo(caller: Caller): (record: R) => boolean {
    const rule = this.#resource.verbs.read;
    if (isEverywhere(rule, caller)) return () => true;
    return (record) => allows(rule, caller, this.#targetOf(record, caller));
  }

  /** The row, if it is there and seen. */
  seen(caller: Caller, id: string): Row<R> | undefined {
    const row = this.#resource.find(id);
    return row !== undefined && this.visibleTo(caller)(row.record) ? row : undefined;
  }

  /** As `seen`. Throws the resource's `missing` fault. */
  found(caller: Caller, id: string): Row<R> {
    return this.seen(caller, id) ?? this.#missing(id);
  }

  /** Throws `PolicyNotAuthorized`, or the parent's `missing` fault where the caller does not see the parent. */
  demandCreation(caller: Caller, draft: RequestDraft): void {
    const project = ownerOf(draft, caller);
    const { parent } = this.#resource.capabilities;
    if (project !== caller.project && !caller.admin && !caller.service)
      badRequest(
        "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin or advsvc privileges",
      );
    const record = { ...draft, id: '', project_id: project };
    const rules = disallowed(this.#resource, 'create', caller, this.#targetOf(record, caller), draft);
    if (rules === null) return;
    // A refusal by name would reveal a parent that the caller does not see.
    if (parent !== undefined)
      requireSeen(this.#view.state, caller, parent.type, String(draft[parent.attribute]));
    refuseRequest({ code: 'PolicyNotAuthorized', rules });
  }

  /**
   * The row that the caller may change in this way, which may be an action with a name of its own. Throws what is missing
   * or `PolicyNotAuthorized`.
   */
  toUpdate(caller: Caller, id: string, draft: RequestDraft, action?: string): Row<R> {
    const row = this.found(caller, id);
    const rules = this.#disallowed(caller, 'update', row.record, draft);
    if (rules === null) return row;
    if (action !== undefined) return refuseRequest({ code: 'PolicyNotAuthorized', rules: `rule:${action}` });
    const { capabilities, verbs } = this.#resource;
    const unshared = verbs.read.filter((standing) => standing !== 'shared');
    return capabilities.sharing?.concealed === true &&
      !allows(unshared, caller, this.#targetOf(row.record, caller))
      ? this.#missing(id)
      : refuseRequest({ code: 'PolicyNotAuthorized', rules });
  }

  /** The row whose tags the caller may change. Throws as `toUpdate` does. */
  toTag(caller: Caller, id: string): Row<R> {
    const { capabilities, collection } = this.#resource;
    const rule = capabilities.tags?.rule;
    if (rule === undefined) return this.toUpdate(caller, id, {});
    const row = this.found(caller, id);
    if (!caller.member || !allows(rule, caller, this.#targetOf(row.record, caller)))
      refuseRequest({ code: 'PolicyNotAuthorized', rules: `rule:update_${collection}_tags` });
    return row;
  }

  /** As `toUpdate`. */
  toRemove(caller: Caller, id: string): Row<R> {
    const row = this.found(caller, id);
    const rules = this.#disallowed(caller, 'delete', row.record, {});
    return rules === null ? row : refuseRequest({ code: 'PolicyNotAuthorized', rules });
  }

  #disallowed(caller: Caller, verb: Verb, record: Owned, draft: RequestDraft): string | null {
    return disallowed(this.#resource, verb, caller, this.#targetOf(record, caller), draft);
  }

  #missing(id: string): never {
    return refuse(this.#resource.missing(id));
  }

  #targetOf(record: Owned, caller: Caller): AccessTarget {
    return new TargetOf(this.#view.state, record, this.#resource.capabilities.parent, caller.project);
  }
}

/** What the generic router asks before it touches a row. A sub-resource may judge by its parent instead. */
export type Gate<R extends Owned> = Pick<
  Access<R>,
  'visibilityOf' | 'visibleTo' | 'seen' | 'found' | 'demandCreation' | 'toUpdate' | 'toRemove'
>;

/** The row of something that may be shared, if it is there and the caller sees it. */
export function seenPlace(
  state: State,
  caller: Caller,
  type: Parent['type'],
  id: string,
): Row<Owned> | undefined {
  const { rowsIn, read } = shareables[type];
  const row = rowsIn(state).get(id);
  if (row === undefined) return undefined;
  return allows(read, caller, new TargetOf(state, row.record, undefined, caller.project)) ? row : undefined;
}

/** As `seenPlace`. Throws what is missing when there is none. */
export function requireSeen(state: State, caller: Caller, type: Parent['type'], id: string): Row<Owned> {
  const row = seenPlace(state, caller, type, id);
  if (row !== undefined) return row;
  return refuse(missing(shareables[type].missing, id));
}
