/**
 * Every reason to drop a packet, and what it means. The evaluator, the flows and the counters use these names;
 * docs/operations.md has the same table, and a test keeps it equal.
 */
export const dropReasons = {
  'vlan-tagged': 'the frame has a VLAN tag',
  'multicast-source': 'the source MAC is a multicast address',
  'mac-spoof': "the source MAC is not one of the port's",
  ethertype: 'something other than IP, ARP and RARP',
  'arp-spoof': 'the sender of an ARP message, or the target of an ARP probe, is not the port',
  'nd-spoof':
    "target or link-layer option of neighbour discovery is not the port's, or the hop limit or code is one that RFC 4861 forbids",
  'link-local-taken': 'a probe for a link-local address that another port or the network has',
  'dad-pending': 'the agent judges a probe for a new link-local address; explain alone says this',
  'dhcp-server': 'UDP for the port where DHCP clients listen (68, or 546 of IPv6), from any port',
  ra: 'a router advertisement of ICMP or ICMPv6',
  redirect: 'a redirect of ICMP or ICMPv6',
  'mld-query': 'a multicast listener query',
  'igmp-query': 'IGMP to all hosts or to one host, as queries are sent',
  'router-message':
    'what only routers send: renumbering (RFC 2894), RPL (RFC 6550), multicast router messages (RFC 4286)',
  'ip-spoof': 'a source address that the port may not use with that MAC',
  'ct-invalid': 'connection tracking finds the packet invalid',
  'stray-fragment': 'a fragment that conntrack released without its connection, or a fragmented ICMP error',
  'egress-rules':
    "no rule of the sender's security groups lets it out; by protocol: `tcp`, `udp`, `icmp` (either family's), `sctp`, `other`",
  'ingress-rules': "no rule of the receiver's security groups lets it in; by protocol as `egress-rules`",
  'foreign-destination': "the destination is the port's MAC, but another address than the port's",
  'unknown-destination': 'no port of this host has the destination MAC',
  'admin-down': '`admin_state_up` of the port or of its network is false',
  'qos-bandwidth':
    "over a bandwidth limit of the port's QoS policy; counted anew after each change of the limit",
  'qos-packets':
    "over a packet rate limit of the port's QoS policy; counted anew after each change of the limit",
  'answer-limit':
    'ARP requests and neighbour solicitations beyond the rate at which the switch answers a port',
  'punt-limit': 'packets for the agent beyond the rate that a port may send it',
  'unknown-port': 'from an interface that names no port of this host',
  isolated: 'the roles of the ports of an isolated network forbid it',
  'gone-port': 'for a port that has left this host',
  'unknown-vtep': 'through a tunnel, from an address that is no tunnel endpoint of a host in the store',
  'tunnel-network': 'through a tunnel, of a network that has no port here',
  'tunnel-sender': 'through a tunnel, from a port that the store does not place on the sending host',
  'no-route': 'a router has no route to the destination, or routes no packet with such addresses',
  'ttl-exceeded': 'a router got a packet with a TTL or hop limit of 1 or 0',
  unresolved: 'a router finds no port, or several, with the address of the next hop',
  'too-big': 'a router got a packet that is larger than the MTU of the network that it goes to',
  'router-address': 'for an address of a router, and not an echo request',
  'unknown-vlan':
    'from a physical network, of a VLAN (or without a tag) that no network with a port here has',
  'physical-spoof': 'from a physical network, with the MAC of a port of this host as its source',
  'not-arrived': 'from a host that the port is to move to, before the port has announced itself there',
  'moved-away': 'from the host that a port leaves, after it has announced itself on another one',
  'no-flow': 'no flow of a table matched: please report it',
} as const satisfies Readonly<Record<string, string>>;

export type DropReason = keyof typeof dropReasons;
