/**
 * Connection tracking: one lookup a packet, one commit after the last verdict on this host (features/records).
 *
 * # Idea
 * The first guarded port on a packet's way looks it up, and both sides use the result. A commit between the two
 * verdicts would let the reverse direction of a connection that the receiver refused look established.
 * A connection's record (record.ts) names the ports that admitted it. The established bypass
 * compares it with the packet's port.
 *
 * # Fragments
 * The userspace datapath reassembles a datagram for each ct() and splits it again behind it. A later fragment then
 * shows no ports, not even its connection's. So rules judge the first fragment of a new connection. Later ones go on to
 * the commit, which holds them until the first has come there too: a refused datagram never becomes whole.
 * Fragments of a datagram that never completes are later released during an unrelated ct() and mixed into its
 * output. So a whole packet is committed as a copy, which ends there with everything mixed into it. Fragments are
 * checked after their commit against the record. Copies of fragments to several ports would be mixed up while they
 * are held: there each fragment is judged by itself, without ports, and nothing is committed.
 */

import type { Family } from '../../../net/cidr.ts';
import { icmpv6Types } from '../../../net/packet/icmpv6.ts';
import { protocols } from '../../../net/packet/transport.ts';
import { lookUp } from '../../actions.ts';
import { type Draft, drop, flow } from '../../draft.ts';
import { listenerTypes, neighbourTypes, reportTypes } from '../../icmpv6-types.ts';
import { isGuarded, type LocalPort, sentBy, sentTo, type Untracked } from '../../local-port.ts';
import {
  anyFragment,
  ctState,
  dhcp,
  icmp4,
  icmp6,
  invalid,
  ipOf,
  ipv4,
  ipv6,
  laterFragment,
  noCopy,
  original,
  piece,
  unicastAddress,
  wholePacket,
} from '../../matches.ts';
import { after } from '../../positions.ts';
import { impossibleRecord } from '../../record.ts';
import { flag, onlyFlags, register } from '../../registers.ts';

/**
 * Whole packets go to the rules without a lookup. Fragments still need one to be reassembled, and invalid ones are
 * dropped: the guards cannot see into them. Nor can they see into what the switch cannot read (see `unreadable`).
 */
function pastTracking(local: LocalPort, family: Family): Draft[] {
  const { port } = local;
  const whole = { ...ipOf(family), ip_frag: wholePacket };
  const flags = port.mode === 'strict' ? flag.untracked : flag.untracked | flag.unguarded;
  const why = { reason: 'untracked-port', port: port.id } as const;
  return [
    flow(
      'egress_ct',
      'untracked',
      { ...whole, ...sentBy(local) },
      { load: { [register.flags]: onlyFlags(flags) }, goto: after('egressTracking') },
      why,
    ),
    flow('ingress_ct', 'untracked', { ...whole, ...sentTo(local) }, { goto: after('ingressTracking') }, why),
  ];
}

export function portTracking(local: LocalPort, untracked: Untracked): Draft[] {
  if (!isGuarded(local)) return [];
  const { port } = local;
  const from = sentBy(local);
  const to = sentTo(local);
  // A fragmented redirect is "related" to its victim's connection, so it is dropped above the bypass.
  const redirect = { ...icmp4, ...from, ...piece, ct_state: ctState(['tracked', 'related']) };
  return [
    drop(
      'egress_state',
      'invalid',
      { ...from, ct_state: invalid },
      { reason: 'ct-invalid', drop: 'egress', port: port.id },
    ),
    drop(
      'ingress_state',
      'invalid',
      { ...to, ct_state: invalid },
      { reason: 'ct-invalid', drop: 'ingress', port: port.id },
    ),
    drop('egress_state', 'forbiddenPiece', redirect, { reason: 'redirect', drop: 'egress', port: port.id }),
    ...([4, 6] as const)
      .filter((family) => untracked[family])
      .flatMap((family) => pastTracking(local, family)),
  ];
}

/** Loaded where the port is not on the connection's record. The receiver's bit leaves the sender's bits as they are. */
export const senderIsNew = { [register.flags]: onlyFlags(flag.senderIsNew) };
export const receiverIsNew = { [register.flags]: { value: flag.receiverIsNew, mask: flag.receiverIsNew } };

/** What a guarded sender may send whatever its security groups say; the guards have judged it. */
const alwaysSent = [
  ...[
    icmpv6Types.routerSolicitation,
    icmpv6Types.routerAdvertisement,
    icmpv6Types.neighbourSolicitation,
    icmpv6Types.neighbourAdvertisement,
    ...reportTypes,
  ].map((type) => ({ ...icmp6, icmpv6_type: type })),
  { ...dhcp.client4, [register.dhcp]: 1 },
  { ...dhcp.client6, [register.dhcp]: 1 },
];
/** What any port hears whatever its security groups say. */
const alwaysHeard = [
  ...[...neighbourTypes, ...listenerTypes].map((type) => ({ ...icmp6, icmpv6_type: type })),
  { ...dhcp.server4, [register.dhcp]: 1 },
  { ...dhcp.server6, [register.dhcp]: 1 },
];

