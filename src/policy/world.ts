/**
 * The world that policy judges by: Neutron's records with addresses parsed and defaults resolved.
 * Both the reference evaluator and the pipeline read it, so it holds facts, no verdicts and no OpenFlow.
 */
import type { PortRole } from '../model/records.ts';
import type { TunnelType, Vtep } from '../model/vtep.ts';
import type { Cidr, Family } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';

declare const networkBrand: unique symbol;
declare const subnetBrand: unique symbol;
declare const portBrand: unique symbol;
declare const groupBrand: unique symbol;
declare const ruleBrand: unique symbol;
declare const addressGroupBrand: unique symbol;
declare const qosPolicyBrand: unique symbol;
declare const routerBrand: unique symbol;
export type NetworkId = string & { readonly [networkBrand]: true };
export type SubnetId = string & { readonly [subnetBrand]: true };
export type PortId = string & { readonly [portBrand]: true };
export type GroupId = string & { readonly [groupBrand]: true };
export type RuleId = string & { readonly [ruleBrand]: true };
export type AddressGroupId = string & { readonly [addressGroupBrand]: true };
export type QosPolicyId = string & { readonly [qosPolicyBrand]: true };
export type RouterId = string & { readonly [routerBrand]: true };

/** Where a network is on a physical network (Neutron's types `flat` and `vlan`). */
export interface PhysicalSegment {
  /** The name of the physical network. */
  readonly network: string;
  /** Null: frames without a tag. */
  readonly vlan: number | null;
}

export interface Network {
  readonly id: NetworkId;
  readonly adminUp: boolean;
  /** Address pairs may claim addresses of gateways, of DHCP servers and of the metadata service. */
  readonly allowsReservedPairs: boolean;
  /** What is for a MAC of several ports goes to all of them, and not to the owner of its addresses alone. */
  readonly broadcastsPairs: boolean;
  /** The roles of its ports decide who may reach whom. */
  readonly isolated: boolean;
  /** In an isolated network: who is unknown on its physical network counts as promiscuous, not as isolated. */
  readonly trustsPhysical: boolean;
  /** In an isolated network: routers send packets back to the network that they came from. */
  readonly hairpin: boolean;
  /** For ports of the network without a policy of their own. */
  readonly qosPolicy: QosPolicyId | null;
  /** The largest IP packet in bytes; absent where any fits. */
  readonly mtu?: number;
  /** Absent where tunnels carry it between hosts. */
  readonly physical?: PhysicalSegment;
  /** The only kind of tunnel that carries it; absent for the first that two hosts have. */
  readonly tunnel?: TunnelType;
}

export interface Subnet {
  readonly id: SubnetId;
  readonly network: NetworkId;
  readonly cidr: Cidr;
  readonly gateway: Cidr | null;
  /** Of a gateway that is no port of this cloud; null where nobody named it. */
  readonly gatewayMac: Mac | null;
  /** The host of each port answers its DHCP or DHCPv6 requests, unless the network has a port that may serve. */
  readonly dhcp: boolean;
  /** The host of each port sends router advertisements of it, unless somebody else may. */
  readonly advertised: boolean;
}

/** An address or prefix that a port may use with one MAC. */
export interface Pair {
  readonly mac: Mac;
  readonly ip: Cidr;
}

/** strict: its pairs only. mac-only: any address from its own MACs. off: any frame, no security groups. */
export type GuardMode = 'strict' | 'mac-only' | 'off';

/** Where a port may appear beside its host, because it is about to move there. */
export interface Arrival {
  readonly host: string;
  /** In [1, 65535]: tells one attempt to move from the next. */
  readonly number: number;
}

export interface Port {
  readonly id: PortId;
  readonly network: NetworkId;
  readonly adminUp: boolean;
  readonly mac: Mac;
  readonly fixedIps: readonly Cidr[];
  /** Allowed address pairs; fixed IPs are not among them. */
  readonly pairs: readonly Pair[];
  readonly mode: GuardMode;
  /** It may answer DHCP clients. */
  readonly dhcpServer: boolean;
  /** It belongs to a service of the cloud, such as a router or DHCP: its fixed IPs are reserved. */
  readonly cloudOwned: boolean;
  /** Means nothing where the network is not isolated. */
  readonly role: PortRole;
  readonly groups: readonly GroupId[];
  readonly qosPolicy: QosPolicyId | null;
  /** The host that has it, or that is asked to; null when there is none. */
  readonly host: string | null;
  /** Absent while it is not about to move. */
  readonly arrival?: Arrival;
}

