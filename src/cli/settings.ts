/**
 * All settings of an operator, in one table. The file's keys, the environment's names, the flags, their help
 * texts and the types follow from it. It has only settings whose feature exists; config.ts reads them. A
 * schema library was rejected: it costs every command a quarter of a second and 20 MB to load.
 */
import { bridgeMappingsOf } from '../model/bridge-mappings.ts';
import { type QuotaResource, quotaPlurals, quotaResources } from '../model/quota.ts';
import {
  flatNetworksOf,
  physicalMtusOf,
  tenantTypesOf,
  vlanRangesOf,
  vniRangesOf,
} from '../model/segments.ts';
import { tunnelTypesOf, vtepFrom } from '../model/vtep.ts';

/** A part of Portcullis that runs as a process of its own. */
export type Part = 'server' | 'agent';

interface Row {
  readonly description: string;
  /** The part that reads it; absent: both. */
  readonly part?: Part;
  /** Absent when the machine determines it. */
  readonly default?: string | boolean | number;
  /** The check of the value; `says` completes "must be …". A row with none of these three is a boolean. */
  readonly text?: { readonly pattern: Pick<RegExp, 'test'>; readonly says: string };
  readonly oneOf?: readonly string[];
  readonly number?: { readonly above: number; readonly most: number; readonly whole?: true };
  /** The value is not printed. */
  readonly secret?: true;
}

const anything = { pattern: /^/, says: 'text' } as const;
const target = { pattern: /^(unix:.+|tcp:.+:[0-9]+)$/, says: 'unix:PATH or tcp:HOST:PORT' } as const;

/** Without authentication a project is only a name, so no quota applies unless it is set. */
const quota = (what: string) =>
  ({
    part: 'server',
    description: `${what} of a project, -1 for any number (default: Neutron's, or -1 where auth is none)`,
    number: { above: -2, most: 2 ** 31 - 1, whole: true },
  }) as const;

const quotas = Object.fromEntries(
  quotaResources.map((name) => [`quota.${name}`, quota(quotaPlurals[name])]),
) as { readonly [R in QuotaResource as `quota.${R}`]: ReturnType<typeof quota> };

