/**
 * A resource, as the generic router serves it: what every resource must have (the core), and capabilities that only some
 * have. `resources/stored-resource.ts` implements most of the core for records of one table.
 */
import type { AccessRule } from '../../model/access.ts';
import type { AttributeTable, DraftOf, PatchOf, RequestDraft } from '../../model/attribute.ts';
import type { ModelFault } from '../../model/faults.ts';
import type { Verbs } from '../../model/policy.ts';
import type { QuotaLimits, QuotaResource } from '../../model/quota.ts';
import type { SharedType } from '../../model/rbac-policy.ts';
import type { PairForwarding } from '../../model/records.ts';
import type { Schema } from '../../model/schema.ts';
import type { SegmentRules } from '../../model/segments.ts';
import type { Owned } from '../../model/standard-attributes.ts';
import type { Caller } from '../identity/caller.ts';
import type { AddressBook } from '../state/address-book.ts';
import type { Change } from '../state/change.ts';
import type { Committer } from '../state/committer.ts';
import type { Row } from '../state/table.ts';
import type { View } from '../state/view.ts';
import type { Filters } from './filters.ts';

/** What all resources share in one server. */
export interface Context {
  readonly view: View;
  readonly committer: Committer;
  readonly addresses: AddressBook;
  /** A fresh UUID. */
  readonly newId: () => string;
  /** Allowed pairs are single addresses of the port's own subnets. */
  readonly strictPairs: boolean;
  /** What new networks begin with. */
  readonly pairForwarding: PairForwarding;
  /** The largest packet in bytes on the links between hypervisors; the MTU of networks follows from it. */
  readonly mtu: number;
  readonly segments: SegmentRules;
  /** What projects may have that were given no limits of their own. */
  readonly quotas: QuotaLimits;
}

/** What records of a resource belong to. */
export interface Parent {
  readonly type: SharedType;
  /** The attribute that has the parent's id. */
  readonly attribute: string;
}

/** An answer that is no record. */
export type ActionAnswer = Readonly<Record<string, unknown>> | readonly unknown[];

/** What `PUT …/{id}/{verb}` does. */
export interface ResourceAction<R> {
  /** Null: the body is not read. */
  readonly body: Schema | null;
  /** Absent: the client gets the record. */
  readonly answer?: Schema;
  /** For the API document; absent: made of the verb. */
  readonly summary?: string;
  /** The attributes that a body changes; acting needs the rights to update them. Absent: none has rights of its own. */
  changes?(body: unknown): RequestDraft;
  /** The changed record, not yet written. That the row is unchanged is already a condition. */
  run(
    change: Change,
    row: Row<R>,
    body: unknown,
    caller: Caller,
  ): { readonly record: R; readonly answer?: ActionAnswer };
}

export interface Capabilities<R extends Owned, T extends AttributeTable> {
  /** The changed record, not yet written. That the row is unchanged is already a condition. */
  update?(change: Change, row: Row<R>, patch: PatchOf<T>, caller: Caller): R;
  /** By verb. */
  readonly actions?: Readonly<Record<string, ResourceAction<R>>>;
  readonly tags?: {
    /** Paths under which the tags are found beside the resource's own path. */
    readonly aliases?: readonly string[];
    /** Who may change them; absent: who may update the record. */
    readonly rule?: AccessRule;
  };
  readonly sharing?: {
    /** Whether members of the project see it as `shared`. */
    isShared(record: R, project: string): boolean;
    /** A project that only shares it gets 404 on update and 403 on actions, as in Neutron. */
    readonly concealed?: true;
  };
  readonly parent?: Parent;
  readonly quota?: {
    readonly counts: QuotaResource;
    /** Requests that create one each for the same project share a transaction. */
    readonly batched?: true;
  };
  /** Attributes that differ from the record's, for filters and order: cheaper than all of `show`. */
  readonly computed?: Readonly<Record<string, (record: R, reader: Caller) => unknown>>;
  /** `show` gives bigints for numbers that exceed what a double holds exactly. */
  readonly exact?: true;
  /** Creates what must exist before a list is right. */
  prepareList?(filters: Filters, caller: Caller): Promise<void>;
}

export interface Resource<R extends Owned, T extends AttributeTable = AttributeTable> {
  /** The key that wraps one in a body. */
  readonly name: string;
  /** The key that wraps several. */
  readonly collection: string;
  /** What follows `/v2.0/` in the URL; a sub-resource has its parent's id there as `:name`. */
  readonly path: string;
  readonly table: T;
  readonly verbs: Verbs;
  find(id: string): Row<R> | undefined;
  /** A superset of the rows that match the filters and that the caller sees. */
  candidates(filters: Filters, caller: Caller): Iterable<Row<R>>;
  missing(id: string): ModelFault;
  /** All attributes; those that the reader may not see are left out later. */
  show(record: R, reader: Caller): Readonly<Record<string, unknown>>;
  /** Plans all drafts of one request; returns the records in their order. */
  create(change: Change, drafts: readonly DraftOf<T>[], caller: Caller): readonly R[];
  /** Writes a changed record with the marks that it requires. */
  write(change: Change, before: Row<R>, after: R): void;
  /** That the row is unchanged is already a condition. */
  remove(change: Change, row: Row<R>, caller: Caller): void;
  readonly capabilities: Capabilities<R, T>;
}

/** The project that a draft is for. */
export function ownerOf(draft: { readonly project_id?: unknown }, caller: Caller): string {
  const named = draft.project_id;
  return typeof named === 'string' ? named : caller.project;
}
