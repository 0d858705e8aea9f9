/** What the built-in DHCP server tells its clients beside their addresses. No flow follows from it. */
import type { Dataflow, Input } from '../../../base/dataflow.ts';
import type { DhcpOption, SubnetRecord } from '../../../model/records.ts';
import { type Cidr, parseCidr, parseIp } from '../../../net/cidr.ts';
import type { DhcpRoute } from '../../../net/packet/dhcp-values.ts';
import type { NetworkId, PortId, SubnetId } from '../../../policy/world.ts';

export interface DhcpSubnet {
  readonly dnsServers: readonly Cidr[];
  /** Of IPv6: ports get their addresses by DHCPv6, and not only what belongs to them. */
  readonly stateful: boolean;
  /** The subnet's host routes; the gateway is not among them. */
  readonly routes: readonly DhcpRoute[];
}

/** Texts that do not parse are left out. */
export function dhcpSubnetOf(record: SubnetRecord): DhcpSubnet {
  const { dns_nameservers: dns, host_routes: hops } = record;
  const routes = hops.flatMap(({ destination, nexthop }) => {
    const [to, by] = [parseCidr(destination), parseIp(nexthop)];
    return to === null || by === null ? [] : [{ destination: to, nexthop: by }];
  });
  const stateful = record.ipv6_address_mode === 'dhcpv6-stateful';
  return { stateful, dnsServers: dns.flatMap((text) => parseIp(text) ?? []), routes };
}

export interface DhcpFacts {
  readonly dhcpSubnets: Input<SubnetId, DhcpSubnet>;
  /** `extra_dhcp_opts` of ports that have some. */
  readonly dhcpOptions: Input<PortId, readonly DhcpOption[]>;
  readonly mtus: Input<NetworkId, number>;
}

export const declareDhcpFacts = (graph: Dataflow): DhcpFacts => ({
  dhcpSubnets: graph.input('dhcp-subnets'),
  dhcpOptions: graph.input('dhcp-options'),
  mtus: graph.input('mtus'),
});
