/**
 * Attribute tables, and how a request is read by one: which attributes it may have, their defaults, conversion and
 * validation, with Neutron's texts. Rules about several attributes or other resources belong to the resource's own file.
 */

import type { AccessRule } from './access.ts';
import { badRequest } from './faults.ts';
import { pythonText } from './python-text.ts';
import type { Schema } from './schema.ts';

/** How a query parameter is compared with the attribute. An attribute without a kind has no filter. */
export type FilterKind = 'text' | 'boolean' | 'integer' | 'list' | 'fixed-ips' | 'address-pairs' | 'tags';

/** Who may set an attribute and who sees it, in addition to the resource's verbs. */
export interface Rights {
  readonly create?: AccessRule;
  readonly update?: AccessRule;
  /** Of everybody who sees the resource, only these see the attribute. */
  readonly read?: readonly ('admin' | 'service')[];
  /** The values that `create` and `update` are about; absent: all. */
  readonly values?: (value: unknown) => boolean;
  /** Rules for keys that the value, or the items of a list, may have. */
  readonly items?: Readonly<Record<string, { readonly create: AccessRule; readonly update: AccessRule }>>;
}

export interface Attribute {
  readonly post: 'required' | 'allowed' | 'refused';
  readonly put: boolean;
  /** The default at creation; without one the attribute stays out of the draft. */
  readonly fallback?: unknown;
  /** Runs before `validate`; may refuse by itself. */
  readonly convert?: (value: unknown) => unknown;
  /** The reason why the value is not acceptable, or null. */
  readonly validate?: (value: unknown) => string | null;
  readonly filter?: FilterKind;
  readonly sort?: true;
  readonly rights?: Rights;
  /** Accepted but never shown. */
  readonly hidden?: true;
  /** Shown in some cases only, to those too who may see it. */
  readonly sometimes?: true;
  /** The schema in answers; absent: it follows from the checks or the kind of filter. */
  readonly type?: Schema;
  /** The schema in requests where it differs from `type`, without null: the checks say whether null is accepted. */
  readonly sent?: Schema;
  /** One sentence on what it means, for documents. */
  readonly about?: string;
}

export type AttributeTable = Readonly<Record<string, Attribute>>;
export type RequestDraft = Readonly<Record<string, unknown>>;

/** A check that values of type V pass. `passes` exists in types only: the types of drafts follow from it. */
export type Check<V = unknown> = ((value: unknown) => string | null) & { readonly passes?: V };

type Passing<A> = A extends { readonly validate: { readonly passes?: infer V } } ? V : unknown;
type Converted<A> = A extends { readonly convert: (value: unknown) => infer V } ? V : unknown;
/** The type of an attribute's values in drafts: what its check lets pass, or else what its conversion gives. */
type ValueOf<A> = unknown extends Passing<A> ? Converted<A> : Passing<A>;

type Settled = { readonly post: 'required' } | { readonly post: 'allowed'; readonly fallback: unknown };

/** The draft of a new record, as `draftForCreate` makes it. */
export type DraftOf<T extends AttributeTable> = {
  readonly [K in keyof T as T[K] extends Settled ? K : never]: ValueOf<T[K]>;
} & {
  readonly [K in keyof T as T[K] extends Settled | { readonly post: 'refused' } ? never : K]?: ValueOf<T[K]>;
};

/** What an update asks for, as `draftForUpdate` makes it. */
export type PatchOf<T extends AttributeTable> = {
  readonly [K in keyof T as T[K] extends { readonly put: false } ? never : K]?: ValueOf<T[K]>;
};

export function attributeOf(table: AttributeTable, name: string): Attribute | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** Neutron's errors use the older name of the owner. */
const called = (name: string): string => (name === 'project_id' ? 'tenant_id' : name);

function settle(name: string, attribute: Attribute, value: unknown): unknown {
  const converted = attribute.convert === undefined ? value : attribute.convert(value);
  const reason = attribute.validate?.(converted) ?? null;
  if (reason !== null) badRequest(`Invalid input for ${called(name)}. Reason: ${reason}.`);
  return converted;
}

/** Both names of the owner mean the same; the draft knows only `project_id`. */
function withOneOwner(body: unknown, resource: string): Record<string, unknown> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return badRequest(`Invalid input for ${resource}. Reason: '${pythonText(body)}' is not a dictionary.`);
  }
  const { tenant_id: tenant, ...rest } = body as Record<string, unknown>;
  if (tenant === undefined) return rest;
  if (Object.hasOwn(rest, 'project_id') && rest['project_id'] !== tenant) {
    badRequest("'project_id' and 'tenant_id' do not match");
  }
  return { ...rest, project_id: tenant };
}

function refuseUnknown(table: AttributeTable, sent: RequestDraft): void {
  const unknown = Object.keys(sent).filter((name) => !Object.hasOwn(table, name));
  if (unknown.length > 0) badRequest(`Unrecognized attribute(s) '${unknown.join(', ')}'`);
}

/** The draft of a new resource: what was sent, converted, and defaults. */
export function draftForCreate<T extends AttributeTable>(
  table: T,
  resource: string,
  body: unknown,
): RequestDraft & DraftOf<T> {
  const sent = withOneOwner(body, resource);
  refuseUnknown(table, sent);
  // As in Neutron, before any value is checked.
  for (const [name, { post }] of Object.entries(table)) {
    if (Object.hasOwn(sent, name)) {
      if (post === 'refused') badRequest(`Attribute '${called(name)}' not allowed in POST`);
    } else if (post === 'required') {
      badRequest(`Failed to parse request. Required attribute '${name}' not specified`);
    }
  }
  const draft: Record<string, unknown> = {};
  for (const [name, attribute] of Object.entries(table)) {
    if (Object.hasOwn(sent, name)) draft[name] = settle(name, attribute, sent[name]);
    else if (Object.hasOwn(attribute, 'fallback')) draft[name] = attribute.fallback;
  }
  return draft as RequestDraft & DraftOf<T>;
}

/** What an update asks for; only attributes that were sent are in it. */
export function draftForUpdate<T extends AttributeTable>(
  table: T,
  resource: string,
  body: unknown,
): RequestDraft & PatchOf<T> {
  const sent = withOneOwner(body, resource);
  refuseUnknown(table, sent);
  const draft: Record<string, unknown> = {};
  for (const name of Object.keys(sent)) {
    if (attributeOf(table, name)?.put !== true)
      badRequest(`Cannot update read-only attribute ${called(name)}`);
  }
  for (const [name, value] of Object.entries(sent)) {
    const attribute = attributeOf(table, name);
    if (attribute !== undefined) draft[name] = settle(name, attribute, value);
  }
  return draft as RequestDraft & PatchOf<T>;
}
