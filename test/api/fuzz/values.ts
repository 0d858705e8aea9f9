/**
 * Values for attributes: valid ones, by an attribute's name or by its table's schema, and invalid ones of
 * every kind. New attributes need no change here.
 */
import type { Attribute } from '../../../src/model/attribute.ts';
import { type Schema, schemaOf } from '../../../src/model/schema.ts';
import type { Known } from './known.ts';
import { people, projects } from './people.ts';
import type { Random } from './random.ts';

const bogus = '00000000-dead-4000-8000-000000000000';

const hostileTexts = [
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '\n',
  '\u2028',
  '\ud800',
  '😀'.repeat(130),
  '😀'.repeat(255),
  '😀'.repeat(256),
  'x'.repeat(255),
  'x'.repeat(256),
  'x'.repeat(5000),
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '*',
  '%',
  '%00',
  '../../etc/passwd',
  "' OR 1=1 --",
  '${7*7}',
  '{{7*7}}',
  'null',
  'None',
  'NaN',
  'true',
  '0x10',
  '1e3',
  '-1',
  '٣',
  '1'.repeat(40),
  bogus,
  bogus.toUpperCase(),
  bogus.replaceAll('-', ''),
  '10.0.0.5',
  '010.0.0.1',
  '10.0.0.0/33',
  '10.0.0.7/24',
  '0.0.0.0/0',
  '255.255.255.255',
  '::',
  '::ffff:10.0.0.1',
  'fe80::1%eth0',
  'ff02::1',
  '2001:db8::/129',
  'FA-16-3E-00-00-01',
  '00:00:00:00:00:00',
  'ff:ff:ff:ff:ff:ff',
  '01:00:5e:00:00:01',
];

export function hostile(random: Random, depth = 0): unknown {
  return random.weighted<() => unknown>([
    [8, () => random.pick(hostileTexts)],
    [
      4,
      () =>
        random.pick([
          0,
          -0,
          -1,
          1,
          2,
          255,
          256,
          65_535,
          65_536,
          2 ** 31,
          2 ** 53,
          1e308,
          -1e308,
          0.5,
          1e-320,
        ]),
    ],
    [2, () => random.pick([null, true, false])],
    [1, () => []],
    [1, () => ({})],
    [1, () => (depth > 3 ? null : Array.from({ length: random.below(4) }, () => hostile(random, depth + 1)))],
    [
      1,
      () =>
        depth > 3
          ? null
          : Object.fromEntries(
              Array.from({ length: random.below(4) }, () => [
                random.pick([...hostileTexts, 'id', 'ip_address', 'subnet_id', 'mac_address']),
                hostile(random, depth + 1),
              ]),
            ),
    ],
    [0.1, () => Array.from({ length: 1000 }, () => random.below(5))],
  ])();
}

const prefixes4 = [
  '10.0.0.0/24',
  '10.0.1.0/28',
  '10.0.2.0/30',
  '10.0.3.0/31',
  '192.0.2.9/32',
  '172.16.0.0/12',
];
const prefixes6 = ['2001:db8::/64', '2001:db8:1::/64', '2001:db8:2::/120', 'fd00::/8', '2001:db8:3::1/128'];
const ip4 = (random: Random): string => `10.0.${random.below(4)}.${random.below(256)}`;
const ip6 = (random: Random): string =>
  `2001:db8:${random.pick(['', '1:', '2:'])}:${random.below(0x10000).toString(16)}`;
const ip = (random: Random): string => (random.chance(0.7) ? ip4(random) : ip6(random));
const mac = (random: Random): string => `fa:16:3e:00:00:${random.below(256).toString(16).padStart(2, '0')}`;
const prefix = (random: Random): string => random.pick(random.chance(0.6) ? prefixes4 : prefixes6);
const portNumber = (random: Random): unknown => random.pick([null, 1, 22, 80, 443, 8, 0, 255, 65_535, '80']);
const list = (random: Random, most: number, item: () => unknown): unknown[] =>
  Array.from({ length: random.below(most + 1) }, item);

type Pool = (random: Random, known: Known, project: string) => unknown;

