/**
 * Order, page and columns of a list: sort_key/sort_dir, limit/marker/page_reverse with links, fields.
 */
import { type AttributeTable, attributeOf } from '../../model/attribute.ts';
import { badRequest } from '../../model/faults.ts';
import { pythonText } from '../../model/python-text.ts';
import { refuseRequest } from './request-faults.ts';

/** The request's query. A path that begins with two slashes must not be read as a host. */
export const queryOf = ({ url }: { readonly url: string }): URLSearchParams =>
  new URL(`http://localhost${url}`).searchParams;

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
  const sent = (name: string): string[] => query.getAll(name).filter((word) => word !== '');
  const names = sent('sort_key').map((key) => (key === 'tenant_id' ? 'project_id' : key));
  const directions = sent('sort_dir');
  if (directions.length !== names.length) badRequest('The number of sort_keys and sort_dirs must be same');
  const unsortable = names.filter((key) => attributeOf(table, key)?.sort !== true);
  if (unsortable.length > 0) badRequest(`${pythonText(unsortable)} is invalid attribute for sort_keys`);
  const wrong = directions.filter((direction) => direction !== 'asc' && direction !== 'desc');
  if (wrong.length > 0)
    badRequest(`${pythonText(wrong)} is invalid value for sort_dirs, valid value is 'asc' and 'desc'`);
  return names.map((key, at) => ({ key, descending: directions[at] === 'desc' }));
}

function parseLimit(text: string): number {
  const number = /^\s*\+?\d{1,15}\s*$/.test(text) ? Number(text) : Number.NaN;
  return Number.isNaN(number) ? refuseRequest({ code: 'BadLimit', limit: text }) : number;
}

export function parsePaging(table: AttributeTable, query: URLSearchParams): Paging {
  const last = (name: string): string | undefined => query.getAll(name).at(-1);
  const limit = parseLimit(last('limit') ?? '0');
  const marker = last('marker') ?? '';
  return {
    sort: parseSort(table, query),
    limit,
    // Pages begin somewhere; without pages there is nothing to begin.
    marker: limit === 0 || marker === '' ? null : marker,
    reverse: last('page_reverse')?.toLowerCase() === 'true',
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

/**
 * One page in the order asked for. `mark` is what the marker names where that need not be among the items, since it may
 * have changed since the page that it ended. A marker that names nothing gives none.
 */
export function page<T extends Readable>(items: readonly T[], paging: Paging, mark?: Readable): readonly T[] {
  const { sort, limit, marker, reverse } = paging;
  if (sort.length === 0 && limit === 0 && marker === null && !reverse) return items;
  const inOrder = (a: Readable, b: Readable): number => {
    for (const { key, descending } of sort) {
      const order = compare(a.get(key), b.get(key));
      if (order !== 0) return descending ? -order : order;
    }
    // The id makes the order total, so that pages neither repeat nor miss.
    return compare(a.get('id'), b.get('id'));
  };
  let rest = items.toSorted(inOrder);
  if (marker !== null) {
    const end = mark ?? items.find((item) => item.get('id') === marker);
    if (end === undefined) return [];
    rest = rest.filter((item) => (reverse ? inOrder(item, end) < 0 : inOrder(item, end) > 0));
  }
  // Without pages, Neutron turns the whole list round.
  if (limit === 0) return reverse ? rest.toReversed() : rest;
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
