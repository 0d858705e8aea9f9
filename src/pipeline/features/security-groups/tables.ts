/** Security-group rules on both sides: needed fields, the peer's classes, then the rules. */
import { after } from '../../positions.ts';
import { register } from '../../registers.ts';
import type { TableRow } from '../../rows.ts';

const { source, zone, network, sourceSet, destination, destinationSet } = register;
const { peer, addresses, flags, copy, needs, router } = register;

const portFields = ['tcp_dst', 'udp_dst', 'sctp_dst'] as const;
const l4Fields = [...portFields, 'icmp_type', 'icmp_code', 'icmpv6_type', 'icmpv6_code'] as const;
const ruleFields = [
  peer,
  addresses,
  flags,
  needs,
  copy,
  'conj_id',
  'eth_dst',
  'eth_type',
  'ip_proto',
  ...l4Fields,
  'ct_state',
  'ct_label',
  'ct_mark',
  'ip_frag',
  'ct_nw_proto',
  'ct_tp_src',
  'ct_tp_dst',
] as const;

/** `block`: of ports in which a rule of the set begins or ends. */
const needsBands = { block: 110, set: 100, none: 0 } as const;
const wholeBands = { portAndPeer: 240, port: 230, l4AndPeer: 220, l4: 210, peer: 200, neither: 0 } as const;
/** A longer prefix is matched first. */
const classBands = { prefix: [100, 228], none: 0 } as const;

/** `toRouter`: the peer is behind a router. `routed`: its class is then that of the router's networks. */
const peerBands = { toRouter: 400, routed: [250, 378], routedNone: 240, ...classBands } as const;

/**
 * Verdicts stand above clauses. `direct`: of rules that need neither a peer nor an L4 match. `opening`: only for
 * packets that begin a connection. `ofPort`: of a rule that is counted for each port.
 */
const ruleBands = {
  openingDirectOfPort: 215,
  directOfPort: 210,
  openingDirect: 205,
  direct: 200,
  openingOfPort: 115,
  ofPort: 110,
  opening: 105,
  complete: 100,
  clause: [90, 97],
  deniedProtocol: 2,
  denied: 1,
  miss: 0,
} as const;

export const securityGroupTables = {
  /** Which fields the rules of the sender's set need. */
  egress_needs: {
    id: 13,
    match: [sourceSet, 'eth_type', 'ip_proto', ...portFields],
    neutral: 'all',
    bands: needsBands,
    load: [needs],
    next: ['egress_whole'],
  },
  /** Un-wildcards these fields (see needs.ts). */
  egress_whole: {
    id: 14,
    match: [needs, 'eth_type', 'ip_proto'],
    neutral: 'all',
    bands: wholeBands,
    unwildcard: [...l4Fields, 'ip_src', 'ipv6_src', 'ip_dst', 'ipv6_dst', 'eth_dst'],
    next: ['egress_peer', 'egress_rules'],
  },
  egress_peer: {
    id: 15,
    match: [network, router, 'eth_dst', 'eth_type', 'ip_dst', 'ipv6_dst'],
    bands: peerBands,
    load: [peer, router],
    resubmit: ['egress_peer'],
    next: ['egress_addresses'],
  },
  egress_addresses: {
    id: 16,
    match: ['eth_type', 'ip_dst', 'ipv6_dst'],
    bands: classBands,
    load: [addresses],
    next: ['egress_rules'],
  },
  egress_rules: {
    id: 17,
    match: [network, source, sourceSet, 'ip_dst', 'ipv6_dst', ...ruleFields],
    bands: ruleBands,
    next: [after('responder')],
  },
  ingress_needs: {
    id: 42,
    match: [zone, network, destinationSet, 'eth_type', 'ip_proto', ...portFields],
    neutral: 'all',
    bands: { heldLookup: 1000, ...needsBands },
    load: [network, needs],
    resubmit: ['ingress_state'],
    next: ['ingress_whole'],
  },
  ingress_whole: {
    id: 43,
    match: [needs, 'eth_type', 'ip_proto'],
    neutral: 'all',
    bands: wholeBands,
    unwildcard: [...l4Fields, 'ip_src', 'ipv6_src'],
    next: ['ingress_peer', 'ingress_rules'],
  },
  ingress_peer: {
    id: 44,
    match: [network, router, 'eth_type', 'ip_src', 'ipv6_src'],
    bands: { routed: peerBands.routed, routedNone: peerBands.routedNone, ...classBands },
    load: [peer],
    next: ['ingress_addresses'],
  },
  ingress_addresses: {
    id: 45,
    match: ['eth_type', 'ip_src', 'ipv6_src'],
    bands: classBands,
    load: [addresses],
    next: ['ingress_rules'],
  },
  ingress_rules: {
    id: 46,
    match: [network, destination, destinationSet, 'ip_src', 'ipv6_src', ...ruleFields],
    bands: ruleBands,
    next: [after('ingressRules')],
  },
} as const satisfies Record<string, TableRow>;

/** Why packets go on, or what happens to them. */
export const securityGroupReasons = {
  clause: 'clauses of conjunctive flows',
  needs: 'which fields the rules of the set need',
  'no-needs': 'the set has no rules of this family',
  'whole-fields': 'un-wildcards the needed fields',
  peer: "the class of the peer's address",
  'to-router': "the peer is behind this router: its class is that of the router's networks",
  address: "the address groups of the peer's address",
  'no-class': 'no rule here names a group of the address',
  rule: 'a security-group rule admits the packet',
} as const;