/** By the attribute's name. */
const pools: Readonly<Record<string, Pool>> = {
  name: (random) =>
    random.pick(['', 'a', 'b', 'web', 'Default', 'default', 'ünïcödé', `n${random.below(50)}`]),
  description: (random) => random.pick(['', 'words', 'd'.repeat(255), '😀'.repeat(255)]),
  project_id: (random, _known, project) => (random.chance(0.8) ? project : random.pick(projects)),
  target_tenant: (random) => random.pick([...projects, '*', 'nobody']),
  cidr: (random) => prefix(random),
  ip_version: (random) => random.pick([4, 4, 6, '4']),
  gateway_ip: (random) => random.pick([null, ip(random), '10.0.0.1', '10.0.0.254', 'fe80::1']),
  allocation_pools: (random) =>
    list(random, 2, () => {
      const first = random.below(200) + 2;
      return { start: `10.0.0.${first}`, end: `10.0.0.${Math.min(254, first + random.below(20))}` };
    }),
  dns_nameservers: (random) => list(random, 3, () => ip(random)),
  host_routes: (random) => list(random, 2, () => ({ destination: prefix(random), nexthop: ip4(random) })),
  service_types: (random) => random.some(['compute:nova', 'network:dhcp', 'network:router_interface'], 2),
  ipv6_ra_mode: (random) => random.pick([null, null, 'slaac', 'dhcpv6-stateful', 'dhcpv6-stateless']),
  ipv6_address_mode: (random) => random.pick([null, null, 'slaac', 'dhcpv6-stateful', 'dhcpv6-stateless']),
  mac_address: (random) => random.pick([mac(random), mac(random), null]),
  ip_address: (random) => ip(random),
  fixed_ips: (random, known, project) =>
    list(random, 3, () =>
      random.weighted<() => unknown>([
        [3, () => ({ subnet_id: known.id(random, 'subnet', project) })],
        [2, () => ({ ip_address: ip(random) })],
        [2, () => ({ subnet_id: known.id(random, 'subnet', project), ip_address: ip(random) })],
      ])(),
    ),
  security_groups: (random, known, project) => {
    const ids = list(random, 3, () => known.id(random, 'security_group', project));
    return random.chance(0.95) ? [...new Set(ids)] : ids;
  },
  allowed_address_pairs: (random) =>
    list(random, 3, () => ({
      ip_address: random.chance(0.3) ? prefix(random) : ip(random),
      ...(random.chance(0.4) ? { mac_address: mac(random) } : {}),
    })),
  device_owner: (random) =>
    random.pick([
      '',
      'compute:nova',
      'compute:nova',
      'network:dhcp',
      'network:router_interface',
      'network:router_gateway',
      'network:distributed',
      'baremetal:none',
    ]),
  device_id: (random) => random.pick(['', 'vm-1', 'vm-2', bogus]),
  external_gateway_info: (random, known, project) =>
    random.chance(0.2)
      ? null
      : {
          network_id: known.id(random, 'network', random.chance(0.5) ? project : random.pick(projects)),
          ...(random.chance(0.2) ? { enable_snat: random.chance(0.5) } : {}),
          ...(random.chance(0.2) ? { external_fixed_ips: [{ ip_address: ip(random) }] } : {}),
        },
  routes: (random) => list(random, 2, () => ({ destination: prefix(random), nexthop: ip(random) })),
  extra_dhcp_opts: (random) =>
    list(random, 2, () => ({
      opt_name: random.pick(['mtu', 'router', 'tftp-server']),
      opt_value: random.pick(['1', '', null, 'text']),
      ...(random.chance(0.3) ? { ip_version: random.pick([4, 6, '6']) } : {}),
    })),
  'binding:host_id': (random) => random.pick(['', 'host-1', 'host-2', null]),
  'binding:profile': (random) => random.pick([{}, null, { a: 1 }, { local_link_information: [{}] }]),
  mtu: (random) => random.pick([1500, 1280, 1279, 68, 67, 1, 9000, 0, null]),
  tags: (random) => random.some(['red', 'green', 'blue', 'a,b', ' ', 'ünï'], 4),
  direction: (random) => random.pick(['ingress', 'egress']),
  ethertype: (random) => random.pick(['IPv4', 'IPv6', 'ipv4']),
  protocol: (random) =>
    random.pick([null, 'any', 'tcp', 'udp', 'icmp', 'icmpv6', 'sctp', 'dccp', 'ah', 6, '17', 0, 255]),
  port_range_min: portNumber,
  port_range_max: portNumber,
  remote_ip_prefix: (random) => random.pick([null, null, prefix(random), ip(random)]),
  remote_group_id: (random, known, project) =>
    random.chance(0.6) ? null : known.id(random, 'security_group', project),
  remote_address_group_id: (random, known, project) =>
    random.chance(0.7) ? null : known.id(random, 'address_group', project),
  addresses: (random) => list(random, 3, () => prefix(random)),
  prefixes: (random) =>
    random.pick([
      ['10.0.0.0/16'],
      ['10.64.0.0/10', '172.20.0.0/16'],
      ['2001:db8::/32'],
      [],
      ['10.0.0.0/8', 'fd00::/8'],
    ]),
  default_prefixlen: (random) => random.pick([24, 26, 64, 30]),
  min_prefixlen: (random) => random.pick([8, 16, 48]),
  max_prefixlen: (random) => random.pick([28, 32, 128]),
  prefixlen: (random) => random.pick([24, 26, 28, 64, 128]),
  host: (random) => random.pick(['host-1', 'host-2', 'host-3']),
  object_type: (random) => random.pick(['network', 'security_group', 'address_group', 'qos_policy']),
  object_id: (random, known, project) =>
    known.id(random, random.pick(['network', 'security_group', 'address_group', 'policy']), project),
  action: (random) => random.pick(['access_as_shared', 'access_as_shared', 'access_as_external']),
  qos_policy_id: (random, known, project) =>
    random.chance(0.5) ? null : known.id(random, 'policy', project),
  max_kbps: (random) => random.pick([0, 1, 1000, 2 ** 31 - 1]),
  max_burst_kbps: (random) => random.pick([0, 1, 1000]),
  dscp_mark: (random) => random.pick([0, 8, 10, 46, 56, 1]),
  'provider:network_type': (random) =>
    random.pick(['local', 'vxlan', 'geneve', 'flat', 'vlan', 'vlan', null]),
  'provider:physical_network': (random) => random.pick(['physnet1', 'physnet2', 'physnet3', '', null]),
  'provider:segmentation_id': (random) => random.pick([1, 2, 3, 4, '5', 0, 4095, null]),
};

