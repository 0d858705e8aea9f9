/** New and changed subnets: the rules of one by itself. Its siblings and ports are the API's matter. */
import { type Cidr, contains, type Family, overlaps, parseCidr, parseIp } from '../net/cidr.ts';
import {
  checkGatewayOutsidePools,
  checkPools,
  defaultGateway,
  defaultPools,
  isHostAddress,
} from './address-pools.ts';
import { invalidInput, refuse } from './faults.ts';
import type { SubnetRecord } from './records.ts';
import { type Birth, born } from './standard-attributes.ts';
import { type PlacedSubnetDraft, prefixOf, type SubnetPatch, unusableIn } from './subnet.ts';

const maxNameservers = 5;
const maxRoutes = 20;

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

/** All addresses must have the subnet's family. */
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
  // A gateway outside the prefix is reached by a guest's own route, which cannot be checked here.
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
    ...(draft.gateway_mac === null ? {} : { gateway_mac: draft.gateway_mac }),
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
  const { gateway_mac: mac = subnet.gateway_mac ?? null, ...plain } = patch;
  const { gateway_mac: _mac, ...before } = subnet;
  const changed: SubnetRecord = { ...before, ...plain, ...(mac === null ? {} : { gateway_mac: mac }) };
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
