/**
 * Subnet pools: prefixes that subnets are cut from, none of them twice. Attribute table, the record of a new one, and
 * what may become of it. What is free in a pool is subnet-allocation.ts.
 */
import { covers, prefixesOf, rangesOf, rangesOverlap, without } from '../net/address-ranges.ts';
import { type Cidr, type Family, formatCidr, parseCidr, widthOf } from '../net/cidr.ts';
import type { AttributeTable, Check, DraftOf, PatchOf } from './attribute.ts';
import { ipSubnet, listOf, orNull, text, toBoolean, toInteger, uuid } from './checks.ts';
import { badRequest, refuse } from './faults.ts';
import type { Verbs } from './policy.ts';
import { pythonText } from './python-text.ts';
import type { SubnetPoolRecord } from './records.ts';
import { integerSchema, type Schema, stringSchema, withSchema } from './schema.ts';
import { type Birth, born, nameAttribute, standardAttributes } from './standard-attributes.ts';
import { tagsAttribute } from './tags.ts';

export const subnetPoolVerbs: Verbs = {
  create: ['admin', 'member'],
  read: ['admin', 'reader', 'shared'],
  update: ['admin', 'member'],
  delete: ['admin', 'member'],
};

const maxLength = text(255);
const filledText: Check<string> = withSchema({ type: 'string', pattern: '\\S', maxLength: 255 }, (value) => {
  const reason = maxLength(value);
  return reason === null && String(value).trim() === ''
    ? `'${String(value)}' Blank strings are not permitted`
    : reason;
});

const notNegative: Check = withSchema({ type: 'integer', minimum: 0 }, (value) =>
  Number(value) < 0 ? `'${pythonText(value)}' should be non-negative` : null,
);

const whole = {
  post: 'allowed',
  put: true,
  convert: toInteger,
  validate: notNegative,
  filter: 'integer',
  sort: true,
} as const;

/** Negative ones are refused. */
const numeric: Schema = {
  anyOf: [
    { type: 'integer', minimum: 0 },
    { type: 'string', pattern: '^[0-9]{1,9}$' },
  ],
};

/** Neutron shows lengths as text and takes both. */
const length = { ...whole, type: stringSchema, sent: numeric } as const;

export const subnetPoolAttributes = {
  ...standardAttributes,
  name: { ...nameAttribute, post: 'required', validate: filledText },
  tags: tagsAttribute,
  prefixes: { post: 'required', put: true, validate: listOf(ipSubnet), about: 'What subnets are cut from.' },
  ip_version: {
    post: 'refused',
    put: false,
    type: integerSchema,
    filter: 'integer',
    sort: true,
    about: 'The version of IP, which the prefixes tell.',
  },
  default_prefixlen: { ...length, about: 'The length of subnets that ask for none: the least one.' },
  min_prefixlen: { ...length, about: 'The least length that a subnet may have: 8, or 64 for IPv6.' },
  max_prefixlen: { ...length, about: 'The greatest length that a subnet may have.' },
  default_quota: {
    ...whole,
    type: { type: ['integer', 'null'] },
    sent: { type: 'integer', minimum: 0 },
    about:
      "How many addresses (IPv6: prefixes of 64) a project's subnets may have of it; 0 and null: any number.",
  },
  address_scope_id: {
    post: 'allowed',
    put: true,
    fallback: null,
    validate: orNull(uuid),
    filter: 'text',
    sort: true,
    about: 'The scope within which no other pool has its addresses.',
  },
  is_default: {
    post: 'allowed',
    put: true,
    fallback: false,
    convert: toBoolean,
    filter: 'boolean',
    sort: true,
    rights: { create: ['admin'], update: ['admin'] },
    about: 'Whether subnets that ask for the default pool are cut from it: one for each version of IP.',
  },
  shared: {
    post: 'allowed',
    put: false,
    fallback: false,
    convert: toBoolean,
    filter: 'boolean',
    sort: true,
    rights: { create: ['admin'] },
    about: "Whether the reader's project may use it though another owns it.",
  },
} as const satisfies AttributeTable;

interface Lengths {
  readonly default_prefixlen: number;
  readonly min_prefixlen: number;
  readonly max_prefixlen: number;
}

export type SubnetPoolDraft = DraftOf<typeof subnetPoolAttributes>;
export type SubnetPoolPatch = PatchOf<typeof subnetPoolAttributes>;

const leastLength = { 4: 8, 6: 64 } as const;

/** Also of lists that nobody looked at before. Throws `AddrFormatError`. */
export const parsedPrefixes = (prefixes: readonly unknown[]): readonly Cidr[] =>
  prefixes.map(
    (prefix) =>
      (typeof prefix === 'string' ? parseCidr(prefix) : null) ??
      refuse({ code: 'AddrFormatError', text: pythonText(prefix) }),
  );

