/** Subnets: attribute table, and the rules of one subnet by itself (its siblings and ports are the API's matter). */
import {
  type Cidr,
  cidr,
  contains,
  type Family,
  formatCidr,
  overlaps,
  parseCidr,
  parseIp,
} from '../net/cidr.ts';
import {
  type AddressPool,
  checkGatewayOutsidePools,
  checkPools,
  defaultGateway,
  defaultPools,
  isHostAddress,
} from './address-pools.ts';
import type { AttributeTable } from './attribute.ts';
import {
  ipAddress,
  ipSubnet,
  isObject,
  nullTo,
  oneOf,
  orNull,
  toBoolean,
  toCanonicalCidr,
  toCanonicalIp,
  toInteger,
  uuid,
} from './checks.ts';
import { badRequest, invalidInput, refuse } from './faults.ts';
import type { Verbs } from './policy.ts';
import { pythonText } from './python-text.ts';
import type { SubnetRecord } from './records.ts';
import { arrayOf, cidrSchema, ipSchema, objectOf, stringSchema, tells, toldBy } from './schema.ts';
import { type Birth, born, nameAttribute, standardAttributes } from './standard-attributes.ts';
import { tagsAttribute } from './tags.ts';

/** A subnet is the network's: whoever sees the network sees it, the network's owner has the say. */
export const subnetVerbs: Verbs = {
  create: ['admin', 'parent-member'],
  read: ['admin', 'service', 'reader', 'parent-reader', 'shared'],
  update: ['admin', 'member', 'parent-member'],
  delete: ['admin', 'member', 'parent-member'],
};

const maxNameservers = 5;
const maxRoutes = 20;
const ipv6Modes = ['dhcpv6-stateful', 'dhcpv6-stateless', 'slaac'];

/** A list of objects with exactly these keys, each an address or prefix; the reason otherwise. */
function listOf(what: string, fields: Readonly<Record<string, (value: unknown) => string | null>>) {
  const properties = Object.fromEntries(
    Object.entries(fields).map(([field, check]) => [field, toldBy(check) ?? {}]),
  );
  return tells(arrayOf(objectOf(properties)), (value: unknown): string | null => {
    if (!Array.isArray(value)) return `Invalid data format for ${what}: '${pythonText(value)}'`;
    const seen = new Set<string>();
    for (const item of value) {
      if (!isObject(item)) {
        const expected = pythonText(Object.keys(fields));
        return `Invalid input. '${pythonText(item)}' must be a dictionary with keys: ${expected}`;
      }
      if (Object.keys(item).sort().join() !== Object.keys(fields).sort().join()) {
        return `Invalid data format for ${what}: '${pythonText(item)}'`;
      }
      for (const [field, check] of Object.entries(fields)) {
        const reason = check(item[field]);
        if (reason !== null) return reason;
      }
      const text = JSON.stringify(Object.keys(fields).map((field) => item[field]));
      if (seen.has(text)) return `Duplicate ${what} '${pythonText(item)}'`;
      seen.add(text);
    }
    return null;
  });
}

const nameservers = tells(arrayOf(ipSchema), (value: unknown): string | null => {
  if (!Array.isArray(value)) return `Invalid data format for nameserver: '${pythonText(value)}'`;
  for (const host of value) {
    const reason = ipAddress(host);
    if (reason !== null) return `'${pythonText(host)}' is not a valid nameserver. ${reason}`;
  }
  const twice = value.find((host, at) => value.indexOf(host) !== at);
  return twice === undefined ? null : `Duplicate nameserver '${pythonText(twice)}'`;
});

const eachIn =
  (convert: (item: unknown) => unknown) =>
  (value: unknown): unknown =>
    value === null ? [] : Array.isArray(value) ? value.map(convert) : value;

const canonicalFields =
  (converts: Readonly<Record<string, (value: unknown) => unknown>>) =>
  (item: unknown): unknown =>
    isObject(item)
      ? Object.fromEntries(Object.entries(item).map(([key, value]) => [key, converts[key]?.(value) ?? value]))
      : item;

/**
 * What device owners begin with. Neutron means `compute:` but takes whatever begins with one of its letters, and clients
 * rely on it.
 */
const ownerStart = /^(network:|neutron:|baremetal:|[compute:])/;

function toServiceTypes(value: unknown): readonly string[] {
  if (value === null) return [];
  if (!Array.isArray(value)) return badRequest('Subnet service types must be a list.');
  const types = value.map((item: unknown) => {
    if (typeof item !== 'string')
      return refuse({ code: 'InvalidInputSubnetServiceType', type: pythonText(item) });
    return ownerStart.test(item) && item.length <= 255
      ? item
      : refuse({ code: 'InvalidSubnetServiceType', type: item });
  });
  return [...new Set(types)];
}

const prefixLength = tells({ type: 'integer', minimum: 0 }, (value: unknown): string | null =>
  Number(value) < 0 ? `'${pythonText(value)}' should be non-negative` : null,
);

