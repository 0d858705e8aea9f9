/**
 * Connection tracking: one lookup a packet, made where the first guarded port on its way needs it and used by
 * both; one commit, after the last verdict on this host. Committing between the two verdicts would let the
 * reverse direction of a connection that the receiver refused look established.
 *
 * A connection's label names the two ports that admitted it (originator low, responder high). The established
 * bypass asks for the port at hand in the right half, so a re-used address or another holder of a shared one
 * inherits nothing. It matches metadata only: established traffic of two ports is one megaflow.
 *
 * The userspace datapath puts a datagram together for each ct() and takes it apart again behind it, and a later
 * fragment then shows no ports, not even its connection's. So of a new connection the first fragment is judged,
 * and the later ones go on to the commit, where they are held until the first has come there too: what is refused
 * there never becomes whole. Where a packet goes to several ports at once, the copies of its pieces would be
 * mixed up while they are held: there pieces are judged without ports, each by itself, and nothing is committed.
 */

import { icmpv6Types } from '../../net/packet/icmpv6.ts';
import { protocols } from '../../net/packet/transport.ts';
import type { Action } from '../../openflow/index.ts';
import { type Draft, drop, flow } from '../draft.ts';
import type { LocalPort } from '../local-port.ts';
import {
  anyFragment,
  ctState,
  dhcp,
  groupAddress,
  icmp4,
  icmp6,
  ipv4,
  ipv6,
  laterFragment,
  originator,
  responder,
  unicastAddress,
} from '../matches.ts';
import { flag, register } from '../tables.ts';
import { listenerTypes, neighbourTypes, reportTypes } from './icmpv6-types.ts';
import { lookUp } from './lookup.ts';

/** Established and related alike: a reply or an error belongs to the connection that was admitted. */
const original = ctState(['tracked'], ['new', 'invalid', 'reply']);
const reply = ctState(['tracked', 'reply'], ['new', 'invalid']);
const invalid = ctState(['tracked', 'invalid']);
const valid = ctState(['tracked'], ['invalid', 'reply']);

export function portState({ port, key }: LocalPort): Draft[] {
  if (port.mode === 'off' || !port.adminUp) return [];
  const from = { [register.source]: key };
  const to = { [register.destination]: key };
  const because = { reason: 'established', port: port.id };
  const drafts: Draft[] = [
    flow(
      'egress_state',
      300,
      { ...from, ct_state: original, ct_label: originator(key) },
      { goto: 'l2' },
      because,
    ),
    flow(
      'egress_state',
      300,
      { ...from, ct_state: reply, ct_label: responder(key) },
      { goto: 'l2' },
      because,
    ),
    flow(
      'ingress_state',
      300,
      { ...to, ct_state: original, ct_label: responder(key) },
      { goto: 'commit' },
      because,
    ),
    flow(
      'ingress_state',
      300,
      { ...to, ct_state: reply, ct_label: originator(key) },
      { goto: 'commit' },
      because,
    ),
    drop('egress_state', 250, { ...from, ct_state: invalid }, 'ct-invalid', 'egress', port.id),
    drop('ingress_state', 250, { ...to, ct_state: invalid }, 'ct-invalid', 'ingress', port.id),
  ];
  // A fragmented redirect is "related" to its victim's connection, so it must fall before the bypass.
  const redirect = { ...icmp4, ...from, ip_frag: anyFragment, ct_state: ctState(['tracked', 'related']) };
  drafts.push(drop('egress_state', 310, redirect, 'redirect', 'egress', port.id));
  if (port.dhcpServer) return drafts;
  const whole = { ...from, ip_frag: anyFragment, ct_state: valid, ct_nw_proto: protocols.udp };
  for (const [family, source, destination] of [
    [ipv4, 67, 68],
    [ipv6, 547, 546],
  ] as const) {
    const server = { ...family, ...whole, ct_tp_src: source, ct_tp_dst: destination };
    drafts.push(drop('egress_state', 310, server, 'dhcp-server', 'egress', port.id));
  }
  return drafts;
}

