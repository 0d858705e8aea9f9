/**
 * Routers: attribute table, the record of a new one, and the rules for its routes. The API knows its ports.
 */
import { type Cidr, contains, parseIp } from '../net/cidr.ts';
import { routeList, toRoutes } from './address-lists.ts';
import type { AttributeTable, DraftOf, PatchOf } from './attribute.ts';
import { isObject, toBoolean, uuid } from './checks.ts';
import { badRequest, refuse } from './faults.ts';
import { type FixedIpDraft, fixedIps, toFixedIps } from './fixed-ips.ts';
import type { Verbs } from './policy.ts';
import { pythonText } from './python-text.ts';
import type { StandardAttributes, Taggable } from './records.ts';
import {
  arrayOf,
  booleanSchema,
  ipSchema,
  objectOf,
  orNullSchema,
  type Schema,
  schemaOf,
  uuidSchema,
  withSchema,
} from './schema.ts';
import { type Birth, born, nameAttribute, standardAttributes } from './standard-attributes.ts';
import { tagsAttribute } from './tags.ts';

export interface Route {
  readonly destination: string;
  readonly nexthop: string;
}

export interface RouterRecord extends StandardAttributes, Taggable {
  readonly name: string;
  readonly admin_state_up: boolean;
  /** Ordered by destination and next hop, each once. */
  readonly routes: readonly Route[];
  /** Source NAT to the gateway's address; true while there is no gateway. */
  readonly enable_snat: boolean;
  /** Its port on an external network. */
  readonly gateway: string | null;
  /** Its ports on other networks. A port is one router's at most. */
  readonly interfaces: readonly string[];
}

export const interfaceOwner = 'network:router_interface';
export const gatewayOwner = 'network:router_gateway';

const routerOwners: ReadonlySet<string> = new Set([
  interfaceOwner,
  'network:router_interface_distributed',
  'network:ha_router_replicated_interface',
  gatewayOwner,
  'network:router_centralized_snat',
]);

/** Whether a port claims to be a router's. The router's record has the last word. */
export const isRouterPort = ({ device_owner: owner }: { readonly device_owner: string }): boolean =>
  routerOwners.has(owner);

/** Everything that a router holds. */
export const portsOfRouter = ({ gateway, interfaces }: RouterRecord): readonly string[] =>
  gateway === null ? interfaces : [...interfaces, gateway];

/** Neutron's own limit. */
const maxRoutes = 30;

export const routerVerbs: Verbs = {
  create: ['admin', 'member'],
  read: ['admin', 'reader'],
  update: ['admin', 'member'],
  delete: ['admin', 'member'],
};

const anybody = { create: ['admin', 'member'], update: ['admin', 'member'] } as const;
const administrators = { create: ['admin'], update: ['admin'] } as const;

/** What a request says of a router's gateway. */
export interface GatewayDraft {
  readonly network_id: string;
  /** Absent: true. */
  readonly enable_snat?: boolean;
  /** Absent or empty: any, or those that the gateway has. */
  readonly external_fixed_ips?: readonly FixedIpDraft[];
}

const gatewayKeys = new Set(['network_id', 'enable_snat', 'external_fixed_ips']);

function reasonAgainst(value: Record<string, unknown>): string | null {
  const names = Object.keys(value);
  if (!Object.hasOwn(value, 'network_id')) {
    return (
      "Validation of dictionary's keys failed. " +
      `Expected keys: {'network_id'} Provided keys: {${names.map((name) => `'${name}'`).join(', ')}}`
    );
  }
  const unknown = names.filter((name) => !gatewayKeys.has(name));
  if (unknown.length > 0) return `Unexpected keys supplied: ${unknown.join(', ')}`;
  const addresses = value['external_fixed_ips'];
  const reason = uuid(value['network_id']);
  if (reason !== null || addresses === undefined) return reason;
  return fixedIps(addresses === null ? null : toFixedIps(addresses));
}

const fixedIpSchema = objectOf({ subnet_id: uuidSchema, ip_address: ipSchema });
const fixedIpWish = objectOf({ subnet_id: uuidSchema, ip_address: ipSchema }, ['subnet_id', 'ip_address']);
const gatewaySchema: Schema = orNullSchema(
  objectOf({
    network_id: uuidSchema,
    enable_snat: booleanSchema,
    external_fixed_ips: arrayOf(fixedIpSchema),
  }),
);
const gatewayWish: Schema = orNullSchema(
  objectOf({ network_id: uuidSchema, enable_snat: booleanSchema, external_fixed_ips: arrayOf(fixedIpWish) }, [
    'enable_snat',
    'external_fixed_ips',
  ]),
);

