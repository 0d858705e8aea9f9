/**
 * The records as they lie in the store, in Neutron's own words (snake_case), one interface a resource.
 * What the API adds on reading (status, vif details, rules inside their group) is not here.
 */
export interface StandardAttributes {
  readonly id: string;
  readonly project_id: string;
  readonly description: string;
  /** UTC, `2026-01-02T03:04:05Z`. */
  readonly created_at: string;
  readonly updated_at: string;
  readonly revision_number: number;
}

/** How strictly a port with port security on is held: see `port_security_mode`. */
export type PortSecurityMode = 'strict' | 'mac-only';

export interface NetworkRecord extends StandardAttributes {
  readonly name: string;
  readonly admin_state_up: boolean;
  readonly shared: boolean;
  readonly mtu: number;
  readonly port_security_enabled: boolean;
  /** Like port_security_enabled, this and the next are what new ports of the network start with. */
  readonly port_security_mode: PortSecurityMode;
  readonly dhcp_trusted: boolean;
  /** Allowed pairs may claim the network's gateway, DHCP and metadata addresses. */
  readonly allow_reserved_pairs: boolean;
}

export interface SubnetRecord extends StandardAttributes {
  readonly name: string;
  readonly network_id: string;
  readonly ip_version: 4 | 6;
  readonly cidr: string;
  readonly gateway_ip: string | null;
  readonly enable_dhcp: boolean;
  readonly allocation_pools: readonly { readonly start: string; readonly end: string }[];
  readonly dns_nameservers: readonly string[];
  readonly host_routes: readonly { readonly destination: string; readonly nexthop: string }[];
  readonly ipv6_address_mode: string | null;
  readonly ipv6_ra_mode: string | null;
}

export interface FixedIp {
  readonly subnet_id: string;
  readonly ip_address: string;
}

/** `ip_address` as it was sent (an address or a prefix); `mac_address` already resolved to the port's when absent. */
export interface AddressPair {
  readonly ip_address: string;
  readonly mac_address: string;
}

export interface PortRecord extends StandardAttributes {
  readonly name: string;
  readonly network_id: string;
  readonly admin_state_up: boolean;
  readonly mac_address: string;
  readonly fixed_ips: readonly FixedIp[];
  readonly device_id: string;
  readonly device_owner: string;
  readonly security_groups: readonly string[];
  readonly allowed_address_pairs: readonly AddressPair[];
  readonly port_security_enabled: boolean;
  readonly port_security_mode: PortSecurityMode;
  /** The port may act as a DHCP server. */
  readonly dhcp_trusted: boolean;
  /** The host that a caller asked for; empty when any host may take the port. */
  readonly 'binding:host_id': string;
  readonly 'binding:vnic_type': string;
  readonly 'binding:profile': Readonly<Record<string, unknown>>;
}

export interface SecurityGroupRecord extends StandardAttributes {
  readonly name: string;
  readonly stateful: boolean;
  readonly is_default: boolean;
}

export interface SecurityGroupRuleRecord extends StandardAttributes {
  readonly security_group_id: string;
  readonly direction: 'ingress' | 'egress';
  readonly ethertype: 'IPv4' | 'IPv6';
  /** A name of Neutron's list or a decimal number, as stored; null for any. */
  readonly protocol: string | null;
  readonly port_range_min: number | null;
  readonly port_range_max: number | null;
  readonly remote_ip_prefix: string | null;
  readonly remote_group_id: string | null;
}

/** Written by a host's agent, never by the API. */
export interface BindingRecord {
  readonly host: string;
  /** ACTIVE only after the switch acknowledged the port's flows. */
  readonly status: 'ACTIVE' | 'DOWN';
}

export interface LinkLocalRecord {
  readonly port: string;
  readonly mac: string;
}

export interface HostRecord {
  readonly name: string;
  /** Milliseconds since 1970; a host is live while its last heartbeat is younger than `ttl`. */
  readonly heartbeat: number;
  readonly ttl: number;
  /** The integration bridge and its `datapath_type`, for those who plug interfaces (`binding:vif_details`). */
  readonly bridge?: string;
  readonly datapath_type?: string;
}

/**
 * A question that the API puts to agents through the store, so that it works whatever process they run in.
 * An agent that sees it at revision R answers only when all that the store held before R is on its switch.
 */
export type AskRecord =
  /** Every live host answers `{}`. */
  | { readonly kind: 'sync' }
  /** The host that holds the port answers a CountersAnswer; the others do not answer. */
  | { readonly kind: 'counters'; readonly port: string; readonly network: string };

export interface DropCounter {
  /** Stable name of the reason, such as `arp-spoof`. */
  readonly reason: string;
  /** The direction as the guest sees it: egress is what it sent. */
  readonly direction: 'ingress' | 'egress';
  readonly packets: number;
  readonly bytes: number;
}

export interface CountersAnswer {
  readonly drops: readonly DropCounter[];
}