/** Writes who admitted the connection: `low` is the register of its originator. */
const remember = (low: 'reg0' | 'reg3', high: 'reg0' | 'reg3'): Action => ({
  type: 'ct',
  commit: true,
  zone: { field: register.network, offset: 0, bits: 16 },
  exec: [
    {
      type: 'move',
      from: { field: low, offset: 0, bits: 32 },
      to: { field: 'ct_label', offset: 0, bits: 32 },
    },
    {
      type: 'move',
      from: { field: high, offset: 0, bits: 32 },
      to: { field: 'ct_label', offset: 32, bits: 32 },
    },
  ],
});

const untracked = { reason: 'untracked' } as const;
/** What a guarded sender may say whatever its security groups say; the guards have vetted it. */
const alwaysSent = [
  ...[
    icmpv6Types.routerSolicitation,
    icmpv6Types.neighbourSolicitation,
    icmpv6Types.neighbourAdvertisement,
    ...reportTypes,
  ].map((type) => ({ ...icmp6, icmpv6_type: type })),
  dhcp.client4,
  dhcp.client6,
];
/** What any port hears whatever its security groups say. */
const alwaysHeard = [
  ...[...neighbourTypes, ...listenerTypes].map((type) => ({ ...icmp6, icmpv6_type: type })),
  dhcp.server4,
  dhcp.server6,
];

export const conntrackDefaults: readonly Draft[] = [
  ...alwaysSent.map((match) => flow('egress_ct', 200, match, { goto: 'services' }, untracked)),
  ...alwaysHeard.map((match) => flow('ingress_ct', 300, match, { goto: 'commit' }, untracked)),
  ...[ipv4, ipv6].flatMap((family) => [
    flow('egress_ct', 100, family, { actions: [lookUp('egress_state')] }, { reason: 'lookup' }),
    flow(
      'ingress_ct',
      200,
      { ...family, ct_state: ctState(['tracked']) },
      { goto: 'ingress_state' },
      { reason: 'looked-up-at-egress' },
    ),
    flow('ingress_ct', 100, family, { actions: [lookUp('ingress_state')] }, { reason: 'lookup' }),
    flow(
      'commit',
      100,
      {
        ...family,
        [register.flags]: { value: flag.commit, mask: flag.commit },
        ct_state: ctState(['tracked'], ['reply']),
      },
      { actions: [remember('reg0', 'reg3')], goto: 'dispatch' },
      { reason: 'commit' },
    ),
    flow(
      'commit',
      100,
      {
        ...family,
        [register.flags]: { value: flag.commit, mask: flag.commit },
        ct_state: ctState(['tracked', 'reply']),
      },
      { actions: [remember('reg3', 'reg0')], goto: 'dispatch' },
      { reason: 'commit' },
    ),
  ]),
  ...[ipv4, ipv6].flatMap((family) => {
    const later = {
      ...family,
      ip_frag: laterFragment,
      eth_dst: unicastAddress,
      ct_state: ctState(['tracked']),
    };
    const load = { [register.flags]: flag.commit };
    return [
      flow('egress_state', 200, later, { load, goto: 'l2' }, { reason: 'later-fragment' }),
      flow(
        'ingress_state',
        200,
        { ...later, [register.copy]: 0 },
        { load, goto: 'commit' },
        { reason: 'later-fragment' },
      ),
    ];
  }),
  // The userspace datapath tracks SCTP by addresses alone: that one port was admitted says nothing of another.
  ...[ipv4, ipv6].flatMap((family) => {
    const sctp = { ...family, ip_proto: protocols.sctp, ct_state: original };
    return [
      flow('egress_state', 305, sctp, { goto: 'egress_peer' }, { reason: 'rules' }),
      flow('ingress_state', 305, sctp, { goto: 'ingress_peer' }, { reason: 'rules' }),
    ];
  }),
  flow('egress_state', 0, {}, { goto: 'egress_peer' }, { reason: 'rules' }),
  flow('ingress_state', 0, {}, { goto: 'ingress_peer' }, { reason: 'rules' }),
  // A group address never answers, so a connection to one could only be misused.
  flow('commit', 200, { eth_dst: groupAddress }, { goto: 'dispatch' }, { reason: 'multicast' }),
  ...[ipv4, ipv6].map((family) =>
    flow(
      'commit',
      150,
      { ...family, [register.copy]: 1, ip_frag: anyFragment },
      { goto: 'dispatch' },
      { reason: 'copied-fragment' },
    ),
  ),
  flow('commit', 0, {}, { goto: 'dispatch' }, { reason: 'no-commit' }),
];
