/**
 * The pipeline on one page: every table, what it may match, which registers it may load, and where it may go.
 * A flow that breaks its table's row does not type-check. Numbers leave gaps for stages to come; names are set
 * on the switch, so a dump reads by itself.
 */
import type { FieldName } from '../openflow/index.ts';

/** What each register carries; they hold constants only, never copies of header fields. */
export const register = {
  /** Key of the port that sent the packet: unique in its network only. */
  source: 'reg0',
  /** Conntrack zone of the network on this host. */
  zone: 'reg1',
  /** Key of the network, the same on every host. */
  network: 'reg11',
  /** Id of the set of security groups of the sender. */
  sourceSet: 'reg2',
  /** Key of the port that shall get the packet. */
  destination: 'reg3',
  destinationSet: 'reg4',
  /** Scratch: class of the peer's address, the set of locally named groups that it belongs to. */
  peer: 'reg5',
  /** Scratch: the same for address groups, which mean the same in every network. */
  addresses: 'reg8',
  flags: 'reg6',
  /** On each way of a packet that goes to several holders of one MAC: 1, and behind bit 0 the number of the copy. */
  copy: 'reg7',
  /** 1: the packet goes to a port where DHCP's servers or clients listen. */
  dhcp: 'reg9',
  /** Which fields the rules of the set need to match, as bits of `need`. */
  needs: 'reg10',
  /** Scratch: 1 when the address that the packet speaks from, or for, is one that no prefix pair gives. */
  sourceReserved: 'reg12',
  targetReserved: 'reg13',
} as const;

export const flag = {
  /** The sender is not on the connection's record: once its rules have let the packet out, it is put there. */
  senderIsNew: 1,
  /** The sender is not held to its addresses, so nothing may be concluded from what it claims. */
  unguarded: 2,
  /** The sender's packets are not tracked on their way out: each receiver that tracks looks them up by itself. */
  untracked: 4,
  /** The same of the receiver. */
  receiverIsNew: 8,
  /** It came in pieces: behind the lookup a kernel's datapath shows it as one whole packet. */
  piece: 16,
} as const;

/** The fields that rules may need beside the protocol. */
export const need = {
  /** Ports, or types and codes. */
  l4: 1,
  /** The peer's address. */
  peer: 2,
} as const;

interface TableRow {
  readonly id: number;
  readonly match: readonly FieldName[];
  readonly load: readonly FieldName[];
  readonly next: readonly string[];
  /** The switch itself fills it, by `learn`: what is in it is never compared with what is wanted. */
  readonly learnt?: true;
}

const {
  source,
  zone,
  network,
  sourceSet,
  destination,
  destinationSet,
  peer,
  addresses,
  flags,
  copy,
  dhcp,
  needs,
} = register;
const { sourceReserved, targetReserved } = register;
const port4 = ['udp_src', 'udp_dst'] as const;
const tracked = ['ct_state', 'ct_label', 'ct_mark'] as const;
const originalTuple = ['ip_frag', 'ct_nw_proto', 'ct_tp_src', 'ct_tp_dst'] as const;
const service = [
  'eth_dst',
  copy,
  'eth_type',
  'ip_proto',
  'tcp_dst',
  'udp_dst',
  'sctp_dst',
  'icmp_type',
  'icmp_code',
  'icmpv6_type',
  'icmpv6_code',
  ...tracked,
  ...originalTuple,
] as const;