/** The fewest prefixes that hold the same, in order; throws when they are none or not all of one family. */
function joined(
  prefixes: readonly Cidr[],
  expected: Family | null = null,
): { readonly family: Family; readonly prefixes: readonly string[] } {
  const [first] = prefixes;
  if (first === undefined) return refuse({ code: 'EmptySubnetPoolPrefixList' });
  const family = expected ?? first.family;
  if (prefixes.some((prefix) => prefix.family !== family)) refuse({ code: 'PrefixVersionMismatch' });
  return { family, prefixes: prefixesOf(family, rangesOf(prefixes)).map(withLength) };
}

const withLength = (prefix: Cidr): string =>
  prefix.length === widthOf(prefix.family) ? `${formatCidr(prefix)}/${prefix.length}` : formatCidr(prefix);

function checkLengths(family: Family, lengths: Lengths): void {
  const { min_prefixlen: min, max_prefixlen: max, default_prefixlen: usual } = lengths;
  const width = widthOf(family);
  const code = 'IllegalSubnetPoolPrefixBounds';
  const [least, most, none] = ['min_prefixlen', 'max_prefixlen', 'default_prefixlen'] as const;
  if (min > max) refuse({ code, bound: least, length: min, base: most, baseLength: max });
  if (max > width) refuse({ code, bound: most, length: max, base: 'ip_version_max', baseLength: width });
  if (usual < min) refuse({ code, bound: none, length: usual, base: least, baseLength: min });
  if (usual > max) refuse({ code, bound: none, length: usual, base: most, baseLength: max });
}

export function newSubnetPool(birth: Birth, draft: SubnetPoolDraft): SubnetPoolRecord {
  const { family, prefixes } = joined(parsedPrefixes(draft.prefixes));
  const min = draft.min_prefixlen ?? leastLength[family];
  const lengths = {
    min_prefixlen: min,
    max_prefixlen: draft.max_prefixlen ?? widthOf(family),
    default_prefixlen: draft.default_prefixlen ?? min,
  };
  checkLengths(family, lengths);
  return {
    ...born(birth, draft.description),
    name: draft.name,
    ip_version: family,
    prefixes,
    ...lengths,
    default_quota: draft.default_quota ?? null,
    address_scope_id: draft.address_scope_id,
    is_default: draft.is_default,
    shared: draft.shared,
  };
}

/** With other attributes; prefixes may only become more. */
export function changedSubnetPool(pool: SubnetPoolRecord, patch: SubnetPoolPatch): SubnetPoolRecord {
  if (patch.prefixes !== undefined) {
    const asked = parsedPrefixes(patch.prefixes);
    const kept = asked.filter((prefix) => prefix.family === pool.ip_version);
    if (!covers(rangesOf(kept), poolRanges(pool))) {
      refuse({
        code: 'IllegalSubnetPoolPrefixUpdate',
        message: 'Existing prefixes must be a subset of the new prefixes',
      });
    }
  }
  const prefixes =
    patch.prefixes === undefined
      ? pool.prefixes
      : joined(parsedPrefixes(patch.prefixes), pool.ip_version).prefixes;
  const after = { ...pool, ...patch, prefixes };
  checkLengths(pool.ip_version, after);
  return after;
}

export const poolRanges = (pool: Pick<SubnetPoolRecord, 'prefixes'>) =>
  rangesOf(parsedPrefixes(pool.prefixes));

/** The list that a body of `add_prefixes` or `remove_prefixes` has. */
export function prefixesOfBody(body: unknown): readonly Cidr[] {
  const list =
    typeof body === 'object' && body !== null ? (body as Record<string, unknown>)['prefixes'] : null;
  return Array.isArray(list) && list.length > 0
    ? parsedPrefixes(list)
    : badRequest('Request body contains invalid data');
}

/** With more prefixes, whether it has them already or not. */
export function withPrefixes(pool: SubnetPoolRecord, added: readonly Cidr[]): SubnetPoolRecord {
  return {
    ...pool,
    prefixes: joined([...parsedPrefixes(pool.prefixes), ...added], pool.ip_version).prefixes,
  };
}

/** Without these addresses, which none of `subnets`, all that were cut from it, may have. */
export function withoutPrefixes(
  pool: SubnetPoolRecord,
  removed: readonly Cidr[],
  subnets: readonly Cidr[],
): SubnetPoolRecord {
  const ranges = poolRanges(pool);
  const gone = rangesOf(removed.filter((prefix) => prefix.family === pool.ip_version));
  if (!rangesOverlap(ranges, gone)) return pool;
  if (rangesOverlap(rangesOf(subnets), gone)) {
    refuse({
      code: 'IllegalSubnetPoolPrefixUpdate',
      message: 'One or more the prefixes to be removed is in use by a subnet.',
    });
  }
  const rest = prefixesOf(pool.ip_version, without(ranges, gone));
  return { ...pool, prefixes: rest.map(withLength) };
}