/** `named` has values for the parts of objects, by their names. */
export function fromSchema(
  random: Random,
  schema: Schema,
  named: (name: string, part: Schema) => unknown = (_name, part) => fromSchema(random, part),
  depth = 0,
): unknown {
  const options = schema.anyOf ?? schema.oneOf;
  if (options !== undefined && options.length > 0)
    return fromSchema(random, random.pick(options), named, depth);
  if (schema.enum !== undefined && schema.enum.length > 0) return random.pick(schema.enum);
  const type = typeof schema.type === 'object' ? random.pick(schema.type) : schema.type;
  switch (type) {
    case 'boolean':
      return random.chance(0.5);
    case 'integer':
    case 'number': {
      const low = schema.minimum ?? 0;
      return low + random.below(Math.min((schema.maximum ?? low + 100) - low, 1000) + 1);
    }
    case 'null':
      return null;
    case 'array':
      return depth > 3 ? [] : list(random, 2, () => fromSchema(random, schema.items ?? {}, named, depth + 1));
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {})
          .filter(([name]) => schema.required?.includes(name) === true || random.chance(0.3))
          .map(([name, part]) => [name, named(name, part)]),
      );
    default:
      break;
  }
  switch (schema.format) {
    case 'ip':
      return ip(random);
    case 'cidr':
    case 'ip-or-cidr':
      return prefix(random);
    case 'mac':
      return mac(random);
    case 'uuid':
      return bogus;
    default:
      return random.chance(0.01)
        ? '😀'.repeat(schema.maxLength ?? 6)
        : random.text(Math.min(schema.maxLength ?? 6, 6));
  }
}

/** Ids that attributes require by their name: `router_id` requires a router. */
function byNameOfId(random: Random, known: Known, name: string, project: string): unknown {
  const of = known.kinds.find((kind) => name === `${kind}_id` || name.endsWith(`_${kind}_id`));
  return known.id(random, of ?? random.pick(known.kinds), project);
}

/** A value that may well be right. */
export function valueFor(
  random: Random,
  known: Known,
  project: string,
  name: string,
  attribute: Attribute | undefined,
): unknown {
  const pool = Object.hasOwn(pools, name) ? pools[name] : undefined;
  if (pool !== undefined) return pool(random, known, project);
  if (attribute?.fallback === null && random.chance(0.5)) return null;
  if (name.endsWith('_id')) return byNameOfId(random, known, name, project);
  const schema =
    attribute?.sent ??
    attribute?.type ??
    schemaOf(attribute?.convert) ??
    schemaOf(attribute?.validate) ??
    null;
  if (schema !== null) return fromSchema(random, schema);
  return attribute?.filter === 'boolean' ? random.chance(0.5) : hostile(random);
}

export const strangeNames: readonly string[] = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '',
  ' ',
  'x',
  'tenant_id',
  'id',
  'Name',
  ...people.map(({ name }) => name),
];

/** In a form that a URL can carry: a lone surrogate cannot be written there. */
export const urlText = (text: string): string => encodeURIComponent(Buffer.from(text).toString());
