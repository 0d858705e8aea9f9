/** What the built-in DHCP server tells its clients beside their addresses. No flow follows from it. */
import type { Dataflow, Input } from '../../../base/dataflow.ts';
import type { DhcpOption, SubnetRecord } from '../../../model/records.ts';
import { type Cidr, parseCidr, parseIp } from '../../../net/cidr.ts';
import type { DhcpRoute } from '../../../net/packet/dhcp-values.ts';
import type { PortId, SubnetId } from '../../../policy/world.ts';

export interface DhcpSubnet {
  readonly dnsServers: readonly Cidr[];
  /** Of IPv6: ports get their addresses by DHCPv6, and not only what belongs to them. */
  readonly stateful: boolean;
  /** `ipv6_ra_mode`; null for a subnet that no router advertises. */
  readonly advertisedMode: string | null;
  /** The subnet's host routes; the gateway is not among them. */
  readonly routes: readonly DhcpRoute[];
}

/** Texts that do not parse, and addresses of the other family, are left out: an option has no room for them. */
export function dhcpSubnetOf(record: SubnetRecord): DhcpSubnet {
  const fitting = (ip: Cidr | null): Cidr[] => (ip?.family === record.ip_version ? [ip] : []);
  return {
    stateful: record.ipv6_address_mode === 'dhcpv6-stateful',
    advertisedMode: record.ipv6_ra_mode,
    dnsServers: record.dns_nameservers.flatMap((text) => fitting(parseIp(text))),
    routes: record.host_routes.flatMap(({ destination, nexthop }) =>
      fitting(parseCidr(destination)).flatMap((to) =>
        fitting(parseIp(nexthop)).map((by) => ({ destination: to, nexthop: by })),
      ),
    ),
  };
}

export interface DhcpFacts {
  readonly dhcpSubnets: Input<SubnetId, DhcpSubnet>;
  /** `extra_dhcp_opts` of ports that have some. */
  readonly dhcpOptions: Input<PortId, readonly DhcpOption[]>;
}

export const declareDhcpFacts = (graph: Dataflow): DhcpFacts => ({
  dhcpSubnets: graph.input('dhcp-subnets'),
  dhcpOptions: graph.input('dhcp-options'),
});