/** An empty object says the same as null. */
const toGateway = withSchema(gatewayWish, (value: unknown): GatewayDraft | null => {
  if (value === null) return null;
  const refused = (reason: string): never =>
    badRequest(`Invalid input for external_gateway_info. Reason: ${reason}.`);
  if (!isObject(value)) return refused(`'${pythonText(value)}' is not a dictionary`);
  if (Object.keys(value).length === 0) return null;
  const reason = reasonAgainst(value);
  if (reason !== null) return refused(reason);
  const { enable_snat: translates, external_fixed_ips: addresses } = value;
  return {
    network_id: String(value['network_id']),
    ...(translates === undefined ? {} : { enable_snat: toBoolean(translates) }),
    ...(addresses === undefined ? {} : { external_fixed_ips: toFixedIps(addresses) as FixedIpDraft[] }),
  };
});

const kind = {
  post: 'refused',
  put: false,
  filter: 'boolean',
  type: { type: 'boolean', enum: [false] },
} as const;

/** All routers are of the kind that Neutron has without `dvr` and `l3-ha`. Clients read these attributes. */
export const routerKind = { distributed: false, ha: false } as const;

export const routerAttributes = {
  ...standardAttributes,
  name: nameAttribute,
  admin_state_up: {
    post: 'allowed',
    put: true,
    fallback: true,
    convert: toBoolean,
    filter: 'boolean',
    sort: true,
    about: 'Whether it is meant to work.',
  },
  external_gateway_info: {
    post: 'allowed',
    put: true,
    fallback: null,
    convert: toGateway,
    type: gatewaySchema,
    sent: gatewayWish,
    rights: {
      ...anybody,
      items: {
        network_id: anybody,
        enable_snat: administrators,
        external_fixed_ips: administrators,
      },
    },
    about: 'The external network that it leads to, its addresses there, and whether it translates to them.',
  },
  routes: {
    post: 'refused',
    put: true,
    convert: toRoutes,
    validate: routeList,
    about: 'Routes beside those to its own networks; the next hops are in these.',
  },
  tags: tagsAttribute,
  status: {
    post: 'refused',
    put: false,
    type: { type: 'string', enum: ['ACTIVE'] },
    sort: true,
    about: 'That it is recorded.',
  },
  distributed: { ...kind, about: 'Whether each host routes by itself.' },
  ha: { ...kind, about: 'Whether several hosts stand by for each other.' },
} as const satisfies AttributeTable;

export type RouterDraft = DraftOf<typeof routerAttributes>;
export type RouterPatch = PatchOf<typeof routerAttributes>;

/** Without ports. */
export function newRouter(birth: Birth, draft: RouterDraft): RouterRecord {
  return {
    ...born(birth, draft.description),
    name: draft.name,
    admin_state_up: draft.admin_state_up,
    routes: [],
    enable_snat: true,
    gateway: null,
    interfaces: [],
  };
}

const textOf = (route: Route): string => `${route.destination} ${route.nexthop}`;

/** Each once, in order. */
export const orderedRoutes = (routes: readonly Route[]): readonly Route[] =>
  [...new Map(routes.map((route) => [textOf(route), route])).values()].toSorted((a, b) =>
    textOf(a) < textOf(b) ? -1 : 1,
  );

export const routesBody: Schema = objectOf({ routes: schemaOf(routeList) ?? {} });

/** The routes that a body of `add_extraroutes` or `remove_extraroutes` names. */
function routesOfBody(body: unknown): readonly Route[] {
  if (!isObject(body) || !Object.hasOwn(body, 'routes'))
    return badRequest("Failed to parse request. Required attribute 'routes' not specified");
  const routes = toRoutes(body['routes']);
  const reason = routeList(routes);
  return reason === null
    ? (routes as readonly Route[])
    : badRequest(`Invalid input for routes. Reason: ${reason}.`);
}

export const withRoutes = ({ routes }: RouterRecord, body: unknown): readonly Route[] =>
  orderedRoutes([...routes, ...routesOfBody(body)]);

/** What is not there needs no removal. */
export function withoutRoutes({ routes }: RouterRecord, body: unknown): readonly Route[] {
  const gone = new Set(routesOfBody(body).map(textOf));
  return routes.filter((route) => !gone.has(textOf(route)));
}

/** Where a router is: the prefixes of its subnets, and its own addresses. */
export interface RouterPlace {
  readonly prefixes: readonly Cidr[];
  readonly addresses: readonly string[];
}

/** Throws `RoutesExhausted`, or `InvalidRoutes` where a next hop is out of reach or the router itself. */
export function checkRoutes(router: string, routes: readonly Route[], place: RouterPlace): void {
  if (routes.length > maxRoutes) refuse({ code: 'RoutesExhausted', router, quota: maxRoutes });
  for (const { nexthop } of routes) {
    const hop = parseIp(nexthop);
    if (hop === null || !place.prefixes.some((prefix) => contains(prefix, hop)))
      refuse({ code: 'InvalidRoutes', routes, reason: 'the nexthop is not connected with router' });
    if (place.addresses.includes(nexthop))
      refuse({ code: 'InvalidRoutes', routes, reason: 'the nexthop is used by router' });
  }
}

/** Whether a route has its next hop there. */
export const leadsThrough = (routes: readonly Route[], prefix: Cidr): boolean =>
  routes.some(({ nexthop }) => {
    const hop = parseIp(nexthop);
    return hop !== null && contains(prefix, hop);
  });