export const tables = {
  /** in_port → who sends, in which network, with which groups. */
  classify: {
    id: 0,
    match: ['in_port'],
    load: [source, zone, network, sourceSet, flags],
    next: ['guard_mac', 'responder'],
  },
  /** Untagged, from one of the port's own MACs. */
  guard_mac: {
    id: 1,
    match: [source, network, 'vlan_vid', 'eth_src'],
    load: [],
    next: ['reserved_source', 'guard_type'],
  },
  /** For ports with prefix pairs: addresses of the network that belong to somebody, then those that nobody can have. */
  reserved_source: {
    id: 2,
    match: [network, 'eth_type', 'ip_src', 'ipv6_src', 'arp_spa'],
    load: [sourceReserved],
    next: ['reserved_target'],
  },
  reserved_target: {
    id: 3,
    match: [network, 'eth_type', 'ip_proto', 'arp_tpa', 'icmpv6_type', 'icmpv6_code', 'nd_target'],
    load: [targetReserved],
    next: ['guard_type'],
  },
  guard_type: {
    id: 4,
    match: [source, network, 'eth_type', 'ip_proto', 'icmpv6_type', 'udp_dst'],
    load: [dhcp],
    next: ['guard_arp', 'guard_nd', 'guard_igmp', 'guard_ip'],
  },
  /** ARP and RARP: eth_src, sha and spa of one pair. */
  guard_arp: {
    id: 5,
    match: [
      source,
      network,
      sourceReserved,
      targetReserved,
      'eth_type',
      'eth_src',
      'arp_op',
      'arp_sha',
      'arp_spa',
      'arp_tha',
      'arp_tpa',
    ],
    load: [],
    next: ['responder'],
  },
  /** Neighbour and multicast-listener discovery: targets and link-layer options; sources are guard_ip's. */
  guard_nd: {
    id: 6,
    match: [
      source,
      network,
      targetReserved,
      'eth_type',
      'eth_src',
      'ip_proto',
      'nw_ttl',
      'icmpv6_type',
      'icmpv6_code',
      'ipv6_src',
      'ipv6_dst',
      'nd_target',
      'nd_sll',
      'nd_tll',
    ],
    load: [],
    next: ['guard_ip', 'responder'],
  },
  /** IGMP, by where it goes. */
  guard_igmp: {
    id: 7,
    match: [source, network, 'eth_type', 'ip_proto', 'ip_dst'],
    load: [],
    next: ['guard_ip'],
  },
  guard_ip: {
    id: 9,
    match: [
      source,
      network,
      sourceReserved,
      dhcp,
      'eth_type',
      'eth_src',
      'ip_proto',
      'ip_src',
      'ipv6_src',
      'icmp_type',
      ...port4,
    ],
    load: [],
    next: ['egress_ct', 'responder'],
  },
  /** The one conntrack lookup of a packet that a guarded port sent. */
  egress_ct: {
    id: 10,
    match: [source, network, dhcp, 'eth_type', 'ip_proto', 'ip_frag', 'icmpv6_type', ...port4],
    load: [flags],
    next: ['egress_state', 'egress_needs', 'responder'],
  },
  egress_state: {
    id: 11,
    match: [zone, source, network, flags, 'eth_dst', 'eth_type', 'ip_proto', ...tracked, ...originalTuple],
    load: [network, flags],
    next: ['egress_known', 'egress_needs', 'egress_qos'],
  },
  /** Of a sender on record: while nobody has answered, rules judge, and count, whole packets again. */
  egress_known: {
    id: 12,
    match: ['eth_type', 'ip_frag', 'ct_state'],
    load: [],
    next: ['egress_needs', 'egress_qos'],
  },
  /** Which fields the rules of the sender's set need. */
  egress_needs: { id: 13, match: [sourceSet, 'eth_type'], load: [needs], next: ['egress_whole'] },
  /** Un-wildcards these fields (see stages/needs.ts). */
  egress_whole: {
    id: 14,
    match: [needs, 'eth_type', 'ip_proto'],
    load: [],
    next: ['egress_peer', 'egress_rules'],
  },
  egress_peer: {
    id: 15,
    match: [network, 'eth_type', 'ip_dst', 'ipv6_dst'],
    load: [peer],
    next: ['egress_addresses'],
  },
  egress_addresses: {
    id: 16,
    match: ['eth_type', 'ip_dst', 'ipv6_dst'],
    load: [addresses],
    next: ['egress_rules'],
  },
  egress_rules: {
    id: 17,
    match: [
      source,
      network,
      sourceSet,
      peer,
      addresses,
      flags,
      needs,
      'conj_id',
      'ip_dst',
      'ipv6_dst',
      ...service,
    ],
    load: [],
    next: ['egress_qos'],
  },
  /** Answers ARP requests and neighbour solicitations for known addresses. */
  responder: {
    id: 20,
    match: [
      source,
      network,
      flags,
      'eth_type',
      'eth_dst',
      'ip_proto',
      'nw_ttl',
      'arp_op',
      'arp_spa',
      'arp_tpa',
      'icmpv6_type',
      'icmpv6_code',
      'ipv6_src',
      'ipv6_dst',
      'nd_target',
      'nd_options_type',
    ],
    load: [],
    next: ['egress_qos', 'answer_nd'],
  },
  /** The solicitation becomes an advertisement. */
  answer_nd: {
    id: 21,
    match: [network, 'eth_type', 'ip_proto', 'icmpv6_type', 'icmpv6_code', 'nd_target'],
    load: [],
    next: ['answer_tll'],
  },
  /** What only a packet that is an advertisement already can get. */
  answer_tll: { id: 22, match: ['eth_type', 'ip_proto', 'icmpv6_type'], load: [], next: [] },
  /** Visited on the way to an answer and left again: how many a port may have. */
  answer_limit: { id: 23, match: [source, network], load: [], next: [] },
  /** What the sender's policy says of how much and how marked, once it is known that it may be sent at all. */
  egress_qos: { id: 30, match: [source, network, 'eth_type'], load: [], next: ['egress_packets', 'l2'] },
  egress_packets: { id: 31, match: [source, network], load: [], next: ['l2'] },
  /** Destination MAC → the port or ports that hold it. */
  l2: {
    id: 35,
    match: [zone, source, network, flags, copy, 'eth_dst', 'eth_type', 'ip_frag', 'ct_state'],
    load: [network, destination, destinationSet, copy],
    next: ['ingress_type', 'commit'],
  },
  /** As guard_type, for what the receiving side looks at. */
  ingress_type: {
    id: 37,
    match: ['eth_type', 'ip_proto', 'udp_dst'],
    load: [dhcp],
    next: ['ingress_guard'],
  },
  /** A port hears its own addresses, broadcast and multicast. */
  ingress_guard: {
    id: 38,
    match: [source, network, destination, 'vlan_vid', 'eth_type', 'ip_dst', 'ipv6_dst'],
    load: [],
    next: ['ingress_ct', 'commit'],
  },
  ingress_ct: {
    id: 39,
    match: [
      destination,
      network,
      dhcp,
      'eth_type',
      'ip_proto',
      'ip_frag',
      'icmpv6_type',
      'ct_state',
      ...port4,
    ],
    load: [],
    next: ['ingress_state', 'ingress_needs', 'commit'],
  },
  ingress_state: {
    id: 40,
    match: [destination, network, copy, 'eth_dst', 'eth_type', 'ip_proto', 'ip_frag', ...tracked],
    load: [flags],
    next: ['ingress_known', 'ingress_needs', 'commit'],
  },
  ingress_known: {
    id: 41,
    match: ['eth_type', 'ip_frag', 'ct_state'],
    load: [],
    next: ['ingress_needs', 'commit'],
  },
  ingress_needs: {
    id: 42,
    match: [zone, network, destinationSet, 'eth_type'],
    load: [network, needs],
    next: ['ingress_whole'],
  },
  ingress_whole: {
    id: 43,
    match: [needs, 'eth_type', 'ip_proto'],
    load: [],
    next: ['ingress_peer', 'ingress_rules'],
  },
  ingress_peer: {
    id: 44,
    match: [network, 'eth_type', 'ip_src', 'ipv6_src'],
    load: [peer],
    next: ['ingress_addresses'],
  },
  ingress_addresses: {
    id: 45,
    match: ['eth_type', 'ip_src', 'ipv6_src'],
    load: [addresses],
    next: ['ingress_rules'],
  },
  ingress_rules: {
    id: 46,
    match: [
      destination,
      network,
      destinationSet,
      peer,
      addresses,
      flags,
      needs,
      'conj_id',
      'ip_src',
      'ipv6_src',
      ...service,
    ],
    load: [],
    next: ['commit'],
  },
  /** After the last verdict on this host: whether there is anything to be remembered. */
  commit: {
    id: 48,
    match: [flags, copy, 'eth_dst', 'eth_type', 'ip_frag', 'ct_state'],
    load: [],
    next: ['remember', 'ingress_qos'],
  },
  /** The connection's record gets the ports that have just admitted it. Records are read here only, where it is needed. */
  remember: {
    id: 49,
    match: [flags, copy, 'eth_type', 'ip_frag', 'ct_state', 'ct_label'],
    load: [],
    next: ['committed', 'ingress_qos'],
  },
  /** Of what comes out of a commit that puts pieces together: only what is of the connection goes on. */
  committed: {
    id: 50,
    match: [zone, destination, network, ...tracked],
    load: [network],
    next: ['ingress_qos'],
  },
  /** What the receiver's policy says of how much. */
  ingress_qos: {
    id: 51,
    match: [destination, network],
    load: [],
    next: ['ingress_bandwidth', 'ingress_packets', 'dispatch'],
  },
  ingress_bandwidth: {
    id: 52,
    match: [destination, network],
    load: [],
    next: ['ingress_packets', 'dispatch'],
  },
  ingress_packets: { id: 53, match: [destination, network], load: [], next: ['dispatch'] },
  dispatch: { id: 54, match: [destination, network], load: [], next: [] },
} as const satisfies Record<string, TableRow>;

export type TableName = keyof typeof tables;
export type MatchField<T extends TableName> = (typeof tables)[T]['match'][number];
export type LoadField<T extends TableName> = (typeof tables)[T]['load'][number];
export type NextTable<T extends TableName> = (typeof tables)[T]['next'][number];

/** Tables that the switch itself fills. */
export const learntTables: ReadonlySet<number> = new Set(
  Object.values<TableRow>(tables).flatMap(({ id, learnt }) => (learnt === true ? [id] : [])),
);

/** For the switch's own listing: table id → name. */
export const tableNames: ReadonlyMap<number, TableName> = new Map(
  (Object.keys(tables) as TableName[]).map((name) => [tables[name].id, name]),
);
