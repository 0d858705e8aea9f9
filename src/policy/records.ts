/**
 * Store records to the world of policy: texts parsed, Neutron's names turned into numbers, every choice resolved.
 * Pure; a record that cannot be read gives null, so that one broken record cannot open or stop anything else.
 */
import type {
  BindingRecord,
  LinkLocalRecord,
  NetworkRecord,
  PortRecord,
  SecurityGroupRuleRecord,
  SubnetRecord,
} from '../model/records.ts';
import { type Cidr, type Family, parseCidr, parseIp } from '../net/cidr.ts';
import { parseMac } from '../net/mac.ts';
import { protocols } from '../net/packet/transport.ts';
import { protocolNumber } from './protocols.ts';
import type {
  GroupId,
  GuardMode,
  LinkLocal,
  Network,
  NetworkId,
  Pair,
  Port,
  PortId,
  Remote,
  Rule,
  RuleId,
  Service,
  Subnet,
  SubnetId,
} from './world.ts';

export function networkOf(record: NetworkRecord): Network {
  const lendsReserved = record.allow_reserved_pairs;
  return { id: record.id as NetworkId, adminUp: record.admin_state_up, lendsReserved };
}

export function subnetOf(record: SubnetRecord): Subnet | null {
  const cidr = parseCidr(record.cidr);
  if (cidr === null) return null;
  const gateway = record.gateway_ip === null ? null : parseIp(record.gateway_ip);
  return { id: record.id as SubnetId, network: record.network_id as NetworkId, cidr, gateway };
}

/** Ports of the cloud's own services (routers, DHCP) speak for others: they are never held. */
const isService = (record: PortRecord): boolean => record.device_owner.startsWith('network:');

function modeOf(record: PortRecord): GuardMode {
  if (!record.port_security_enabled || isService(record)) return 'off';
  return record.port_security_mode;
}

/**
 * The host that holds the port wins over the one that a caller asked for; one that gave it up does not count.
 * An address that does not parse is left out.
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
  return {
    id: record.id as PortId,
    network: record.network_id as NetworkId,
    adminUp: record.admin_state_up,
    mac,
    fixedIps,
    pairs,
    mode: modeOf(record),
    dhcpServer: record.dhcp_trusted,
    service: isService(record),
    groups: record.security_groups.map((group) => group as GroupId),
    host: binding?.status === 'ACTIVE' ? binding.host : asked === '' ? null : asked,
  };
}

const fits = (value: number | null, most: number): boolean =>
  value === null || (Number.isInteger(value) && value >= 0 && value <= most);

/** Null for what no packet could be matched by: it must not come out as something wider. */
function serviceOf(record: SecurityGroupRuleRecord, family: Family): Service | null {
  if (record.protocol === null || record.protocol === 'any') return { kind: 'any' };
  const number = protocolNumber(record.protocol);
  if (number === null) return null;
  const { port_range_min: min, port_range_max: max } = record;
  if (number === protocols.icmp || number === protocols.icmpv6) {
    // ICMP of an IPv6 rule is ICMPv6 by whichever of its names.
    const protocol = family === 6 ? protocols.icmpv6 : number;
    // ICMPv6 over IPv4 has no types to ask for.
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
  if (record.remote_ip_prefix === null) return { kind: 'any' };
  const prefix = parseCidr(record.remote_ip_prefix);
  if (prefix === null || prefix.family !== family) return null;
  return prefix.length === 0 ? { kind: 'any' } : { kind: 'prefix', prefix };
}

export function ruleOf(record: SecurityGroupRuleRecord): Rule | null {
  const family: Family = record.ethertype === 'IPv4' ? 4 : 6;
  const service = serviceOf(record, family);
  const remote = remoteOf(record, family);
  if (service === null || remote === null) return null;
  return {
    id: record.id as RuleId,
    group: record.security_group_id as GroupId,
    direction: record.direction,
    family,
    service,
    remote,
  };
}

/** `network` and `address` come from the record's key. */
export function linkLocalOf(network: string, address: string, record: LinkLocalRecord): LinkLocal | null {
  const ip = parseIp(address);
  const mac = parseMac(record.mac);
  if (ip === null || ip.family !== 6 || mac === null) return null;
  return { network: network as NetworkId, address: ip, port: record.port as PortId, mac };
}
