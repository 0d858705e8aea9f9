/**
 * Connection tracking: one lookup a packet, made where the first guarded port on its way needs it and used by
 * both; one commit, after the last verdict on this host. Committing between the two verdicts would let the
 * reverse direction of a connection that the receiver refused look established.
 *
 * A connection's record (record.ts) names the ports that admitted it. The bypass asks for the port at hand on its side,
 * so a re-used address or another holder of a shared one inherits nothing. It matches metadata only: established traffic
 * of two ports is one megaflow. What is put on record, and where, is in remember.ts.
 *
 * The userspace datapath puts a datagram together for each ct() and takes it apart again behind it, and a later
 * fragment then shows no ports, not even its connection's. So of a new connection the first fragment is judged,
 * and the later ones go on to the commit, where they are held until the first has come there too: what is refused
 * there never becomes whole. What it has held in vain it lets go with the packets of somebody else's ct(), as if they
 * were one, or, of a datagram of very many pieces, all that had no place with the first. So a whole packet is
 * committed as a copy, which ends there with whatever joins it, and pieces are asked after their commit whose
 * connection they are of. Where a packet goes to several ports at once, the copies of its pieces would be
 * mixed up while they are held: there pieces are judged without ports, each by itself, and nothing is committed.
 */

import type { PortKey } from '../../model/numbers.ts';
import type { Family } from '../../net/cidr.ts';
import { dhcpPorts } from '../../net/packet/dhcp.ts';
import { icmpv6Types } from '../../net/packet/icmpv6.ts';
import { protocols } from '../../net/packet/transport.ts';
import { type Draft, drop, flow } from '../draft.ts';
import { listenerTypes, neighbourTypes, reportTypes } from '../icmpv6-types.ts';
import { type LocalPort, sentBy, sentTo, type Untracked } from '../local-port.ts';
import { lookUp } from '../lookup.ts';
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
  reply,
  unicastAddress,
  wholePacket,
} from '../matches.ts';
import { names, originatorPlaces, responderPlaces } from '../record.ts';
import { flag, register } from '../tables.ts';

/** The families in which a port's packets are tracked, as matches; one match for both. */
function trackedFamilies(untracked: Untracked): readonly { readonly eth_type?: number }[] {
  if (!untracked[4] && !untracked[6]) return [{}];
  return [...(untracked[4] ? [] : [ipv4]), ...(untracked[6] ? [] : [ipv6])];
}

/** The connections in which packets of a direction are a port's to send, or to be given; the likeliest place first. */
const asOriginator = (key: PortKey) => originatorPlaces.map((place) => names(place, key));
const asResponder = (key: PortKey) => responderPlaces.map((place) => names(place, key));

/** Each place has a priority of its own: what the first finds is not held against the others, and stays as wide. */
function bypass(local: LocalPort, family: { readonly eth_type?: number }): Draft[] {
  const { port, key } = local;
  const from = { ...family, ...sentBy(local) };
  const to = { ...family, ...sentTo(local) };
  const because = { reason: 'established', port: port.id };
  const sent = { goto: 'egress_known' } as const;
  const heard = { goto: 'ingress_known' } as const;
  return [
    ...asOriginator(key).flatMap((record, at) => [
      flow('egress_state', 300 - at, { ...from, ct_state: original, ...record }, sent, because),
      flow('ingress_state', 300 - at, { ...to, ct_state: reply, ...record }, heard, because),
    ]),
    ...asResponder(key).flatMap((record, at) => [
      flow('egress_state', 300 - at, { ...from, ct_state: reply, ...record }, sent, because),
      flow('ingress_state', 300 - at, { ...to, ct_state: original, ...record }, heard, because),
    ]),
  ];
}

/**
 * Whole packets go to the rules without a lookup. Pieces still need one, to be put together, and are nothing while
 * they make no sense to it: the guards cannot see into them. Nor can they into what the switch cannot read, which
 * a guest may read all the same (see `unreadable`).
 */
function pastTracking(local: LocalPort, family: Family): Draft[] {
  const { port } = local;
  const whole = { ...ipOf(family), ip_frag: wholePacket };
  const flags = port.mode === 'strict' ? flag.untracked : flag.untracked | flag.unguarded;
  const because = { reason: 'untracked-port', port: port.id };
  return [
    flow(
      'egress_ct',
      150,
      { ...whole, ...sentBy(local) },
      { load: { [register.flags]: flags }, goto: 'egress_needs' },
      because,
    ),
    flow('ingress_ct', 250, { ...whole, ...sentTo(local) }, { goto: 'ingress_needs' }, because),
  ];
}

/** That it came in pieces, whatever it looks like by now. */
const piece = { [register.flags]: { value: flag.piece, mask: flag.piece } };

