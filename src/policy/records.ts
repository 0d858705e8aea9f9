/**
 * Turns store records into the world of policy: parses texts, turns Neutron's names into numbers, resolves defaults.
 * A record that cannot be read gives null, so that one broken record neither opens nor stops anything else.
 */

import { preferredNumber } from '../base/hash.ts';
import { protocolNumber } from '../model/protocols.ts';
import type {
  AddressGroupRecord,
  BindingRecord,
  BridgeRecord,
  LeavingRecord,
  LinkLocalRecord,
  NetworkRecord,
  OwnerRecord,
  PortRecord,
  PortRole,
  QosPolicyRecord,
  SecurityGroupRecord,
  SecurityGroupRuleRecord,
  SubnetRecord,
} from '../model/records.ts';
import { portsOfRouter, type RouterRecord } from '../model/router.ts';
import { type Vtep, vtepFrom } from '../model/vtep.ts';
import { type Cidr, type Family, parseCidr, parseIp } from '../net/cidr.ts';
import { parseMac } from '../net/mac.ts';
import { protocols } from '../net/packet/transport.ts';
import type { LeftConnections } from './moves.ts';
import type {
  AddressGroup,
  AddressGroupId,
  Arrival,
  Group,
  GroupId,
  GuardMode,
  L4Match,
  Limit,
  LinkLocal,
  Network,
  NetworkId,
  Owner,
  Pair,
  Port,
  PortId,
  QosLimits,
  QosPolicy,
  QosPolicyId,
  Remote,
  Router,
  RouterId,
  Rule,
  RuleId,
  Subnet,
  SubnetId,
} from './world.ts';

/** Undefined for a host without tunnels. */
export const vtepOf = ({
  tunnel_ip: address,
  tunnel_types: types = [],
}: BridgeRecord): Vtep | null | undefined => (address === undefined ? undefined : vtepFrom(address, types));

export function networkOf(record: NetworkRecord): Network {
  const allowsReservedPairs = record.allow_reserved_pairs;
  return {
    id: record.id as NetworkId,
    adminUp: record.admin_state_up,
    allowsReservedPairs,
    broadcastsPairs: record.address_pairs_forwarding === 'broadcast',
    isolated: record.isolated ?? false,
    trustsPhysical: record.trusts_physical ?? false,
    hairpin: record.hairpin ?? false,
    qosPolicy: qosPolicyIdOf(record),
    mtu: record.mtu,
    ...carriageOf(record),
  };
}

function carriageOf({ provider }: NetworkRecord): Pick<Network, 'physical' | 'tunnel'> {
  if (provider === undefined) return {};
  if (provider.type === 'flat') return { physical: { network: provider.physical_network, vlan: null } };
  if (provider.type !== 'vlan') return { tunnel: provider.type };
  return { physical: { network: provider.physical_network, vlan: provider.segmentation_id } };
}

/** Records written before QoS existed lack the attribute. */
const qosPolicyIdOf = (record: { readonly qos_policy_id?: string | null }): QosPolicyId | null =>
  (record.qos_policy_id ?? null) as QosPolicyId | null;

/** Modes of IPv6 other than those of DHCPv6 leave addresses to router advertisements, or to people. */
const isServed = ({ enable_dhcp, ip_version, ipv6_address_mode: mode }: SubnetRecord): boolean =>
  enable_dhcp && (ip_version === 4 || mode === 'dhcpv6-stateful' || mode === 'dhcpv6-stateless');

export function subnetOf(record: SubnetRecord): Subnet | null {
  const cidr = parseCidr(record.cidr);
  if (cidr === null) return null;
  const gateway = record.gateway_ip === null ? null : parseIp(record.gateway_ip);
  return {
    id: record.id as SubnetId,
    network: record.network_id as NetworkId,
    cidr,
    gateway,
    gatewayMac: record.gateway_mac === undefined ? null : parseMac(record.gateway_mac),
    dhcp: isServed(record),
    advertised: record.ip_version === 6 && record.ipv6_ra_mode !== null,
  };
}

/** A project may attach its own port to a router. The port is as guarded as before. */
const isProjectsOwn = (record: PortRecord): boolean =>
  record.device_owner === 'network:router_interface' && record.port_security_enabled;

/** Ports of the cloud's own services (routers, DHCP) send for others, so no guard holds them to addresses. */
const isCloudOwned = (record: PortRecord): boolean =>
  record.device_owner.startsWith('network:') && !isProjectsOwn(record);