const eachPool = eachIn(canonicalFields({ start: toCanonicalIp, end: toCanonicalIp }));
/** Null is no list of pools; an empty one asks for the usual. */
const toPools = (value: unknown): unknown => (value === null ? value : eachPool(value));

const loopback = [cidr(4, 0x7f000000n, 8), cidr(6, 1n)];

/** Where routes lead: a prefix without host bits, with its length. */
const routeCidr = tells(cidrSchema, (value: unknown): string | null => {
  const text = typeof value === 'string' ? value : '';
  const prefix = parseCidr(text);
  if (prefix === null) return `'${pythonText(value)}' is not a valid CIDR`;
  const [address = ''] = text.split('/');
  if (!text.includes('/') || parseIp(address)?.bits !== prefix.bits) {
    const wanted = toCanonicalCidr(text.includes('/') ? text : `${text}/${prefix.length}`);
    return `'${text}' is not a recognized CIDR, '${pythonText(wanted)}' is recommended`;
  }
  return loopback.some((own) => contains(own, prefix)) ? `'${text}' is not a routable CIDR` : null;
});

const toRouteCidr = (value: unknown): unknown => (routeCidr(value) === null ? toCanonicalCidr(value) : value);

/** How routes of hosts and of routers are read, and what is wrong with them. */
export const toRoutes = eachIn(canonicalFields({ destination: toRouteCidr, nexthop: toCanonicalIp }));
export const routeList = listOf('hostroute', { destination: routeCidr, nexthop: ipAddress });

/** Those of the subnets that ports of this owner choose from, in the order of choice: what is meant for them first. */
export function subnetsFor(owner: string, subnets: readonly SubnetRecord[]): readonly SubnetRecord[] {
  const typesOf = (subnet: SubnetRecord): readonly string[] => subnet.service_types ?? [];
  const open = (subnet: SubnetRecord): boolean =>
    typesOf(subnet).length === 0 ||
    typesOf(subnet).includes(owner) ||
    (owner === 'network:dhcp' && subnet.enable_dhcp);
  return subnets
    .filter(open)
    .toSorted((a, b) => Number(typesOf(a).length === 0) - Number(typesOf(b).length === 0));
}

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
  allocation_pools: {
    post: 'allowed',
    put: true,
    convert: toPools,
    validate: listOf('IP pool', { start: ipAddress, end: ipAddress }),
    about:
      'Ranges that ports without a wish of their own get addresses from; all but the gateway unless the request says.',
  },
  dns_nameservers: {
    post: 'allowed',
    put: true,
    fallback: [],
    convert: eachIn(toCanonicalIp),
    validate: nameservers,
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

export interface SubnetDraft {
  readonly name: string;
  readonly description: string;
  readonly network_id: string;
  readonly ip_version: 4 | 6;
  /** Absent or null: a pool is to tell. */
  readonly cidr?: string | null;
  readonly subnetpool_id: string | null;
  readonly use_default_subnetpool: boolean;
  readonly prefixlen?: number;
  /** Absent: the first host address; null: none. */
  readonly gateway_ip?: string | null;
  readonly allocation_pools?: readonly AddressPool[];
  readonly dns_nameservers: readonly string[];
  readonly host_routes: SubnetRecord['host_routes'];
  readonly enable_dhcp: boolean;
  readonly ipv6_ra_mode: string | null;
  readonly ipv6_address_mode: string | null;
  readonly service_types: readonly string[];
}

/** A draft whose prefix is known, be it from a pool. */
export type PlacedSubnetDraft = SubnetDraft & { readonly cidr: string };

export type SubnetPatch = Partial<
  Pick<
    SubnetRecord,
    | 'name'
    | 'description'
    | 'gateway_ip'
    | 'allocation_pools'
    | 'dns_nameservers'
    | 'host_routes'
    | 'enable_dhcp'
    | 'service_types'
  >
>;

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
  // Whoever sends the announcements: modes that are both said agree.
  const mode = subnet.ipv6_address_mode ?? subnet.ipv6_ra_mode;
  return mode === 'slaac' || mode === 'dhcpv6-stateless';
}

function checkPrefix(draft: PlacedSubnetDraft, prefix: Cidr): void {
  checkFamily('cidr', draft.cidr, draft.ip_version);
  checkDhcp(prefix, draft.enable_dhcp);
  if (prefix.length === 0) invalidInput('0 is not allowed as CIDR prefix length');
  if (unusableIn(prefix.family).some((bad) => overlaps(bad, prefix))) {
    invalidInput(`cidr '${draft.cidr}' is a multicast, loopback or unspecified range`);
  }
}

function checkDhcp(prefix: Cidr, enabled: boolean): void {
  if (enabled && prefix.length > (prefix.family === 4 ? 30 : 126)) {
    invalidInput('Subnet has a prefix length that is incompatible with DHCP service enabled');
  }
}