export function portState(local: LocalPort, untracked: Untracked): Draft[] {
  const { port, up } = local;
  if (!up) return [];
  if (port.mode === 'off') return [];
  const from = sentBy(local);
  const to = sentTo(local);
  const drafts: Draft[] = [
    drop('egress_state', 250, { ...from, ct_state: invalid }, 'ct-invalid', 'egress', port.id),
    drop('ingress_state', 250, { ...to, ct_state: invalid }, 'ct-invalid', 'ingress', port.id),
    ...trackedFamilies(untracked).flatMap((family) => bypass(local, family)),
    ...([4, 6] as const)
      .filter((family) => untracked[family])
      .flatMap((family) => pastTracking(local, family)),
  ];
  // A fragmented redirect is "related" to its victim's connection, so it must fall before the bypass.
  const redirect = { ...icmp4, ...from, ...piece, ct_state: ctState(['tracked', 'related']) };
  drafts.push(drop('egress_state', 310, redirect, 'redirect', 'egress', port.id));
  if (port.dhcpServer) return drafts;
  // What a DHCP client would take for an answer: pieces show no port, the tuple of their connection does.
  const pieces = { ...from, ...piece, ct_nw_proto: protocols.udp };
  for (const [family, client] of [
    [ipv4, dhcpPorts.client],
    [ipv6, dhcpPorts.client6],
  ] as const)
    for (const way of [
      { ct_state: original, ct_tp_dst: client },
      { ct_state: reply, ct_tp_src: client },
    ])
      drafts.push(
        drop('egress_state', 310, { ...family, ...pieces, ...way }, 'dhcp-server', 'egress', port.id),
      );
  return drafts;
}

/** Loaded where a packet's port is not found on the connection's record; the receiver's beside what is known of the sender. */
const senderIsNew = { [register.flags]: flag.senderIsNew };
const receiverIsNew = { [register.flags]: { value: flag.receiverIsNew, mask: flag.receiverIsNew } };

const untracked = { reason: 'untracked' } as const;
/** What a guarded sender may say whatever its security groups say; the guards have vetted it. */
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
 * Headers that the switch cannot read, such as an IPv6 chain that breaks off or a length that does not fit the frame,
 * look like protocol 0 without addresses or ports: whatever the guards forbid may be behind them. The lookup calls
 * them invalid, and finds nothing wrong with a real protocol 0.
 */
const unreadable = [ipv4, ipv6].flatMap((family) => {
  const cut = { ...family, ip_proto: 0 };
  const because = { reason: 'unreadable' };
  const seen = { ...cut, ct_state: ctState(['tracked']) };
  return [
    flow('egress_ct', 160, cut, { actions: [lookUp('egress_state')] }, because),
    flow('ingress_ct', 270, seen, { goto: 'ingress_state' }, because),
    flow('ingress_ct', 260, cut, { actions: [lookUp('ingress_state')] }, because),
  ];
});

export const conntrackDefaults: readonly Draft[] = [
  ...unreadable,
  ...alwaysSent.map((match) => flow('egress_ct', 200, match, { goto: 'responder' }, untracked)),
  ...alwaysHeard.map((match) => flow('ingress_ct', 300, match, { goto: 'commit' }, untracked)),
  ...[ipv4, ipv6].flatMap((family) => [
    // Also above what cannot be read: the first extension header in a piece hides those behind it.
    flow(
      'egress_ct',
      170,
      { ...family, ip_frag: anyFragment },
      { load: piece, actions: [lookUp('egress_state')] },
      { reason: 'lookup-of-piece' },
    ),
    flow('egress_ct', 100, family, { actions: [lookUp('egress_state')] }, { reason: 'lookup' }),
    flow(
      'ingress_ct',
      200,
      { ...family, ct_state: ctState(['tracked']) },
      { goto: 'ingress_state' },
      { reason: 'looked-up-at-egress' },
    ),
    flow('ingress_ct', 100, family, { actions: [lookUp('ingress_state')] }, { reason: 'lookup' }),
  ]),
  ...[ipv4, ipv6].flatMap((family) => {
    const later = {
      ...family,
      ip_frag: laterFragment,
      eth_dst: unicastAddress,
      ct_state: ctState(['tracked']),
    };
    return [
      flow(
        'egress_state',
        200,
        later,
        { load: senderIsNew, goto: 'egress_qos' },
        { reason: 'later-fragment' },
      ),
      flow(
        'ingress_state',
        200,
        { ...later, [register.copy]: noCopy },
        { load: receiverIsNew, goto: 'commit' },
        { reason: 'later-fragment' },
      ),
    ];
  }),
  // The userspace datapath tracks SCTP by addresses alone: that one port was admitted says nothing of another.
  ...[ipv4, ipv6].flatMap((family) => {
    const sctp = { ...family, ip_proto: protocols.sctp, ct_state: original };
    return [
      flow('egress_state', 305, sctp, { load: senderIsNew, goto: 'egress_needs' }, { reason: 'rules' }),
      flow('ingress_state', 305, sctp, { load: receiverIsNew, goto: 'ingress_needs' }, { reason: 'rules' }),
    ];
  }),
  flow('egress_state', 0, {}, { load: senderIsNew, goto: 'egress_needs' }, { reason: 'rules' }),
  flow('ingress_state', 0, {}, { load: receiverIsNew, goto: 'ingress_needs' }, { reason: 'rules' }),
  ...[ipv4, ipv6].flatMap((family) => {
    const unanswered = { ...family, ip_frag: wholePacket, ct_state: ctState(['tracked', 'new']) };
    return [
      flow('egress_known', 100, unanswered, { goto: 'egress_needs' }, { reason: 'unanswered' }),
      flow('ingress_known', 100, unanswered, { goto: 'ingress_needs' }, { reason: 'unanswered' }),
    ];
  }),
  flow('egress_known', 0, {}, { goto: 'egress_qos' }, { reason: 'established' }),
  flow('ingress_known', 0, {}, { goto: 'commit' }, { reason: 'established' }),
];
