/**
 * The records as they lie in the store, in Neutron's own words (snake_case), one interface a resource.
 * What the API adds on reading (status, vif details, rules inside their group) is not here.
 */
import type { NetworkKey, PortKey } from './numbers.ts';
import type { ProviderRecord } from './segments.ts';
import type { TunnelType } from './vtep.ts';

export interface StandardAttributes {
  readonly id: string;
  readonly project_id: string;
  readonly description: string;
  /** UTC, `2026-01-02T03:04:05Z`. */
  readonly created_at: string;
  readonly updated_at: string;
  readonly revision_number: number;
}

/** Records with tags of users: sorted, absent while there are none. */
export interface Taggable {
  readonly tags?: readonly string[];
}

/** How strictly a port with port security on is held: see `port_security_mode`. */
/** Who gets what is for a MAC of several ports: the owner of its addresses, or all of them. */
export type PairForwarding = 'detect' | 'broadcast';
export type PortSecurityMode = 'strict' | 'mac-only';

export interface NetworkRecord extends StandardAttributes, Taggable {
  readonly name: string;
  /** Its VNI in tunnels: the segmentation id where its type is a tunnel's, and not shown otherwise. */
  readonly vni: NetworkKey;
  /** How it is carried. Absent for `local`: by each host's switch, and by the tunnels that hosts have. */
  readonly provider?: ProviderRecord;
  readonly admin_state_up: boolean;
  readonly shared: boolean;
  readonly mtu: number;
  readonly port_security_enabled: boolean;
  /** Like port_security_enabled, this and the next are what new ports of the network start with. */
  readonly port_security_mode: PortSecurityMode;
  readonly dhcp_trusted: boolean;
  /** Allowed pairs may claim the network's gateway, DHCP and metadata addresses. */
  readonly allow_reserved_pairs: boolean;
  /** Whether an address of several ports goes to its owner or to all of them. Older records lack it: `detect`. */
  readonly address_pairs_forwarding?: PairForwarding;
  /** The roles of its ports decide who may reach whom. Absent where it is false. */
  readonly isolated?: true;
  /** Neutron's `pvlan` made it isolated: ports are promiscuous unless they say, and need port security. Absent where it is false. */
  readonly pvlan?: true;
  /** Who is unknown on its physical network counts as promiscuous. Absent where it is false. */
  readonly trusts_physical?: true;
  /** Routers send packets back to the network that they came from. Absent where it is false. */
  readonly hairpin?: true;
  /** Holds for ports that have no policy of their own and are not the cloud's own. */
  readonly qos_policy_id: string | null;
  /** Absent where it is false. */
  readonly 'router:external'?: boolean;
  /** The external network of clients that name none; absent for the others. */
  readonly is_default?: boolean;
  /** Absent while there are none. */
  readonly availability_zone_hints?: readonly string[];
}

export interface SubnetRecord extends StandardAttributes, Taggable {
  readonly name: string;
  readonly network_id: string;
  readonly ip_version: 4 | 6;
  readonly cidr: string;
  readonly gateway_ip: string | null;
  /** Of a gateway that is no port of this cloud; absent where nobody named it. */
  readonly gateway_mac?: string;
  readonly enable_dhcp: boolean;
  readonly allocation_pools: readonly { readonly start: string; readonly end: string }[];
  readonly dns_nameservers: readonly string[];
  readonly host_routes: readonly { readonly destination: string; readonly nexthop: string }[];
  readonly ipv6_address_mode: string | null;
  readonly ipv6_ra_mode: string | null;
  /** The pool that its prefix was cut from; absent for others. */
  readonly subnetpool_id?: string;
  /** Whose ports choose from it, by device owner; absent: everybody's. */
  readonly service_types?: readonly string[];
}

/** Prefixes that subnets are cut from. */
export interface SubnetPoolRecord extends StandardAttributes, Taggable {
  readonly name: string;
  readonly ip_version: 4 | 6;
  /** The fewest that hold the pool's addresses, in order. */
  readonly prefixes: readonly string[];
  readonly default_prefixlen: number;
  readonly min_prefixlen: number;
  readonly max_prefixlen: number;
  /** Addresses, or prefixes of 64, for each project; null and 0: any number. */
  readonly default_quota: number | null;
  readonly address_scope_id: string | null;
  readonly is_default: boolean;
  readonly shared: boolean;
}