const rows = {
  listen: {
    part: 'server',
    description: 'address and port of the API',
    default: '127.0.0.1:9696',
    text: { pattern: /./, says: 'ADDRESS:PORT' },
  },
  store: {
    description: 'where the cloud is kept: embedded, or etcd://HOST:PORT[,HOST:PORT...]',
    default: 'embedded',
    text: {
      pattern: /^(embedded|etcd:\/\/[^\s,/]+:[0-9]+(,[^\s,/]+:[0-9]+)*)$/,
      says: 'embedded or etcd://HOST:PORT[,HOST:PORT...]',
    },
  },
  'etcd.ca': {
    description: "file with the certificates that etcd's is checked by; with it etcd is reached by TLS",
    default: '',
    text: anything,
  },
  'etcd.cert': {
    description: 'file with the certificate that this process shows to etcd',
    default: '',
    text: anything,
  },
  'etcd.key': {
    description: "file with that certificate's key",
    default: '',
    text: anything,
  },
  'etcd.user': {
    description: "etcd's user, where etcd asks for one",
    default: '',
    text: anything,
  },
  'etcd.password': {
    description: "that user's password",
    default: '',
    text: anything,
    secret: true,
  },
  data_dir: {
    description: 'folder of the embedded store (default /var/lib/portcullis, or ~/.local/share/portcullis)',
    text: { pattern: /./, says: 'a path' },
  },
  ovsdb: {
    part: 'agent',
    description: 'Open vSwitch database, unix:PATH or tcp:HOST:PORT',
    default: 'unix:/var/run/openvswitch/db.sock',
    text: target,
  },
  openflow: {
    part: 'agent',
    description: "the bridge's OpenFlow socket (default: BRIDGE.mgmt beside the database's unix socket)",
    text: target,
  },
  bridge: {
    part: 'agent',
    description: 'integration bridge, made when it is absent',
    default: 'br-int',
    text: { pattern: /^[A-Za-z0-9_.-]{1,15}$/, says: 'an interface name' },
  },
  host: {
    part: 'agent',
    description: "this hypervisor's name (default: host name)",
    text: { pattern: /^[^/\s]{1,255}$/, says: 'a name without spaces and slashes' },
  },
  availability_zone: {
    part: 'agent',
    description: 'the availability zone that this hypervisor is in',
    default: 'nova',
    text: { pattern: /^\S{1,255}$/, says: 'a name without spaces' },
  },
  datapath_type: {
    part: 'agent',
    description: 'kernel or userspace datapath (default: system where the kernel has it)',
    oneOf: ['system', 'netdev'],
  },
  tunnel_ip: {
    part: 'agent',
    description: "this hypervisor's tunnel endpoint, an IPv4 or IPv6 address (default: none, and no tunnels)",
    default: '',
    text: {
      pattern: { test: (text) => text === '' || vtepFrom(text, []) !== null },
      says: 'an IPv4 or IPv6 address that a host can have',
    },
  },
  tunnel_types: {
    part: 'agent',
    description: 'tunnels that this hypervisor has, geneve, vxlan or both',
    default: 'geneve',
    text: {
      pattern: { test: (text) => tunnelTypesOf(text) !== null },
      says: 'geneve, vxlan or geneve,vxlan',
    },
  },
  bridge_mappings: {
    part: 'agent',
    description: 'bridges to physical networks, such as physnet1:br-ex,physnet2:br-data (default: none)',
    default: '',
    text: {
      pattern: { test: (text) => bridgeMappingsOf(text) !== null },
      says: 'PHYSNET:BRIDGE,… with each network and each bridge once',
    },
  },
  'log.level': {
    description: 'least level that is logged',
    default: 'info',
    oneOf: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
  },
  'address_pairs.strict': {
    part: 'server',
    description: "allowed pairs must be single addresses in a subnet of the port's fixed IPs",
    default: false,
  },
  'address_pairs.forwarding': {
    part: 'server',
    description: 'in new networks, what is for a MAC of several ports goes to its owner or to all of them',
    default: 'detect',
    oneOf: ['detect', 'broadcast'],
  },
  'network.mtu': {
    part: 'server',
    description:
      'largest packet in bytes on the links between hypervisors; the MTU of networks follows from it',
    default: 1500,
    number: { above: 1279, most: 65_535, whole: true },
  },
  'network.physical_mtus': {
    part: 'server',
    description:
      'largest packets on physical networks that carry less, such as physnet1:1400 (default: none)',
    default: '',
    text: {
      pattern: { test: (text) => physicalMtusOf(text) !== null },
      says: 'PHYSNET:BYTES,… with each network once',
    },
  },
  'network.tenant_types': {
    part: 'server',
    description: 'types of networks that name none, the first that is free: local, vlan, vxlan, geneve',
    default: 'local',
    text: {
      pattern: { test: (text) => tenantTypesOf(text) !== null },
      says: 'local, vlan, vxlan, geneve or several of them with commas',
    },
  },
  'network.vlan_ranges': {
    part: 'server',
    description: 'physical networks with VLANs, and VLANs to allocate, such as physnet1:100:199,physnet2',
    default: '',
    text: {
      pattern: { test: (text) => vlanRangesOf(text) !== null },
      says: 'PHYSNET[:LOWEST:HIGHEST],… with VLANs from 1 to 4094',
    },
  },
  'network.flat_networks': {
    part: 'server',
    description: 'physical networks that may have a flat network, * for all',
    default: '*',
    text: {
      pattern: { test: (text) => flatNetworksOf(text) !== undefined },
      says: 'PHYSNET,… or *',
    },
  },
  'network.vni_ranges': {
    part: 'server',
    description: 'VNIs to allocate to vxlan and geneve networks',
    default: '1:16777215',
    text: {
      pattern: { test: (text) => vniRangesOf(text) !== null },
      says: 'LOWEST:HIGHEST,… from 1 to 16777215',
    },
  },
  'network.overlay_ip_version': {
    part: 'server',
    description: 'version of IP between tunnel endpoints, for the MTU of vxlan and geneve networks',
    default: '4',
    oneOf: ['4', '6'],
  },
  'dhcp.lease_time': {
    part: 'agent',
    description: 'seconds for which the built-in DHCP server gives addresses',
    default: 86_400,
    number: { above: 59, most: 2 ** 31 - 1, whole: true },
  },
  'dhcp.domain': {
    part: 'agent',
    description: 'domain name that the built-in DHCP server gives to guests (default: none)',
    default: '',
    text: { pattern: /^[A-Za-z0-9.-]{0,253}$/, says: 'a domain name' },
  },
  'hits.interval': {
    part: 'agent',
    description: "seconds between readings of the rules' hit counters",
    default: 15,
    number: { above: 0, most: 86_400 },
  },
  'conntrack.max_per_network': {
    part: 'agent',
    description: "maximum number of a network's connections on a host, 0 for no limit",
    default: 0,
    number: { above: -1, most: 2 ** 31 - 1, whole: true },
  },
  ...quotas,
  auth: {
    part: 'server',
    description: 'how callers are authenticated',
    default: 'none',
    oneOf: ['none', 'tokens', 'keystone'],
  },
  'tokens.file': {
    part: 'server',
    description: 'YAML file of static tokens, for auth tokens; it is read again when it changes',
    default: '',
    text: anything,
  },
  'keystone.url': {
    part: 'server',
    description: 'address of Keystone, for auth keystone',
    default: '',
    text: { pattern: /^(https?:\/\/\S+)?$/, says: 'an http or https address' },
  },
  'keystone.username': {
    part: 'server',
    description: 'account that validates tokens',
    default: 'neutron',
    text: anything,
  },
  'keystone.password': {
    part: 'server',
    description: "that account's password",
    default: '',
    text: anything,
    secret: true,
  },
  'keystone.project': {
    part: 'server',
    description: "that account's project",
    default: 'service',
    text: anything,
  },
  'keystone.user_domain': {
    part: 'server',
    description: "name of the account's domain",
    default: 'Default',
    text: anything,
  },
  'keystone.project_domain': {
    part: 'server',
    description: "name of the project's domain",
    default: 'Default',
    text: anything,
  },
  'keystone.trust': {
    part: 'server',
    description: 'seconds for which a validated token is trusted; a revoked one works no longer than that',
    default: 30,
    number: { above: -1, most: 300 },
  },
  'nova.url': {
    part: 'server',
    description: 'address of a compute service that receives events of its ports (default: none)',
    default: '',
    text: { pattern: /^(https?:\/\/\S+)?$/, says: 'an http or https address' },
  },
  'nova.interval': {
    part: 'server',
    description: 'seconds between messages to the compute service',
    default: 2,
    number: { above: 0, most: 60 },
  },
  allow_remote_without_auth: {
    part: 'server',
    description: 'listen beyond loopback although auth is none',
    default: false,
  },
} as const satisfies Record<string, Row>;

