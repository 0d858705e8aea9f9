/**
 * What the generic router needs to know of a resource: its table, where its rows are, and its own rules for
 * creating, changing and removing. A new resource is one more of these.
 */
import type { Rule } from '../../model/access.ts';
import type { AttributeTable, Draft } from '../../model/attribute.ts';
import type { ModelFault } from '../../model/faults.ts';
import type { Verbs } from '../../model/policy.ts';
import type { QuotaLimits } from '../../model/quota.ts';
import type { SharedType } from '../../model/rbac-policy.ts';
import type { Schema } from '../../model/schema.ts';
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
  /** The largest packet that the cloud carries, in bytes: no network may have more, and it has this without a wish. */
  readonly mtu: number;
  /** What projects may have that were given no limits of their own. */
  readonly quotas: QuotaLimits;
}

/** What records of a resource hang on, and the attribute that has its id. */
export interface Parent {
  readonly type: SharedType;
  readonly attribute: string;
}

/** What is told other than a record. */
export type Answer = Readonly<Record<string, unknown>> | readonly unknown[];

/** What `PUT …/{id}/{name}` does where the client is told something else than the record. */
export interface Dealing<R> {
  /** What the client sends, and what it is told. */
  readonly body: Schema;
  readonly answer: Schema;
  /** The changed record, not yet written, and the answer. The row's being unchanged is already a condition. */
  deal(
    change: Change,
    row: Row<R>,
    body: unknown,
    caller: Caller,
  ): { readonly record: R; readonly answer: Answer };
}

export interface Resource<R extends Owned> {
  /** The key that wraps one in a body. */
  readonly name: string;
  /** The key that wraps several. */
  readonly collection: string;
  /** The last part of the URL. */
  readonly path: string;
  readonly table: AttributeTable;
  readonly verbs: Verbs;
  /** Paths under which its tags are found beside its own. */
  readonly tagAliases?: readonly string[];
  /** With whom it is only shared is told that there is none to update, as in Neutron; of actions, that they are not his. */
  readonly concealed?: true;
  /** Who may tag it; absent: who may update it. */
  readonly tagging?: Rule;
  readonly parent?: Parent;
  find(id: string): Row<R> | undefined;
  /** Rows among which all are that match the filters and that the caller sees. */
  candidates(filters: Filters, caller: Caller): Iterable<Row<R>>;
  missing(id: string): ModelFault;
  /** All of it; what the reader may not see is left out later. */
  show(record: R, reader: Caller): Record<string, unknown>;
  /** Attributes that take more than the record and less than all that `show` does. */
  readonly computed?: Readonly<Record<string, (record: R, reader: Caller) => unknown>>;
  /** Whether the record shows otherwise to readers of this project than to those of most: `shared`. */
  readonly isShared?: (record: R, project: string) => boolean;
  /** `show` gives bigints for numbers that may be larger than others can be. */
  readonly exact?: true;
  /** Attributes of the record that `show` replaces. */
  readonly replaced?: ReadonlySet<string>;
  /** Plans all drafts of one request; returns the records in their order. */
  create(change: Change, drafts: readonly Draft[], caller: Caller): readonly R[];
  /** What creating one contends for: requests of one lane share a transaction. Absent: nothing worth that. */
  lane?(draft: Draft, caller: Caller): string;
  /** The changed record, not yet written. Absent: the resource has no update. The row's being unchanged is already a condition. */
  update?(change: Change, row: Row<R>, draft: Draft, caller: Caller): R;
  /** What `PUT …/{id}/{name}` makes of the record and the request's body, by name; as `update` otherwise. */
  readonly actions?: Readonly<Record<string, (row: Row<R>, body: unknown) => R>>;
  /** What the bodies of actions are, by the same names. */
  readonly actionBodies?: Readonly<Record<string, Schema>>;
  readonly dealings?: Readonly<Record<string, Dealing<R>>>;
  /** Writes a changed record with what hangs on it; absent: the record alone. */
  write?(change: Change, before: R, after: R): void;
  /** The row's being unchanged is already a condition. */
  remove(change: Change, row: Row<R>, caller: Caller): void;
  /** What must exist before a list is right. */
  prepareList?(filters: Filters, caller: Caller): Promise<void>;
}

/** The project that a draft is for. */
export function ownerOf(draft: Draft, caller: Caller): string {
  const named = draft['project_id'];
  return typeof named === 'string' ? named : caller.project;
}
