/**
 * Filters of a list request: a repeated parameter means "or", different parameters mean "and". The attribute table says
 * which attributes have filters, and of which kind.
 */
import { type Attribute, type AttributeTable, attributeOf, type FilterKind } from '../../model/attribute.ts';
import { isObject, toBoolean, toCanonicalIp } from '../../model/checks.ts';
import { badRequest, invalidInput } from '../../model/faults.ts';
import { pythonText } from '../../model/python-text.ts';
import type { Row } from '../state/table.ts';

/** `tags` is one of the attribute kinds: all of them. The others: one of them, not all, none. */
type TagFilter = 'tags-any' | 'not-tags' | 'not-tags-any';
const tagFilters: ReadonlySet<string> = new Set<TagFilter>(['tags-any', 'not-tags', 'not-tags-any']);
const isTagFilter = (name: string): name is TagFilter => tagFilters.has(name);

export interface Filter {
  readonly attribute: string;
  readonly kind: FilterKind | 'since' | TagFilter;
  readonly wanted: readonly string[];
}

export type Filters = readonly Filter[];

type Shown = Readonly<Record<string, unknown>>;
const notFilters = new Set(['fields', 'limit', 'marker', 'page_reverse', 'sort_key', 'sort_dir']);

export function parseFilters(table: AttributeTable, query: URLSearchParams): Filters {
  const filters: Filter[] = [];
  const unknown: string[] = [];
  for (const name of new Set(query.keys())) {
    if (notFilters.has(name)) continue;
    const wanted = query.getAll(name);
    const attribute = name === 'tenant_id' ? 'project_id' : name;
    if (attribute === 'changed_since') {
      if (wanted.some((value) => Number.isNaN(Date.parse(value)))) {
        invalidInput(`The value ${wanted.join(', ')} for changed_since is not a valid time`);
      }
      filters.push({ attribute: 'updated_at', kind: 'since', wanted });
      continue;
    }
    if (isTagFilter(attribute) && attributeOf(table, 'tags')?.filter !== undefined) {
      filters.push({ attribute: 'tags', kind: attribute, wanted: tagsWanted(wanted) });
      continue;
    }
    const row = attributeOf(table, attribute);
    const kind = row?.filter;
    if (row === undefined || kind === undefined) unknown.push(name);
    else filters.push({ attribute, kind, wanted: wantedAs(kind, row, wanted) });
  }
  if (unknown.length > 0) badRequest(`${pythonText(unknown)} is invalid attribute for filtering`);
  return filters;
}

/** Tags come in lists with commas. */
const tagsWanted = (wanted: readonly string[]): readonly string[] => [
  ...new Set(wanted.flatMap((list) => list.split(','))),
];

/** Converts the wanted values as requests' values are converted, so that they equal the stored ones. */
function wantedAs(kind: FilterKind, row: Attribute, wanted: readonly string[]): readonly string[] {
  switch (kind) {
    case 'boolean':
      return wanted.map((word) => String(toBoolean(word)));
    case 'integer':
    case 'text':
      return wanted.map((word) => plainText(row.convert?.(word) ?? word));
    case 'tags':
      return tagsWanted(wanted);
    case 'fixed-ips':
      return conditionsOf(wanted);
    default:
      return wanted;
  }
}

const fixedIpKeys = /^\s*(ip_address|ip_address_substr|subnet_id)\s*=/;

/** `key=value` each; as in Neutron, a flag without a value (`True`) and unknown keys are no conditions. */
function conditionsOf(wanted: readonly string[]): readonly string[] {
  if (wanted.length === 1 && wanted[0] === 'True') return [];
  const wrong = wanted.find((word) => !/^\s*[^=\s][^=]*=/.test(word));
  if (wrong === undefined) return wanted.filter((word) => fixedIpKeys.test(word));
  return invalidInput(`'${wrong}' is not of the form <key>=[value]`);
}

/** The values that one attribute must have one of; null when it is not filtered by. */
export function wantedOf(filters: Filters, attribute: string): readonly string[] | null {
  return filters.find((filter) => filter.attribute === attribute)?.wanted ?? null;
}

/** Whether one of `key=value` conditions holds for an item of a list of objects. */
function anyItem(
  value: unknown,
  wanted: readonly string[],
  holds: (item: Shown, key: string, part: string) => boolean,
): boolean {
  if (!Array.isArray(value)) return false;
  // Conditions on different keys must hold for one and the same item; equal keys are alternatives.
  const byKey = new Map<string, string[]>();
  for (const text of wanted) {
    const at = text.indexOf('=');
    const key = at === -1 ? '' : text.slice(0, at).trim();
    byKey.set(key, [...(byKey.get(key) ?? []), text.slice(at + 1).trim()]);
  }
  return value.some(
    (item) =>
      isObject(item) && [...byKey].every(([key, parts]) => parts.some((part) => holds(item, key, part))),
  );
}

const holdsFixedIp = (item: Shown, key: string, part: string): boolean => {
  if (key === 'ip_address_substr') return String(item['ip_address']).includes(part);
  if (key === 'ip_address') return item['ip_address'] === toCanonicalIp(part);
  return key === 'subnet_id' && item['subnet_id'] === part;
};

const holdsPair = (item: Shown, key: string, part: string): boolean =>
  (key === 'ip_address' || key === 'mac_address') && item[key] === part;

const holdsAny = (value: unknown, wanted: readonly string[]): boolean =>
  Array.isArray(value) && wanted.some((item) => value.includes(item));

const holdsAll = (value: unknown, wanted: readonly string[]): boolean =>
  Array.isArray(value) && wanted.every((item) => value.includes(item));

function matchesOne(value: unknown, { kind, wanted }: Filter): boolean {
  switch (kind) {
    case 'list':
      return holdsAny(value, wanted);
    case 'fixed-ips':
      return wanted.length === 0 || anyItem(value, wanted, holdsFixedIp);
    case 'address-pairs':
      return anyItem(value, wanted, holdsPair);
    case 'tags':
      return holdsAll(value, wanted);
    case 'tags-any':
      return holdsAny(value, wanted);
    case 'not-tags':
      return !holdsAll(value, wanted);
    case 'not-tags-any':
      return !holdsAny(value, wanted);
    case 'since':
      return wanted.some((time) => Date.parse(String(value)) >= Date.parse(time));
    default:
      return value !== null && value !== undefined && wanted.includes(plainText(value));
  }
}

/** Scalars as a query would spell them. */
const plainText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

export function matches(item: { get(attribute: string): unknown }, filters: Filters): boolean {
  return filters.every((filter) => matchesOne(item.get(filter.attribute), filter));
}

/** The rows that have one of the ids, or null when the request does not say. */
export function rowsById<R>(
  filters: Filters,
  find: (id: string) => Row<R> | undefined,
): Iterable<Row<R>> | null {
  const ids = wantedOf(filters, 'id');
  return ids === null ? null : [...new Set(ids)].flatMap((id) => find(id) ?? []);
}

/** The rows of an index under the filter's values, or null when the request does not filter by it. */
export function rowsByIndex<R>(
  filters: Filters,
  attribute: string,
  of: (value: string) => Iterable<Row<R>>,
): Iterable<Row<R>> | null {
  const wanted = wantedOf(filters, attribute);
  return wanted === null ? null : new Set(wanted.flatMap((value) => [...of(value)]));
}
