/** Egress guards: what a port may claim to be, one table for each kind of claim. */
import { after } from '../../positions.ts';
import { register } from '../../registers.ts';
import type { TableRow } from '../../rows.ts';

const { source, network, dhcp, sourceReserved, targetReserved } = register;

export const guardTables = {
  /** Untagged, from one of the port's own MACs. */
  guard_mac: {
    id: 1,
    match: [network, source, 'vlan_vid', 'eth_src'],
    bands: { tagged: 200, groupSource: 150, own: 100, spoofed: 1, miss: 0 },
    unwildcard: ['eth_src'],
    next: ['reserved_source', 'guard_type', after('egressRules')],
  },
  /** For ports with prefix pairs: marks addresses of the network that others hold, and those that no port can have. */
  reserved_source: {
    id: 2,
    match: [network, 'eth_type', 'ip_src', 'ipv6_src', 'arp_spa'],
    bands: { reserved: 100, free: 1, rest: 0 },
    load: [sourceReserved],
    unwildcard: ['ip_src', 'ipv6_src'],
    next: ['reserved_target'],
  },
  reserved_target: {
    id: 3,
    match: [network, 'eth_type', 'ip_proto', 'arp_tpa', 'icmpv6_type', 'icmpv6_code', 'nd_target'],
    bands: { reserved: 100, rest: 0 },
    load: [targetReserved],
    next: ['guard_type'],
  },
  /** Which guard judges the packet. */
  guard_type: {
    id: 4,
    match: [network, source, 'eth_type', 'ip_proto', 'icmpv6_type', 'udp_dst'],
    bands: { dhcp: 130, lowPorts: 120, message: 110, protocol: 105, family: 100, other: 1, miss: 0 },
    load: [dhcp],
    unwildcard: [
      'eth_dst',
      'arp_op',
      'arp_sha',
      'arp_spa',
      'arp_tpa',
      'ip_src',
      'ip_dst',
      'ipv6_src',
      'ipv6_dst',
      'nw_ttl',
      'icmp_type',
      'icmpv6_type',
      'icmpv6_code',
      'udp_src',
      'udp_dst',
    ],
    next: ['guard_arp', 'guard_nd', 'guard_igmp', 'guard_ip'],
  },
  /** ARP and RARP: eth_src, sha and spa of one pair. */
  guard_arp: {
    id: 5,
    match: [
      network,
      source,
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
    bands: { own: 100, probe: 90, spoofed: 1, miss: 0 },
    next: [after('egressRules')],
  },
  /** Neighbour and listener discovery: targets and link-layer options; guard_ip judges the sources. */
  guard_nd: {
    id: 6,
    match: [
      network,
      source,
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
    bands: {
      noTarget: 130,
      unspecified: 120,
      newLinkLocal: 115,
      prefixProbe: 112,
      foreignProbe: 110,
      own: 100,
      forbidden: 50,
      spoofed: 1,
      miss: 0,
    },
    output: ['controller'],
    next: ['guard_ip', after('egressRules')],
  },
  /** IGMP, by its destination. */
  guard_igmp: {
    id: 7,
    match: [network, source, 'eth_type', 'ip_proto', 'ip_dst'],
    bands: { forbidden: 200, group: 100, other: 1, miss: 0 },
    next: ['guard_ip'],
  },
  /** Source addresses of IP; what only DHCP servers and routers may send. */
  guard_ip: {
    id: 9,
    match: [
      network,
      source,
      sourceReserved,
      dhcp,
      'eth_type',
      'eth_src',
      'ip_proto',
      'ip_src',
      'ipv6_src',
      'icmp_type',
      'udp_src',
      'udp_dst',
    ],
    bands: { forbidden: 300, dhcpClient: 200, own: 100, spoofed: 1, miss: 0 },
    unwildcard: ['ip_src', 'ipv6_src'],
    next: [after('egressGuard'), after('egressRules')],
  },
} as const satisfies Record<string, TableRow>;

/** Why packets go on, or what happens to them. */
export const guardReasons = {
  'own-mac': "one of the port's MACs; all that `mac-only` asks for",
  reserved: 'another port or the network has the address: no prefix pair gives it',
  unusable: 'no port can have the address: no prefix pair gives it',
  free: 'a prefix pair may give the address',
  arp: 'ARP goes to its guard',
  rarp: 'RARP goes to the guard of ARP',
  nd: 'neighbour and listener discovery go to their guard',
  icmpv6: 'other ICMPv6',
  icmp: 'ICMP',
  dhcp: 'UDP for a DHCP port',
  udp: 'other UDP',
  ipv4: 'other IPv4',
  ipv6: 'other IPv6',
  igmp: 'IGMP goes to its guard',
  multicast: 'IGMP to a group',
  pair: 'the addresses are one pair of the port',
  probe: "an ARP probe for the port's own address",
  ns: 'a neighbour solicitation with own addresses',
  na: 'a neighbour advertisement with own addresses',
  rs: 'a router solicitation',
  ra: 'a router advertisement of a trusted port',
  'mld-report': 'a multicast listener report',
  dad: "a probe for the port's own IPv6 address",
  'link-local-probe': 'a probe for a link-local address that no port has: the agent judges it',
  'dhcp-client': 'a DHCP client without an address',
} as const;