function modeOf(record: PortRecord): GuardMode {
  if (!record.port_security_enabled || isCloudOwned(record)) return 'off';
  return record.port_security_mode;
}

/** Ports of the cloud's services serve the whole network, unless a project attached its own to somebody else's. */
const roleOf = (record: PortRecord): PortRole =>
  record.role ?? { kind: isCloudOwned(record) ? 'promiscuous' : 'isolated' };

/** Arrivals have 16 bits of a register. 0 means none. */
const arrivalNumbers = { lowest: 1, highest: 0xffff };

/** The only host that the port may move to. Of several, none is known to be the one. */
function arrivalOf(record: PortRecord): Arrival | null {
  const waiting = (record.inactive_bindings ?? []).filter(({ left }) => left !== true);
  const [binding] = waiting;
  if (binding === undefined || waiting.length > 1 || record['binding:host_id'] === '') return null;
  const { host, made = 0 } = binding;
  const number = preferredNumber(`${record.id}|${host}|${made}`, arrivalNumbers);
  return { host, number };
}

/**
 * The host that a caller asked for has the port. Without one, the host that plugged it last has it, unless that one gave it
 * up. An address that does not parse is left out.
 */
export function portOf(record: PortRecord, binding?: BindingRecord): Port | null {
  const mac = parseMac(record.mac_address);
  if (mac === null) return null;
  const fixedIps: Cidr[] = [];
  for (const fixed of record.fixed_ips) {
    const ip = parseIp(fixed.ip_address);
    if (ip !== null) fixedIps.push(ip);
  }
  const pairs: Pair[] = [];
  for (const pair of record.allowed_address_pairs) {
    const ip = parseCidr(pair.ip_address);
    const pairMac = parseMac(pair.mac_address);
    if (ip !== null && pairMac !== null) pairs.push({ mac: pairMac, ip });
  }
  const asked = record['binding:host_id'];
  const holder = binding?.status === 'ACTIVE' ? binding.host : null;
  const arrival = arrivalOf(record);
  return {
    id: record.id as PortId,
    network: record.network_id as NetworkId,
    adminUp: record.admin_state_up,
    mac,
    fixedIps,
    pairs,
    mode: modeOf(record),
    dhcpServer: record.dhcp_trusted || record.device_owner === 'network:dhcp',
    cloudOwned: isCloudOwned(record),
    role: roleOf(record),
    groups: record.security_groups.map((group) => group as GroupId),
    qosPolicy: qosPolicyIdOf(record),
    host: asked === '' ? holder : asked,
    ...(arrival === null ? {} : { arrival }),
  };
}

const fits = (value: number | null, most: number): boolean =>
  value === null || (Number.isInteger(value) && value >= 0 && value <= most);

/** Null where the record matches no packet: the rule must not become a wider one. */
function l4MatchOf(record: SecurityGroupRuleRecord, family: Family): L4Match | null {
  if (record.protocol === null || record.protocol === 'any') return { kind: 'any' };
  const number = protocolNumber(record.protocol);
  if (number === null) return null;
  const { port_range_min: min, port_range_max: max } = record;
  if (number === protocols.icmp || number === protocols.icmpv6) {
    // ICMP of an IPv6 rule is ICMPv6, by any of its names.
    const protocol = family === 6 ? protocols.icmpv6 : number;
    // ICMPv6 over IPv4 has no types.
    if (family === 4 && number === protocols.icmpv6 && min !== null) return null;
    if (!fits(min, 255) || !fits(max, 255)) return null;
    if (min === null) return max === null ? { kind: 'protocol', protocol } : null;
    return { kind: 'icmp', protocol, type: min, code: max };
  }
  if (min === null && max === null) return { kind: 'protocol', protocol: number };
  if (min === null || max === null || min > max || !fits(min, 0xffff) || !fits(max, 0xffff)) return null;
  return { kind: 'ports', protocol: number, min, max };
}

function remoteOf(record: SecurityGroupRuleRecord, family: Family): Remote | null {
  if (record.remote_group_id !== null) return { kind: 'group', group: record.remote_group_id as GroupId };
  const addresses = record.remote_address_group_id ?? null;
  if (addresses !== null) return { kind: 'addresses', group: addresses as AddressGroupId };
  if (record.remote_ip_prefix === null) return { kind: 'any' };
  const prefix = parseCidr(record.remote_ip_prefix);
  if (prefix === null || prefix.family !== family) return null;
  return prefix.length === 0 ? { kind: 'any' } : { kind: 'prefix', prefix };
}

