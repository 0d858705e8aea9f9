/**
 * Records as the API would write them, from short descriptions with sensible defaults, and the store's writes
 * for them. Checks nothing.
 */
import { keys } from '../../src/model/keys.ts';
import { preferredNetworkKey, preferredPortKey } from '../../src/model/numbers.ts';
import type {
  NetworkRecord,
  PortRecord,
  QosPolicyRecord,
  QosRuleRecord,
  SecurityGroupRuleRecord,
  StandardAttributes,
  SubnetRecord,
} from '../../src/model/records.ts';
import type { Write } from '../../src/store/contract.ts';

const standard = (id: string): StandardAttributes => ({
  id,
  project_id: 'p1',
  description: '',
  created_at: '2026-01-02T03:04:05Z',
  updated_at: '2026-01-02T03:04:05Z',
  revision_number: 0,
});

export function networkRecord(id: string, changes: Partial<NetworkRecord> = {}): NetworkRecord {
  return {
    ...standard(id),
    name: id,
    vni: preferredNetworkKey(id),
    admin_state_up: true,
    shared: false,
    mtu: 1500,
    port_security_enabled: true,
    port_security_mode: 'strict',
    dhcp_trusted: false,
    allow_reserved_pairs: false,
    qos_policy_id: null,
    ...changes,
  };
}

/** IPv6 when the prefix has a colon. */
export function subnetRecord(id: string, network: string, cidr: string): SubnetRecord {
  return {
    ...standard(id),
    name: id,
    network_id: network,
    ip_version: cidr.includes(':') ? 6 : 4,
    cidr,
    gateway_ip: null,
    enable_dhcp: false,
    allocation_pools: [],
    dns_nameservers: [],
    host_routes: [],
    ipv6_address_mode: null,
    ipv6_ra_mode: null,
  };
}

export interface PortText {
  readonly id: string;
  /** `n1`. */
  readonly network?: string;
  readonly mac: string;
  readonly ips?: readonly string[];
  /** `['g']`. */
  readonly groups?: readonly string[];
  readonly changes?: Partial<PortRecord>;
}

export function portRecord(text: PortText): PortRecord {
  const { id, network = 'n1', mac, ips = [], groups = ['g'], changes = {} } = text;
  return {
    ...standard(id),
    name: id,
    network_id: network,
    key: preferredPortKey(id),
    admin_state_up: true,
    mac_address: mac,
    fixed_ips: ips.map((address) => ({ subnet_id: `s-${network}`, ip_address: address })),
    device_id: '',
    device_owner: '',
    security_groups: groups,
    allowed_address_pairs: [],
    port_security_enabled: true,
    port_security_mode: 'strict',
    dhcp_trusted: false,
    'binding:host_id': '',
    'binding:vnic_type': 'normal',
    'binding:profile': {},
    qos_policy_id: null,
    ...changes,
  };
}

export function ruleRecord(
  id: string,
  group: string,
  direction: 'ingress' | 'egress',
  changes: Partial<SecurityGroupRuleRecord> = {},
): SecurityGroupRuleRecord {
  return {
    ...standard(id),
    security_group_id: group,
    direction,
    ethertype: 'IPv4',
    protocol: null,
    port_range_min: null,
    port_range_max: null,
    remote_ip_prefix: null,
    remote_group_id: null,
    remote_address_group_id: null,
    ...changes,
  };
}

/** Neutron's default group: all egress, ingress from members, both families. */
export function defaultRules(group: string): SecurityGroupRuleRecord[] {
  return (['IPv4', 'IPv6'] as const).flatMap((ethertype) => [
    ruleRecord(`${group}-out-${ethertype}`, group, 'egress', { ethertype }),
    ruleRecord(`${group}-in-${ethertype}`, group, 'ingress', { ethertype, remote_group_id: group }),
  ]);
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

const put = (key: string, record: object): Write => ({ op: 'put', key, value: JSON.stringify(record) });

export const putNetwork = (record: NetworkRecord): Write => put(keys.network(record.id), record);
export const putSubnet = (record: SubnetRecord): Write =>
  put(keys.subnet(record.network_id, record.id), record);
export const putPort = (text: PortText): Write => {
  const record = portRecord(text);
  return put(keys.port(record.network_id, record.id), record);
};
/** With the mark of each port among them, as the API writes and deletes it. */
export const withPortMarks = (writes: readonly Write[]): Write[] =>
  writes.flatMap((write): readonly Write[] => {
    const port = keys.port.parse(write.key);
    if (port === null) return [write];
    const key = keys.portNetwork(port.id);
    return [write, write.op === 'delete' ? { op: 'delete', key } : { op: 'put', key, value: port.network }];
  });
/** A rule's `id` is its position. */
export function putQosPolicy(id: string, rules: readonly DistributiveOmit<QosRuleRecord, 'id'>[]): Write {
  const record: QosPolicyRecord = {
    ...standard(id),
    name: id,
    shared: false,
    is_default: false,
    rules: rules.map((rule, at) => ({ id: `${id}-${at}`, ...rule })),
  };
  return put(keys.qosPolicy(id), record);
}
export const putRule = (record: SecurityGroupRuleRecord): Write =>
  put(keys.rule(record.security_group_id, record.id), record);
/** As the API deletes a port, with its binding. */
export const deletePort = (id: string, network = 'n1'): Write[] => [
  { op: 'delete', key: keys.port(network, id) },
  { op: 'delete', key: keys.binding(network, id) },
];

/** A network with an IPv4 and an IPv6 subnet: `10.0.<n>.0/24` and `fd00:0:0:<n>::/64`. */
export function networkWrites(id = 'n1', n = 0): Write[] {
  return [
    putNetwork(networkRecord(id)),
    putSubnet(subnetRecord(`s-${id}`, id, `10.0.${n}.0/24`)),
    putSubnet(subnetRecord(`s6-${id}`, id, `fd00:0:0:${n}::/64`)),
  ];
}