/** Nothing may claim to be of another family than the subnet. */
function checkFamily(what: string, address: string, family: Family): void {
  if (parseCidr(address)?.family !== family)
    invalidInput(`${what} '${address}' does not match the ip_version '${family}'`);
}

function checkModes(draft: PlacedSubnetDraft, prefix: Cidr): void {
  const { ipv6_ra_mode: ra, ipv6_address_mode: address } = draft;
  if (ra === null && address === null) return;
  if (draft.ip_version === 4) {
    invalidInput(`${ra === null ? 'ipv6_address_mode' : 'ipv6_ra_mode'} is not valid when ip_version is 4`);
  }
  if (!draft.enable_dhcp) {
    invalidInput('ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False');
  }
  if (ra !== null && address !== null && ra !== address) {
    invalidInput(
      `ipv6_ra_mode set to '${ra}' with ipv6_address_mode set to '${address}' is not valid. ` +
        'If both attributes are set, they must be the same value',
    );
  }
  if ((ra ?? address) !== 'dhcpv6-stateful' && prefix.length !== 64) {
    invalidInput(
      `Invalid CIDR ${draft.cidr} for IPv6 address mode. ` +
        'OpenStack uses the EUI-64 address format, which requires the prefix to be /64',
    );
  }
}

function checkGateway(prefix: Cidr, gateway: string): void {
  checkFamily('gateway_ip', gateway, prefix.family);
  const address = parseIp(gateway);
  // One that is elsewhere is reached by a route of the guest's own; nothing here could tell whether it is right.
  if (address === null || (contains(prefix, address) && !isHostAddress(prefix, address))) {
    invalidInput('Gateway is not valid on subnet');
  }
}

/** What a client may set at any time: counts, families and DHCP's need for room. */
function checkServices(id: string, prefix: Cidr, subnet: SubnetRecord): void {
  checkDhcp(prefix, subnet.enable_dhcp);
  if (subnet.dns_nameservers.length > maxNameservers) {
    refuse({ code: 'DNSNameServersExhausted', subnet: id, quota: maxNameservers });
  }
  if (subnet.host_routes.length > maxRoutes) {
    refuse({ code: 'HostRoutesExhausted', subnet: id, quota: maxRoutes });
  }
  for (const server of subnet.dns_nameservers) checkFamily('dns_nameserver', server, prefix.family);
  for (const { destination, nexthop } of subnet.host_routes) {
    checkFamily('nexthop', nexthop, prefix.family);
    checkFamily('destination', destination, prefix.family);
  }
}

export function newSubnet(birth: Birth, draft: PlacedSubnetDraft): SubnetRecord {
  const prefix = prefixOf(draft);
  checkPrefix(draft, prefix);
  checkModes(draft, prefix);
  const gateway = draft.gateway_ip === undefined ? defaultGateway(prefix) : draft.gateway_ip;
  if (gateway !== null && draft.gateway_ip !== undefined) checkGateway(prefix, gateway);
  const asked = draft.allocation_pools ?? [];
  const pools = asked.length === 0 ? defaultPools(prefix, gateway) : asked;
  checkPools(pools, prefix, draft.cidr);
  if (gateway !== null) checkGatewayOutsidePools(gateway, pools);
  const subnet: SubnetRecord = {
    ...born(birth, draft.description),
    name: draft.name,
    network_id: draft.network_id,
    ip_version: draft.ip_version,
    cidr: draft.cidr,
    gateway_ip: gateway,
    enable_dhcp: draft.enable_dhcp,
    allocation_pools: pools,
    dns_nameservers: draft.dns_nameservers,
    host_routes: draft.host_routes,
    ipv6_address_mode: draft.ipv6_address_mode,
    ipv6_ra_mode: draft.ipv6_ra_mode,
    ...(draft.subnetpool_id === null ? {} : { subnetpool_id: draft.subnetpool_id }),
    ...(draft.service_types.length === 0 ? {} : { service_types: draft.service_types }),
  };
  checkServices(birth.id, prefix, subnet);
  return subnet;
}

export function changedSubnet(subnet: SubnetRecord, patch: SubnetPatch): SubnetRecord {
  const changed: SubnetRecord = { ...subnet, ...patch };
  const prefix = prefixOf(subnet);
  if (patch.allocation_pools !== undefined) checkPools(changed.allocation_pools, prefix, subnet.cidr);
  if (patch.gateway_ip !== undefined && patch.gateway_ip !== null) checkGateway(prefix, patch.gateway_ip);
  if (changed.gateway_ip !== null) checkGatewayOutsidePools(changed.gateway_ip, changed.allocation_pools);
  if ((changed.ipv6_ra_mode ?? changed.ipv6_address_mode) !== null && !changed.enable_dhcp) {
    invalidInput('Cannot disable enable_dhcp with ipv6 attributes set');
  }
  checkServices(subnet.id, prefix, changed);
  return changed;
}
