/**
 * Subnets: attribute table, and what a record says of its addresses. The rules of one subnet are in subnet-rules.ts, its
 * siblings and ports are the API's matter.
 */
import { type Cidr, cidr, type Family, formatCidr, parseCidr } from '../net/cidr.ts';
import { nameserverList, poolList, routeList, toNameservers, toPools, toRoutes } from './address-lists.ts';
import type { AttributeTable, DraftOf, PatchOf } from './attribute.ts';
import {
  ipAddress,
  ipSubnet,
  nullTo,
  oneOf,
  orNull,
  toBoolean,
  toCanonicalIp,
  toInteger,
  uuid,
} from './checks.ts';
import { invalidInput } from './faults.ts';
import { gatewayMacAttribute } from './isolation.ts';
import type { Verbs } from './policy.ts';
import { pythonText } from './python-text.ts';
import type { SubnetRecord } from './records.ts';
import { arrayOf, cidrSchema, stringSchema, withSchema } from './schema.ts';
import { toServiceTypes } from './service-types.ts';
import { nameAttribute, standardAttributes } from './standard-attributes.ts';
import { tagsAttribute } from './tags.ts';

/** Callers who see the network see its subnets; the network's owner may change them. */
export const subnetVerbs: Verbs = {
  create: ['admin', 'parent-member'],
  read: ['admin', 'service', 'reader', 'parent-reader', 'shared'],
  update: ['admin', 'member', 'parent-member'],
  delete: ['admin', 'member', 'parent-member'],
};

const ipv6Modes = ['dhcpv6-stateful', 'dhcpv6-stateless', 'slaac'];

const prefixLength = withSchema({ type: 'integer', minimum: 0 }, (value: unknown): string | null =>
  Number(value) < 0 ? `'${pythonText(value)}' should be non-negative` : null,
);

const mode = {
  post: 'allowed',
  put: false,
  fallback: null,
  validate: orNull(oneOf(ipv6Modes)),
  filter: 'text',
  sort: true,
} as const;

/**
 * A prefix without host bits; a bare address is a prefix of its full length. Throws `InvalidInput`, as Neutron does
 * before it validates anything.
 */
function toPrefix(value: unknown): string {
  const prefix = typeof value === 'string' ? parseCidr(value.trim()) : null;
  if (prefix === null) return invalidInput(`${pythonText(value)} is not in a CIDR format`);
  const text = formatCidr(prefix);
  return text.includes('/') ? text : `${text}/${prefix.length}`;
}

export const subnetAttributes = {
  ...standardAttributes,
  name: nameAttribute,
  tags: tagsAttribute,
  network_id: {
    post: 'required',
    put: false,
    validate: uuid,
    filter: 'text',
    sort: true,
    about: 'The network that it is on.',
  },
  ip_version: {
    post: 'required',
    put: false,
    convert: toInteger,
    validate: oneOf([4, 6]),
    filter: 'integer',
    sort: true,
    about: 'The version of IP.',
  },
  cidr: {
    post: 'allowed',
    put: false,
    convert: toPrefix,
    validate: orNull(ipSubnet),
    type: cidrSchema,
    filter: 'text',
    sort: true,
    about: 'Its prefix; a pool has one for subnets that name none.',
  },
  gateway_ip: {
    post: 'allowed',
    put: true,
    convert: toCanonicalIp,
    validate: orNull(ipAddress),
    filter: 'text',
    sort: true,
    about: "The routers' address: the first host unless the request says; null for none.",
  },
  gateway_mac: gatewayMacAttribute,
  allocation_pools: {
    post: 'allowed',
    put: true,
    convert: toPools,
    validate: poolList,
    about:
      'Ranges that ports without a wish of their own get addresses from; all but the gateway unless the request says.',
  },
  dns_nameservers: {
    post: 'allowed',
    put: true,
    fallback: [],
    convert: toNameservers,
    validate: nameserverList,
    about: 'Name servers that hosts are told of, in this order.',
  },
  host_routes: {
    post: 'allowed',
    put: true,
    fallback: [],
    convert: toRoutes,
    validate: routeList,
    about: 'Routes that hosts are told of.',
  },
  enable_dhcp: {
    post: 'allowed',
    put: true,
    fallback: true,
    convert: toBoolean,
    filter: 'boolean',
    sort: true,
    about: 'Whether hosts get their addresses by DHCP.',
  },
  shared: {
    post: 'refused',
    put: false,
    filter: 'boolean',
    hidden: true,
    about: "Whether the reader's project may use its network though another owns it.",
  },
  service_types: {
    post: 'allowed',
    put: true,
    fallback: [],
    convert: toServiceTypes,
    type: arrayOf(stringSchema),
    about: 'The device owners whose ports choose from it; none: all.',
  },
  subnetpool_id: {
    post: 'allowed',
    put: false,
    fallback: null,
    validate: orNull(uuid),
    filter: 'text',
    sort: true,
    about: 'The pool that the prefix comes from.',
  },
  use_default_subnetpool: {
    post: 'allowed',
    put: false,
    fallback: false,
    convert: toBoolean,
    hidden: true,
    about: 'Whether the prefix is to come from the default pool.',
  },
  prefixlen: {
    post: 'allowed',
    put: false,
    convert: toInteger,
    validate: prefixLength,
    hidden: true,
    about: 'How long a prefix the pool is to give.',
  },
  ipv6_ra_mode: { ...mode, about: 'How routers announce IPv6 addresses to hosts.' },
  ipv6_address_mode: { ...mode, convert: nullTo(null), about: 'How hosts come by their IPv6 addresses.' },
} as const satisfies AttributeTable;

export type SubnetDraft = DraftOf<typeof subnetAttributes>;

/** A draft whose prefix is known, be it from a pool. */
export type PlacedSubnetDraft = SubnetDraft & { readonly cidr: string };

export type SubnetPatch = PatchOf<typeof subnetAttributes>;

const unusable = {
  4: [cidr(4, 0xe0000000n, 4), cidr(4, 0x7f000000n, 8), cidr(4, 0n, 8)],
  6: [cidr(6, 0xffn << 120n, 8), cidr(6, 1n), cidr(6, 0n)],
} as const;

/** What no subnet may overlap. */
export const unusableIn = (family: Family): readonly Cidr[] => unusable[family];

/** The parsed prefix of a subnet's record. */
export function prefixOf(subnet: Pick<SubnetRecord, 'cidr'>): Cidr {
  return parseCidr(subnet.cidr) ?? invalidInput(`Invalid CIDR ${subnet.cidr}`);
}

/** Hosts of the subnet make their own addresses from their MAC (RFC 4862), so Neutron computes the same ones. */
export function isAutoAddressed(subnet: Pick<SubnetRecord, 'ipv6_address_mode' | 'ipv6_ra_mode'>): boolean {
  // Either mode decides: modes that are both set must be equal.
  const mode = subnet.ipv6_address_mode ?? subnet.ipv6_ra_mode;
  return mode === 'slaac' || mode === 'dhcpv6-stateless';
}