export interface Group {
  readonly id: GroupId;
  /** Of a stateless group, rules judge every packet by itself, answers too. */
  readonly stateful: boolean;
}

export interface AddressGroup {
  readonly id: AddressGroupId;
  readonly addresses: readonly Cidr[];
}

/** A token bucket: amount a second, and the largest burst. */
export interface Limit {
  readonly rate: number;
  readonly burst: number;
}

/** The limits of a QoS policy in one direction. */
export interface QosLimits {
  /** Kilobits. */
  readonly bandwidth: Limit | null;
  /** Packets. */
  readonly packets: Limit | null;
}

export interface QosPolicy {
  readonly id: QosPolicyId;
  /** As the guest sees it. */
  readonly egress: QosLimits;
  readonly ingress: QosLimits;
  /** The DSCP of everything that the port sends, in [0, 63]. */
  readonly dscp: number | null;
}

/** A rule's L4 match: its protocol, and its ports or types and codes. ICMP type 0 is a value; code null is any. */
export type L4Match =
  | { readonly kind: 'any' }
  | { readonly kind: 'protocol'; readonly protocol: number }
  | { readonly kind: 'ports'; readonly protocol: number; readonly min: number; readonly max: number }
  | { readonly kind: 'icmp'; readonly protocol: 1 | 58; readonly type: number; readonly code: number | null };

export type Remote =
  | { readonly kind: 'any' }
  | { readonly kind: 'prefix'; readonly prefix: Cidr }
  | { readonly kind: 'group'; readonly group: GroupId }
  | { readonly kind: 'addresses'; readonly group: AddressGroupId };

export type Direction = 'ingress' | 'egress';

export interface Rule {
  readonly id: RuleId;
  readonly group: GroupId;
  readonly direction: Direction;
  readonly family: Family;
  readonly l4: L4Match;
  readonly remote: Remote;
}

/** A link-local address that passed duplicate-address detection on a port. */
export interface LinkLocal {
  readonly network: NetworkId;
  readonly address: Cidr;
  readonly port: PortId;
  readonly mac: Mac;
}

/** The port that claimed an address last, with one of its MACs. It may since have lost the right to the address. */
export interface Owner {
  readonly network: NetworkId;
  readonly address: Cidr;
  readonly port: PortId;
  readonly mac: Mac;
  /** Grows with each change of owner. */
  readonly generation: number;
}

/** A route beside those to the router's own subnets. */
export interface RouterRoute {
  readonly destination: Cidr;
  readonly nextHop: Cidr;
}

export interface Router {
  readonly id: RouterId;
  readonly adminUp: boolean;
  /** Its ports on networks. A port is one router's at most. */
  readonly ports: readonly PortId[];
  readonly routes: readonly RouterRoute[];
}

export interface World {
  readonly networks: ReadonlyMap<NetworkId, Network>;
  readonly subnets: ReadonlyMap<SubnetId, Subnet>;
  readonly ports: ReadonlyMap<PortId, Port>;
  /** A group that is not here is stateful. */
  readonly groups: ReadonlyMap<GroupId, Group>;
  readonly rules: ReadonlyMap<RuleId, Rule>;
  readonly addressGroups: ReadonlyMap<AddressGroupId, AddressGroup>;
  readonly linkLocals: readonly LinkLocal[];
  readonly owners: readonly Owner[];
  readonly routers: ReadonlyMap<RouterId, Router>;
  /** The tunnel endpoints of hosts. A host that is not here reaches its own ports only. */
  readonly vteps: ReadonlyMap<string, Vtep>;
  /** The physical networks that each host is bridged to. */
  readonly bridged: ReadonlyMap<string, ReadonlySet<string>>;
  /** Ports that have announced themselves where they arrive. Switches learn it; no record says it. */
  readonly announced?: ReadonlySet<PortId>;
}