export interface AddressScopeRecord {
  readonly id: string;
  readonly project_id: string;
  readonly name: string;
  readonly ip_version: 4 | 6;
  readonly shared: boolean;
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

export interface DhcpOption {
  readonly opt_name: string;
  readonly opt_value: string;
  readonly ip_version: 4 | 6;
}

/** A binding for a guest that may arrive, or of a guest that has left. */
export interface InactiveBinding {
  readonly host: string;
  readonly vnic_type: string;
  readonly profile: Readonly<Record<string, unknown>>;
  /** It was active before: no host plugs the port by it. */
  readonly left?: true;
  /** As `silent_host`. */
  readonly silent?: number;
  /** The port's revision number when the binding was made: tells an attempt to move from the one before. */
  readonly made?: number;
}

/** A TCP connection of a port that leaves a host, in the direction of its first packet. */
export interface LeavingConnection {
  readonly src: string;
  readonly dst: string;
  readonly src_port: number;
  readonly dst_port: number;
  /** Keys of the ports that admitted it. */
  readonly originators: readonly number[];
  readonly responders: readonly number[];
}

/** What the connection table of a host says of a port that is about to leave it. */
export interface LeavingRecord {
  /** Number of the arrival that the port leaves for. */
  readonly number: number;
  readonly connections: readonly LeavingConnection[];
}

/** Attributes without effect here (port-notes.ts); absent or null for nothing. */
export interface PortNotes {
  readonly numa_affinity_policy?: string | null;
  readonly device_profile?: string | null;
  readonly data_plane_status?: string | null;
  readonly trusted?: boolean;
  readonly hints?: PortHints | null;
  /** Absent: true. */
  readonly propagate_uplink_status?: boolean;
}

/** Settings for switches, by the switch's name. */
export type PortHints = Readonly<Record<string, unknown>>;

/** What a port may reach in an isolated network (RFC 5517). */
export type PortRole =
  | { readonly kind: 'isolated' }
  | { readonly kind: 'promiscuous' }
  | { readonly kind: 'community'; readonly name: string };

export interface PortRecord extends StandardAttributes, Taggable, PortNotes {
  readonly name: string;
  readonly network_id: string;
  /** Unique in its network. Not shown by the API. */
  readonly key: PortKey;
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
  /** Where it may go beside the host above, no host twice; absent while there are none. */
  readonly inactive_bindings?: readonly InactiveBinding[];
  /** Set after its active binding was deleted: the next new binding is active. */
  readonly binding_removed?: true;
  /** The revision of the record of a host that was dead when the port was to be bound there: binding fails until its next life. */
  readonly silent_host?: number;
  readonly qos_policy_id: string | null;
  /** In an isolated network. Absent: the default for its device owner. */
  readonly role?: PortRole;
  /** Absent while there are none. */
  readonly extra_dhcp_opts?: readonly DhcpOption[];
  /** Set when the request asked for a port without addresses. */
  readonly ip_allocation?: 'none';
}

export interface SecurityGroupRecord extends StandardAttributes, Taggable {
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
  readonly remote_address_group_id: string | null;
}

/** A template of a rule of new groups; without project and stamps. */
export interface DefaultGroupRuleRecord
  extends Pick<
    SecurityGroupRuleRecord,
    | 'id'
    | 'project_id'
    | 'description'
    | 'direction'
    | 'ethertype'
    | 'protocol'
    | 'port_range_min'
    | 'port_range_max'
    | 'remote_ip_prefix'
    | 'remote_group_id'
    | 'remote_address_group_id'
  > {
  /** Every project may know what its groups begin with. */
  readonly shared: true;
  /** In the groups that projects have from the start. */
  readonly used_in_default_sg: boolean;
  /** In those that somebody makes. */
  readonly used_in_non_default_sg: boolean;
}

export interface AddressGroupRecord extends StandardAttributes {
  readonly name: string;
  /** Prefixes of both families, host bits cleared, hosts with their full length, each once. */
  readonly addresses: readonly string[];
}

interface QosRuleIdentity {
  readonly id: string;
}

export interface BandwidthLimitRule extends QosRuleIdentity {
  readonly type: 'bandwidth_limit';
  /** As the guest sees it: egress is what it sends. */
  readonly direction: 'ingress' | 'egress';
  readonly max_kbps: number;
  /** Kilobits; 0 leaves the choice to the switch's side. */
  readonly max_burst_kbps: number;
}

export interface PacketRateLimitRule extends QosRuleIdentity {
  readonly type: 'packet_rate_limit';
  readonly direction: 'ingress' | 'egress';
  /** Thousands of packets a second. */
  readonly max_kpps: number;
  readonly max_burst_kpps: number;
}

export interface DscpMarkingRule extends QosRuleIdentity {
  readonly type: 'dscp_marking';
  readonly dscp_mark: number;
}

export type QosRuleRecord = BandwidthLimitRule | PacketRateLimitRule | DscpMarkingRule;

/** A policy with its rules, so that a change of several is one change. */
export interface QosPolicyRecord extends StandardAttributes, Taggable {
  readonly name: string;
  readonly shared: boolean;
  readonly is_default: boolean;
  readonly rules: readonly QosRuleRecord[];
}

/** Lets a project (`*` for all) see and use what another one owns. */
export interface RbacPolicyRecord {
  readonly id: string;
  readonly project_id: string;
  readonly object_type:
    | 'network'
    | 'security_group'
    | 'address_group'
    | 'qos_policy'
    | 'subnetpool'
    | 'address_scope';
  readonly object_id: string;
  readonly action: 'access_as_shared' | 'access_as_external';
  readonly target_tenant: string;
}

/** Written by a host's agent, never by the API. */
export interface BindingRecord {
  readonly host: string;
  /** ACTIVE only after the switch acknowledged the port's flows. */
  readonly status: 'ACTIVE' | 'DOWN';
}

/** The last state of a server's port that the compute service was told. Absent: down, as it was created. */
export interface ToldRecord {
  /** The server's id. */
  readonly server: string;
  readonly status: 'ACTIVE' | 'DOWN';
  /** Where it is ACTIVE; empty while it is DOWN. */
  readonly host: string;
  readonly revision: number;
}

export interface LinkLocalRecord {
  readonly port: string;
  readonly mac: string;
}

/** How an owner's claim came: nobody asked, or somebody did. */
export type ClaimForm = 'announcement' | 'answer';

/** Who holds an address that several ports may claim: the last of them that claimed it. */
export interface OwnerRecord {
  readonly port: string;
  /** The host that saw the claim: the port's. */
  readonly host: string;
  /** The MAC that the port uses the address with. */
  readonly mac: string;
  /** Grows by one with each change of owner. */
  readonly generation: number;
  /** By that host's clock: for people, compared with nothing. */
  readonly since: string;
  readonly how: ClaimForm;
}

/** The notes of administrators about a host. */
export interface AgentNote {
  readonly admin_state_up: boolean;
  readonly description: string | null;
}

/** What a host says of itself. It outlives the host; whether the host lives is said by its life (`keys.life`). */
export interface HostRecord {
  readonly name: string;
  /** When its agent began, in milliseconds since 1970 by its own clock: for people, compared with nothing. */
  readonly started?: number;
  /** Of its agent: of Portcullis, and of the records that it writes (schema-version.ts). */
  readonly version?: string;
  readonly schema_version?: number;
  /** `nova` where it says none. */
  readonly availability_zone?: string;
  /** The integration bridge and its `datapath_type`; the latter only after the agent has met the bridge. */
  readonly bridge?: string;
  readonly datapath_type?: string;
  /** Physical network to the bridge that reaches it; absent while there are none. */
  readonly bridge_mappings?: Readonly<Record<string, string>>;
}

/**
 * The bridge for those who plug interfaces (`binding:vif_details`): a wrong `datapath_type` makes them rewrite it.
 * And the host's tunnel endpoint, which other hosts use also while its agent is away.
 */
export interface BridgeRecord {
  readonly bridge: string;
  readonly datapath_type: string;
  /** Absent on a host without tunnels. */
  readonly tunnel_ip?: string;
  readonly tunnel_types?: readonly TunnelType[];
}

/** How far a host's switch has come: written when a server waits for that (`keys.syncTarget`). */
export interface AppliedRecord {
  /** All that the store held before it is on the switch. */
  readonly revision: number;
  /** Connections that were cut since its agent began, because rules no longer allow them. */
  readonly cut_total: number;
}

/**
 * A question that the API puts to agents through the store, so that it works whatever process they run in.
 * An agent that sees it at revision R answers only when all that the store held before R is on its switch.
 */
export type AskRecord =
  /** Every live host writes its HitRecords up to this moment, then answers `{}`. */
  | { readonly kind: 'hits' }
  /** The host that holds the port answers a CountersAnswer; the others do not answer. */
  | { readonly kind: 'counters'; readonly port: string; readonly network: string }
  /** The named host answers a CountersAnswer of drops that belong to no port; the others do not answer. */
  | { readonly kind: 'host-counters'; readonly host: string }
  /**
   * The host that holds the port answers an Explanation; the others do not answer. `frame` is hexadecimal. With `arrival`,
   * the packet has left the port's host, and each named host answers for its own ports.
   */
  | {
      readonly kind: 'explain';
      readonly port: string;
      readonly network: string;
      readonly frame: string;
      readonly arrival?: { readonly from: string; readonly at: readonly string[] };
    };

export interface DropCounter {
  /** Stable name of the reason, such as `arp-spoof`: a key of policy/drop-reasons.ts. */
  readonly reason: string;
  /** The direction as the guest sees it: egress is what it sent. */
  readonly direction: 'ingress' | 'egress';
  /** For drops by rules: `tcp`, `udp`, `icmp` (either family's), `sctp` or `other`. */
  readonly protocol?: string;
  readonly packets: number;
  readonly bytes: number;
}

/** What one security-group rule let in at one port (`''` where ports are not told apart). */
export interface HitCount {
  readonly packets: number;
  readonly bytes: number;
  /** Packets that began a connection; 0 for rules that are not tracked. */
  readonly connections: number;
  /** Milliseconds since 1970, to the precision of `looks`; null while never. */
  readonly first: number | null;
  readonly last: number | null;
}

/** A host's account of a rule, which only ever grows. Written by its agent, summed over hosts by the API. */
export interface HitRecord {
  readonly ports: Readonly<Record<string, HitCount>>;
  /** Where the switch's own counters stood: what an agent that starts again goes on from. */
  readonly switch: Readonly<Record<string, readonly [packets: number, bytes: number]>>;
  /** Milliseconds since 1970 of the look that it comes from. */
  readonly at: number;
}

/** How long a host has counted, and when counts were last lost (its switch had restarted). */
export interface HitWatchRecord {
  readonly since: number;
  readonly reset: number | null;
}

export interface CountersAnswer {
  readonly drops: readonly DropCounter[];
}