/**
 * Headers that the switch cannot read look like protocol 0 without addresses or ports. Examples are an IPv6 chain that
 * breaks off, and a length that does not fit the frame. Anything that the guards forbid may be behind them. The lookup calls
 * them invalid, and finds nothing wrong with a real protocol 0.
 */
const unreadable = [ipv4, ipv6].flatMap((family) => {
  const cut = { ...family, ip_proto: 0 };
  const why = { reason: 'unreadable' } as const;
  const seen = { ...cut, ct_state: ctState(['tracked']) };
  return [
    flow('egress_ct', 'unreadable', cut, { actions: [lookUp('egress_state')] }, why),
    flow('ingress_ct', 'unreadableLookedUp', seen, { goto: 'ingress_state' }, why),
    flow('ingress_ct', 'unreadable', cut, { actions: [lookUp('ingress_state')] }, why),
  ];
});

const lookups = [ipv4, ipv6].flatMap((family) => [
  // Above `unreadable` too: the first extension header in a fragment hides those behind it.
  flow(
    'egress_ct',
    'piece',
    { ...family, ip_frag: anyFragment },
    { load: piece, actions: [lookUp('egress_state')] },
    { reason: 'lookup-of-piece' },
  ),
  flow('egress_ct', 'lookup', family, { actions: [lookUp('egress_state')] }, { reason: 'lookup' }),
  flow(
    'ingress_ct',
    'lookedUp',
    { ...family, ct_state: ctState(['tracked']) },
    { goto: 'ingress_state' },
    { reason: 'looked-up-at-egress' },
  ),
  flow('ingress_ct', 'lookup', family, { actions: [lookUp('ingress_state')] }, { reason: 'lookup' }),
]);

const laterPieces = [ipv4, ipv6].flatMap((family) => {
  const later = {
    ...family,
    ip_frag: laterFragment,
    eth_dst: unicastAddress,
    ct_state: ctState(['tracked']),
  };
  const why = { reason: 'later-fragment' } as const;
  return [
    flow('egress_state', 'laterPiece', later, { load: senderIsNew, goto: after('responder') }, why),
    flow(
      'ingress_state',
      'laterPiece',
      { ...later, [register.copy]: noCopy },
      { load: receiverIsNew, goto: after('ingressRules') },
      why,
    ),
  ];
});

const toEgressRules = { load: senderIsNew, goto: after('egressTracking') } as const;
const toIngressRules = { load: receiverIsNew, goto: after('ingressTracking') } as const;
const rules = { reason: 'rules' } as const;

/** The userspace datapath tracks SCTP by addresses alone, so that one port was admitted says nothing of another. */
const sctp = [ipv4, ipv6].flatMap((family) => {
  const match = { ...family, ip_proto: protocols.sctp, ct_state: original };
  return [
    flow('egress_state', 'sctp', match, toEgressRules, rules),
    flow('ingress_state', 'sctp', match, toIngressRules, rules),
  ];
});

const unanswered = [ipv4, ipv6].flatMap((family) => {
  const match = { ...family, ip_frag: wholePacket, ct_state: ctState(['tracked', 'new']) };
  return [
    flow('egress_known', 'unanswered', match, { goto: after('egressTracking') }, { reason: 'unanswered' }),
    flow('ingress_known', 'unanswered', match, { goto: after('ingressTracking') }, { reason: 'unanswered' }),
  ];
});

/**
 * Matches no packet. Without it, packets of new connections, established ones and later passes would have different
 * masks, by the compared states and places of the record. One record is still one megaflow.
 */
const noConnection = {
  ...impossibleRecord,
  ct_state: ctState(['tracked', 'invalid', 'new', 'related', 'reply']),
};
const wholeRecord = (['egress', 'ingress'] as const).map((direction) =>
  drop(`${direction}_state`, 'wholeRecord', noConnection, { reason: 'ct-invalid', drop: direction }),
);

export const trackingDefaults: readonly Draft[] = [
  ...wholeRecord,
  ...unreadable,
  ...alwaysSent.map((match) =>
    flow('egress_ct', 'always', match, { goto: after('egressRules') }, { reason: 'untracked' }),
  ),
  ...alwaysHeard.map((match) =>
    flow('ingress_ct', 'always', match, { goto: after('ingressRules') }, { reason: 'untracked' }),
  ),
  ...lookups,
  ...laterPieces,
  ...sctp,
  flow('egress_state', 'unknown', {}, toEgressRules, rules),
  flow('ingress_state', 'unknown', {}, toIngressRules, rules),
  ...unanswered,
  flow('egress_known', 'answered', {}, { goto: after('responder') }, { reason: 'established' }),
  flow('ingress_known', 'answered', {}, { goto: after('ingressRules') }, { reason: 'established' }),
];
