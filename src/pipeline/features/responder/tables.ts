/** The responder: ARP requests and neighbour solicitations that the switch answers itself. */
import { after } from '../../positions.ts';
import { register } from '../../registers.ts';
import type { TableRow } from '../../rows.ts';

const { source, network, flags, origin } = register;

export const responderTables = {
  /** Answers requests for known addresses. */
  responder: {
    id: 20,
    match: [
      source,
      network,
      flags,
      origin,
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
    neutral: 'all',
    // The first six: of isolated networks (features/isolation).
    bands: {
      confinedOwn: 390,
      announced: 380,
      together: 370,
      proxied: 360,
      linkLocal: 355,
      prefix: 350,
      unguarded: 310,
      probe: 300,
      ownAddress: 250,
      known: 200,
      none: 0,
    },
    uses: ['mpls'],
    resubmit: ['answer_limit'],
    rewrite: ['eth_src', 'eth_dst', 'arp_op', 'arp_sha', 'arp_spa', 'arp_tha', 'arp_tpa'],
    output: ['in_port'],
    next: [after('responder'), 'answer_nd'],
  },
  /** The solicitation becomes an advertisement. */
  answer_nd: {
    id: 21,
    match: [
      network,
      flags,
      origin,
      'eth_type',
      'ip_proto',
      'ipv6_src',
      'icmpv6_type',
      'icmpv6_code',
      'nd_target',
    ],
    neutral: 'all',
    bands: {
      probeTogether: 240,
      together: 230,
      probeProxied: 220,
      proxied: 210,
      probeLinkLocal: 206,
      linkLocal: 204,
      prefix: 150,
      known: 100,
      miss: 0,
    },
    rewrite: ['eth_src', 'eth_dst', 'ipv6_src', 'ipv6_dst', 'icmpv6_type', 'nd_reserved', 'nd_options_type'],
    next: ['answer_tll'],
  },
  /** Writes what only an advertisement has. */
  answer_tll: {
    id: 22,
    match: ['eth_type', 'ip_proto', 'icmpv6_type'],
    neutral: 'all',
    bands: { advertisement: 100, miss: 0 },
    rewrite: ['nd_tll'],
    output: ['in_port'],
  },
  /** Visited on the way to an answer and left again: limits the answers for a port. A miss here drops nothing. */
  answer_limit: { id: 23, match: [network, source], neutral: 'all', bands: { port: 100 }, uses: ['meter'] },
} as const satisfies Record<string, TableRow>;

/** Why packets go on, or what happens to them. */
export const responderReasons = {
  answer: 'the switch answers',
  'answer-meter': 'limits the answers for a port',
  'own-address': 'the asker may have the address itself: not answered',
  unguarded: 'nothing follows from what an unguarded sender asks: not answered',
  probe: 'probes are never answered',
  'not-answered': 'nothing to answer',
} as const;
