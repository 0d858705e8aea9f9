/** Owners of addresses that several ports may have. */
import { after } from '../../positions.ts';
import { register } from '../../registers.ts';
import type { TableRow } from '../../rows.ts';

const { source, destination, network, flags } = register;

export const ownerTables = {
  /** What may be a claim by its kind. Everything goes on. */
  claims: {
    id: 34,
    match: [flags, 'eth_type', 'ip_proto', 'icmpv6_type'],
    neutral: 'all',
    bands: { moving: 200, kind: 100, none: 0 },
    uses: ['clone'],
    resubmit: ['claimants', 'learned_macs', 'moved_senders', 'moving_sender', after('claims')],
    next: [after('claims')],
  },
  /**
   * Visited by what may be a claim, and left again: finds claims of addresses that several ports may have. A miss here drops
   * nothing. Apart, since otherwise each packet of such a port would be cached by its ICMPv6 code.
   */
  claimants: {
    id: 29,
    match: [
      source,
      network,
      'eth_src',
      'eth_type',
      'arp_op',
      'arp_spa',
      'arp_tpa',
      'arp_sha',
      'ip_proto',
      'icmpv6_type',
      'icmpv6_code',
      'nd_target',
    ],
    neutral: 'all',
    bands: { moving: 110, claim: 100 },
    resubmit: ['claim_limit'],
    output: ['controller'],
  },
  /** Limits what is learned of a port. The claim itself has gone on by then. */
  claim_limit: {
    id: 25,
    match: [source, network, 'eth_type'],
    neutral: 'all',
    bands: { port: 100, miss: 0 },
    uses: ['meter', 'mpls'],
    resubmit: ['claim_state'],
  },
  /** What the switch has learned of the MAC that claims. */
  claim_state: {
    id: 24,
    match: [],
    neutral: 'all',
    bands: { any: 0 },
    resubmit: ['claim_holds', 'claimed_macs'],
    next: ['claim_learn'],
  },
  /** Learns the sender of a claim, unless it is known or another was learned a moment ago. */
  claim_learn: {
    id: 26,
    match: [source, destination, network, flags, 'eth_src', 'eth_type', 'ip_proto'],
    neutral: 'all',
    bands: { known: 300, held: 200, news: 100, miss: 0 },
    learn: ['claim_holds', 'claimed_macs', 'learned_macs'],
    rewrite: ['arp_op', 'icmpv6_code'],
    output: ['controller'],
  },
  /** By the MAC that claims: for a moment after another port was learned. */
  claim_holds: { id: 27, match: [], bands: {}, owner: 'switch' },
  /** By the MAC that claims: who was learned. */
  claimed_macs: { id: 28, match: [], bands: {}, owner: 'switch' },
  /** By destination MAC: who gets the packet. */
  learned_macs: { id: 61, match: [], bands: {}, owner: 'switch' },
} as const satisfies Record<string, TableRow>;

/** Why packets go on, or what happens to them. */
export const ownerReasons = {
  claim: 'claims an address that several ports may have: the agent gets a copy',
  'maybe-claim': 'ARP or a neighbour advertisement: may be a claim',
  'no-claim': 'claims no address',
  'claim-limit': 'limits what is learned of a port',
  'claim-known': 'claims what the switch has learned already',
  'claim-held': 'claims what another port claimed a moment ago: the record follows, the switch does not',
  'claim-learned': 'the switch learns who gets what is for the MAC',
} as const;
