/** Routers: the way of a packet from a router's port to the next network, and what a router says itself. */
import { register } from '../../registers.ts';
import type { TableRow } from '../../rows.ts';

const { source, zone, network, destination, flags, copy, host, router, fault, origin } = register;

export const routingTables = {
  /** Router and destination → the port by which the packet leaves the router. The longest prefix wins. */
  route: {
    id: 56,
    match: [
      router,
      network,
      fault,
      'eth_type',
      'ip_proto',
      'ip_frag',
      'nw_ttl',
      'ip_src',
      'ip_dst',
      'ipv6_src',
      'ipv6_dst',
      'icmp_type',
      'icmp_code',
      'icmpv6_type',
      'icmpv6_code',
    ],
    bands: { echo: 700, own: 600, unroutable: 500, expired: 400, prefix: [100, 357], none: 1, miss: 0 },
    load: [source, zone, network, flags, copy, host, fault, origin],
    uses: ['ct_clear', 'dec_ttl', 'check_pkt_larger'],
    rewrite: [
      'eth_src',
      'eth_dst',
      'ip_src',
      'ip_dst',
      'ipv6_src',
      'ipv6_dst',
      'nw_ttl',
      'icmp_type',
      'icmpv6_type',
      'in_port_nxm',
    ],
    resubmit: ['route', 'l2', 'router_error'],
    next: ['next_hop', 'router_answer', 'router_end'],
  },
  /** The MAC of a destination on the network that the packet was routed to. */
  next_hop: {
    id: 57,
    match: [network, 'eth_type', 'ip_dst', 'ipv6_dst'],
    bands: { known: 100, unknown: 0 },
    load: [fault],
    rewrite: ['eth_dst'],
    resubmit: ['l2', 'router_error'],
    next: ['router_end'],
  },
  /** A router's own packets leave by the port that the question came to. */
  router_answer: {
    id: 58,
    match: [network, destination],
    bands: { port: 100, miss: 0 },
    load: [source, flags, host, origin],
    rewrite: ['eth_src'],
    resubmit: ['l2'],
  },
  /**
   * Visited by packets that a router ends: the agent gets them, and tells their senders. Metadata names the interface that the
   * packet came in by, so each port has a limit of its own behind any number of routers. A miss here drops nothing.
   */
  router_error: {
    id: 59,
    match: [origin],
    neutral: 'all',
    bands: { port: 100 },
    output: ['controller'],
  },
  /** Counts by their faults the packets that a router ends. */
  router_end: { id: 60, match: [fault], bands: { fault: 100, miss: 0 } },
} as const satisfies Record<string, TableRow>;

/** Why packets go on, or what happens to them. */
export const routingReasons = {
  router: 'for a router that has a port of its network here',
  routed: 'the longest prefix that holds the destination',
  'next-hop': 'one MAC has the destination',
  echo: 'the router answers',
  size: 'the way may be too narrow: asks for the size',
  fault: 'the router cannot send it on',
  'router-error': 'the agent tells the sender',
} as const;