export function ruleOf(record: SecurityGroupRuleRecord): Rule | null {
  const family: Family = record.ethertype === 'IPv4' ? 4 : 6;
  const l4 = l4MatchOf(record, family);
  const remote = remoteOf(record, family);
  if (l4 === null || remote === null) return null;
  return {
    id: record.id as RuleId,
    group: record.security_group_id as GroupId,
    direction: record.direction,
    family,
    l4,
    remote,
  };
}

export function groupOf(record: SecurityGroupRecord): Group {
  return { id: record.id as GroupId, stateful: record.stateful };
}

/** An entry that cannot be read is left out, so it admits nobody. */
export function addressGroupOf(record: AddressGroupRecord): AddressGroup {
  const addresses = record.addresses.map(parseCidr).filter((address) => address !== null);
  return { id: record.id as AddressGroupId, addresses };
}

/** Neutron's own default: a burst of four fifths of a second. */
const burstOf = (rate: number, burst: number): number => (burst > 0 ? burst : Math.ceil(rate * 0.8));

/**
 * The API refuses several rules of one kind and direction; if a store has them, the lowest limit holds. A rate of 0
 * means no limit: a meter with that rate would cut the port off.
 */
export function qosPolicyOf(record: QosPolicyRecord): QosPolicy {
  const limits = (direction: 'ingress' | 'egress'): QosLimits => {
    let bandwidth: Limit | null = null;
    let packets: Limit | null = null;
    for (const rule of record.rules) {
      if (rule.type === 'dscp_marking' || rule.direction !== direction) continue;
      if (rule.type === 'bandwidth_limit') {
        if (rule.max_kbps === 0) continue;
        const limit = { rate: rule.max_kbps, burst: burstOf(rule.max_kbps, rule.max_burst_kbps) };
        if (bandwidth === null || limit.rate < bandwidth.rate) bandwidth = limit;
      } else {
        if (rule.max_kpps === 0) continue;
        const rate = rule.max_kpps * 1000;
        const limit = { rate, burst: burstOf(rate, rule.max_burst_kpps * 1000) };
        if (packets === null || limit.rate < packets.rate) packets = limit;
      }
    }
    return { bandwidth, packets };
  };
  const marking = record.rules.find((rule) => rule.type === 'dscp_marking');
  return {
    id: record.id as QosPolicyId,
    egress: limits('egress'),
    ingress: limits('ingress'),
    dscp: marking?.dscp_mark ?? null,
  };
}

/** A route that cannot be read is left out, so its packets go nowhere. */
export function routerOf(record: RouterRecord): Router {
  return {
    id: record.id as RouterId,
    adminUp: record.admin_state_up,
    ports: portsOfRouter(record).map((port) => port as PortId),
    routes: record.routes.flatMap(({ destination, nexthop }) => {
      const [to, hop] = [parseCidr(destination), parseIp(nexthop)];
      return to === null || hop === null || to.family !== hop.family
        ? []
        : [{ destination: to, nextHop: hop }];
    }),
  };
}

/** `network` and `address` come from the record's key. */
export function recordedLinkLocalOf(
  network: string,
  address: string,
  record: LinkLocalRecord,
): LinkLocal | null {
  const ip = parseIp(address);
  const mac = parseMac(record.mac);
  if (ip === null || ip.family !== 6 || mac === null) return null;
  return { network: network as NetworkId, address: ip, port: record.port as PortId, mac };
}

/** `host` comes from the record's key. A connection that cannot be read is left out: it begins anew. */
export function leftConnectionsOf(host: string, { number, connections }: LeavingRecord): LeftConnections {
  const read = connections.flatMap(({ src, dst, src_port: srcPort, dst_port: dstPort, ...keys }) => {
    const [from, to] = [parseIp(src), parseIp(dst)];
    return from === null || to === null ? [] : [{ src: from, dst: to, srcPort, dstPort, ...keys }];
  });
  return { host, number, connections: read };
}

/** `network` and `address` come from the record's key. */
export function recordedOwnerOf(network: string, address: string, record: OwnerRecord): Owner | null {
  const ip = parseIp(address);
  const mac = parseMac(record.mac);
  const { port, generation } = record;
  if (ip === null || mac === null || !Number.isSafeInteger(generation)) return null;
  return { network: network as NetworkId, address: ip, port: port as PortId, mac, generation };
}
