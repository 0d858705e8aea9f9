/** Connection tracking on both sides: the lookup, and what the connection's record says of the port. */
import { after } from '../../positions.ts';
import { register } from '../../registers.ts';
import type { TableRow } from '../../rows.ts';

const { source, destination, zone, network, dhcp, flags, copy } = register;
const ports = ['udp_src', 'udp_dst'] as const;
const tracked = ['ct_state', 'ct_label', 'ct_mark'] as const;

/** Each place on a connection's record has a priority of its own. */
const established = [298, 300] as const;

export const trackingTables = {
  /** The one conntrack lookup of a packet that a guarded port sent. */
  egress_ct: {
    id: 10,
    match: [network, source, dhcp, 'eth_type', 'ip_proto', 'ip_frag', 'icmpv6_type', ...ports],
    neutral: 'all',
    bands: { always: 200, piece: 170, unreadable: 160, untracked: 150, lookup: 100, miss: 0 },
    load: [flags],
    lookup: ['egress_state'],
    next: [after('egressTracking'), after('egressRules')],
  },
  egress_state: {
    id: 11,
    match: [
      zone,
      network,
      source,
      flags,
      'eth_dst',
      'eth_type',
      'ip_proto',
      ...tracked,
      'ip_frag',
      'tcp_flags',
      'ct_nw_proto',
      'ct_tp_src',
      'ct_tp_dst',
    ],
    neutral: ['heldLookup', 'established', 'moved'],
    bands: {
      wholeRecord: 1100,
      heldLookup: 1000,
      forbiddenPiece: 310,
      sctp: 305,
      established,
      invalid: 250,
      laterPiece: 200,
      moved: 100,
      unknown: 0,
    },
    output: ['controller'],
    load: [network, flags],
    resubmit: ['egress_state'],
    next: ['egress_known', after('egressTracking'), after('responder')],
  },
  /** The sender is on the record: rules judge, and count, whole packets again while nobody has answered. */
  egress_known: {
    id: 12,
    match: ['eth_type', 'ip_frag', 'ct_state'],
    bands: { unanswered: 100, answered: 0 },
    next: [after('egressTracking'), after('responder')],
  },
  ingress_ct: {
    id: 39,
    match: [
      network,
      destination,
      dhcp,
      'eth_type',
      'ip_proto',
      'ip_frag',
      'icmpv6_type',
      'ct_state',
      ...ports,
    ],
    neutral: 'all',
    bands: {
      always: 300,
      unreadableLookedUp: 270,
      unreadable: 260,
      untracked: 250,
      lookedUp: 200,
      lookup: 100,
      miss: 0,
    },
    lookup: ['ingress_state'],
    next: ['ingress_state', after('ingressTracking'), after('ingressRules')],
  },
  ingress_state: {
    id: 40,
    match: [
      network,
      destination,
      copy,
      'eth_dst',
      'eth_type',
      'ip_proto',
      'ip_frag',
      'tcp_flags',
      ...tracked,
    ],
    neutral: ['established', 'moved'],
    bands: {
      wholeRecord: 1100,
      sctp: 305,
      established,
      invalid: 250,
      laterPiece: 200,
      moved: 100,
      unknown: 0,
    },
    output: ['controller'],
    load: [flags],
    next: ['ingress_known', after('ingressTracking'), after('ingressRules')],
  },
  ingress_known: {
    id: 41,
    match: ['eth_type', 'ip_frag', 'ct_state'],
    bands: { unanswered: 100, answered: 0 },
    next: [after('ingressTracking'), after('ingressRules')],
  },
} as const satisfies Record<string, TableRow>;

/** Why packets go on, or what happens to them. */
export const trackingReasons = {
  established: 'the port is on the record of the connection',
  'untracked-port': "the port's rules need no connections",
  untracked: 'passes whatever the rules say; not tracked',
  unreadable: 'the switch cannot read the headers: the lookup judges',
  lookup: 'the conntrack lookup',
  'lookup-of-piece': 'the conntrack lookup of a fragment',
  'looked-up-at-egress': "the sender's side has looked it up",
  'later-fragment': 'waits at the commit for the first fragment',
  rules: 'the port is not on the record: rules judge',
  'held-lookup': 'a packet of release 0.1 that a lookup held during the upgrade',
  unanswered: 'nobody has answered yet: rules judge again',
} as const;
