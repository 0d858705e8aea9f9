/**
 * Order, page and columns of a list: sort_key/sort_dir, limit/marker/page_reverse with links, fields.
 */
import { type AttributeTable, attributeOf } from '../../model/attribute.ts';
import { badRequest } from '../../model/faults.ts';

/** Something with attributes. */
interface Readable {
  get(attribute: string): unknown;
}

export interface Link {
  readonly rel: 'next' | 'previous';
  readonly href: string;
}

export interface Paging {
  readonly sort: readonly { readonly key: string; readonly descending: boolean }[];
  /** 0: all. */
  readonly limit: number;
  readonly marker: string | null;
  readonly reverse: boolean;
}

function parseSort(table: AttributeTable, query: URLSearchParams): Paging['sort'] {
  const names = query.getAll('sort_key').map((key) => (key === 'tenant_id' ? 'project_id' : key));
  const directions = query.getAll('sort_dir');
  if (directions.length > 0 && directions.length !== names.length) {
    badRequest('The number of sort_keys and sort_dirs must be same');
  }
  const wrong = directions.find((direction) => direction !== 'asc' && direction !== 'desc');
  if (wrong !== undefined)
    badRequest(`'${wrong}' is an invalid value for sort_dirs, valid values are 'asc' and 'desc'`);
  const invalid = names.filter((key) => attributeOf(table, key)?.sort !== true);
  if (invalid.length > 0)
    badRequest(`[${invalid.map((key) => `'${key}'`).join(', ')}] is invalid attribute for sort_keys`);
  return names.map((key, at) => ({ key, descending: directions[at] === 'desc' }));
}

function parseLimit(text: string | null): number {
  if (text === null || text === '') return 0;
  return /^\d{1,9}$/.test(text)
    ? Number(text)
    : badRequest(`limit must be an integer 0 or greater and not '${text}'`);
}

export function parsePaging(table: AttributeTable, query: URLSearchParams): Paging {
  return {
    sort: parseSort(table, query),
    limit: parseLimit(query.get('limit')),
    marker: query.get('marker'),
    reverse: (query.get('page_reverse') ?? '').toLowerCase() === 'true',
  };
}

function compare(a: unknown, b: unknown): number {
  if (a === b) return 0;
  if (a === null || a === undefined) return -1;
  if (b === null || b === undefined) return 1;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const [left, right] = [a, b].map((value) => (typeof value === 'string' ? value : JSON.stringify(value)));
  return (left ?? '') < (right ?? '') ? -1 : 1;
}

/** One page in the order asked for. An unknown marker gives none. */
export function page<T extends Readable>(items: readonly T[], paging: Paging): readonly T[] {
  const { sort, limit, marker, reverse } = paging;
  if (sort.length === 0 && limit === 0 && marker === null) return items;
  const ordered = items.toSorted((a, b) => {
    for (const { key, descending } of sort) {
      const order = compare(a.get(key), b.get(key));
      if (order !== 0) return descending ? -order : order;
    }
    // The id makes the order total, so that pages neither repeat nor miss.
    return compare(a.get('id'), b.get('id'));
  });
  let rest = ordered;
  if (marker !== null) {
    const at = ordered.findIndex((item) => item.get('id') === marker);
    if (at === -1) return [];
    rest = reverse ? ordered.slice(0, at) : ordered.slice(at + 1);
  }
  if (limit === 0) return rest;
  return reverse ? rest.slice(-limit) : rest.slice(0, limit);
}

/** Links to the neighbouring pages; `url` is the request's own. */
export function pageLinks(items: readonly Readable[], paging: Paging, url: URL): readonly Link[] {
  const { limit, reverse } = paging;
  if (limit === 0) return [];
  const link = (rel: Link['rel'], neighbour: Readable | undefined): Link => {
    const target = new URL(url);
    // Behind the last page there is none to begin at, but a way back.
    target.searchParams.delete('marker');
    if (neighbour !== undefined) target.searchParams.append('marker', String(neighbour.get('id')));
    target.searchParams.delete('page_reverse');
    if (rel === 'previous') target.searchParams.set('page_reverse', 'True');
    return { rel, href: target.href };
  };
  const links: Link[] = [];
  if (items.length >= limit || reverse) links.push(link('next', items.at(-1)));
  if (items.length >= limit || !reverse) links.push(link('previous', items[0]));
  return links;
}

/**
 * The attributes to show; null for all. openstackclient sends a Python tuple in one parameter, with names of its
 * SDK; when one of those is not ours, everything is shown so that the client finds what it looks for.
 */
export function parseFields(table: AttributeTable, query: URLSearchParams): ReadonlySet<string> | null {
  const sent = query.getAll('fields').filter((field) => field !== '');
  if (sent.length === 0) return null;
  const names = new Set<string>();
  for (const field of sent) {
    if (!/^[([]/.test(field)) {
      names.add(field);
      continue;
    }
    for (const [, name = ''] of field.matchAll(/'([^']*)'/g)) {
      if (attributeOf(table, name) === undefined && name !== 'tenant_id') return null;
      names.add(name);
    }
  }
  return names;
}