type Key = keyof typeof rows;
type ValueOf<R> = R extends { readonly oneOf: readonly (infer V)[] }
  ? V
  : R extends { readonly text: object }
    ? string
    : R extends { readonly number: object }
      ? number
      : boolean;
type Section<K> = K extends `${infer S}.${string}` ? S : never;

/** The effective values: dotted keys are nested. */
export type Settings = {
  readonly [K in Key as K extends `${string}.${string}` ? never : K]: ValueOf<(typeof rows)[K]>;
} & {
  readonly [S in Section<Key>]: {
    readonly [K in Key as K extends `${S}.${infer N}` ? N : never]: ValueOf<(typeof rows)[K]>;
  };
};

/** One value of the table, under each of its names. */
export interface Setting {
  readonly part: Part | undefined;
  readonly path: readonly string[];
  /** `log.level` */
  readonly key: string;
  /** `PORTCULLIS_LOG_LEVEL` */
  readonly env: string;
  /** `--log-level` */
  readonly flag: string;
  /** The name under which commander hands the flag's value over: `logLevel`. */
  readonly option: string;
  readonly kind: 'string' | 'boolean' | 'number';
  readonly description: string;
  /** Undefined when the machine determines it. */
  readonly default: string | boolean | number | undefined;
  readonly secret: boolean;
  /** The problem with a value, as "must be …"; null for a valid value. */
  readonly problem: (value: unknown) => string | null;
}

function problemOf({ text, oneOf, number }: Row, value: unknown): string | null {
  if (number !== undefined) {
    const { above, most, whole } = number;
    const fits = typeof value === 'number' && value > above && value <= most;
    if (whole === true && !Number.isInteger(value))
      return `must be a whole number above ${above} and up to ${most}`;
    return fits ? null : `must be a number above ${above} and up to ${most}`;
  }
  if (oneOf !== undefined)
    return oneOf.some((one) => one === value) ? null : `must be one of ${oneOf.join(', ')}`;
  if (text === undefined) return typeof value === 'boolean' ? null : 'must be true or false';
  return typeof value === 'string' && text.pattern.test(value) ? null : `must be ${text.says}`;
}

function kindOf({ text, oneOf, number }: Row): Setting['kind'] {
  if (number !== undefined) return 'number';
  return text === undefined && oneOf === undefined ? 'boolean' : 'string';
}

export const settings: readonly Setting[] = Object.entries<Row>(rows).map(([key, row]) => {
  const path = key.split('.');
  const words = path.flatMap((name) => name.split('_'));
  const [first = '', ...others] = words;
  return {
    part: row.part,
    path,
    key,
    env: `PORTCULLIS_${words.join('_').toUpperCase()}`,
    flag: `--${words.join('-')}`,
    option: first + others.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join(''),
    kind: kindOf(row),
    description: row.description,
    default: row.default,
    secret: row.secret === true,
    problem: (value) => problemOf(row, value),
  };
});
