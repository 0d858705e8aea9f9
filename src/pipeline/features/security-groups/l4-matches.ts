/**
 * A security-group rule's L4 match as matches of the switch.
 * Fragments show no transport ports, not even the first one. For the first fragment the matches use the tuple that
 * conntrack read from the whole datagram. Later fragments never reach the rules (see tracking/tracking.ts).
 */
import type { Family } from '../../../net/cidr.ts';
import { icmpTypes } from '../../../net/packet/icmp.ts';
import { icmpv6Types } from '../../../net/packet/icmpv6.ts';
import { protocols } from '../../../net/packet/transport.ts';
import { portMasks } from '../../../net/port-range.ts';
import type { Masked } from '../../../openflow/index.ts';
import type { L4Match } from '../../../policy/world.ts';
import type { MatchIn } from '../../draft.ts';
import { anyFragment, ctState, ipOf, noCopy, unicastAddress, wholePacket } from '../../matches.ts';
import { register } from '../../registers.ts';

export type L4FlowMatch = Pick<
  MatchIn<'egress_rules'>,
  | 'eth_type'
  | 'ip_proto'
  | 'tcp_dst'
  | 'udp_dst'
  | 'sctp_dst'
  | 'icmp_type'
  | 'icmp_code'
  | 'icmpv6_type'
  | 'icmpv6_code'
  | 'ct_state'
  | 'ip_frag'
  | 'ct_nw_proto'
  | 'ct_tp_src'
  | 'ct_tp_dst'
  | 'eth_dst'
  | typeof register.copy
>;

const destinationPort: { readonly [protocol: number]: 'tcp_dst' | 'udp_dst' | 'sctp_dst' } = {
  [protocols.tcp]: 'tcp_dst',
  [protocols.udp]: 'udp_dst',
  [protocols.sctp]: 'sctp_dst',
};

/**
 * A piece by its whole datagram's tuple, which is that of the connection's originator: in the other direction its
 * ends are the other way round.
 */
const fragment = (family: Family, protocol: number) => ({
  ...ipOf(family),
  ip_frag: anyFragment,
  ct_state: ctState(['tracked'], ['invalid', 'reply']),
  ct_nw_proto: protocol,
});
/**
 * The first piece can only be told apart by ports or types where the later ones wait for its verdict: not when it
 * goes to several, who would get a beginning without an end.
 */
const toOne = { eth_dst: unicastAddress, [register.copy]: noCopy } as const;
const firstFragment = (family: Family, protocol: number) => ({ ...fragment(family, protocol), ...toOne });
const answerFragment = (family: Family, protocol: number) => ({
  ...firstFragment(family, protocol),
  ct_state: ctState(['tracked', 'reply'], ['invalid']),
});

/** ICMP's queries by their answers: what a connection that an answer belongs to began with. */
const queryOf: { readonly [protocol: number]: { readonly [answer: number]: number } } = {
  [protocols.icmp]: { [icmpTypes.echoReply]: icmpTypes.echo, 14: 13, 16: 15 },
  [protocols.icmpv6]: { [icmpv6Types.echoReply]: icmpv6Types.echo },
};

/** L4 matches of fragments in the reply direction. Only rules without state need them: else the first packet was judged. */
function answers(family: Family, l4: L4Match): L4FlowMatch[] {
  if (l4.kind === 'any' || l4.kind === 'protocol') return [];
  const pieces = answerFragment(family, l4.protocol);
  if (l4.kind === 'ports')
    return portMasks(l4.min, l4.max).map((range) => ({ ...pieces, ct_tp_src: portOf(range) }));
  const { type, code } = l4;
  const query = queryOf[l4.protocol]?.[type];
  return query === undefined || (code ?? 0) !== 0 ? [] : [{ ...pieces, ct_tp_src: query }];
}

const portOf = (range: Masked): Masked | number => (range.mask === 0xffff ? Number(range.value) : range);

/** The matches of a rule's L4 match; null when it allows every protocol. */
export function l4Matches(family: Family, l4: L4Match, stateful: boolean): L4FlowMatch[] | null {
  const matches = matchesOf(family, l4);
  return matches === null || stateful ? matches : [...matches, ...answers(family, l4)];
}

function matchesOf(family: Family, l4: L4Match): L4FlowMatch[] | null {
  switch (l4.kind) {
    case 'any':
      return null;
    case 'protocol': {
      const { protocol } = l4;
      return [{ ...ipOf(family), ip_proto: protocol }, fragment(family, protocol)];
    }
    case 'ports': {
      const { protocol } = l4;
      const field = destinationPort[protocol];
      // Ports of other protocols cannot be matched; the API refuses them rather than let a rule be widened.
      if (field === undefined) return [];
      return portMasks(l4.min, l4.max).flatMap((range): L4FlowMatch[] => {
        const port = portOf(range);
        return [
          { ...ipOf(family), ip_proto: protocol, [field]: port },
          { ...firstFragment(family, protocol), ct_tp_dst: port },
        ];
      });
    }
    case 'icmp': {
      const { protocol, type, code } = l4;
      const [typeField, codeField] =
        protocol === protocols.icmp
          ? (['icmp_type', 'icmp_code'] as const)
          : (['icmpv6_type', 'icmpv6_code'] as const);
      const whole = { ...ipOf(family), ip_proto: protocol, [typeField]: type };
      const pieces = { ...firstFragment(family, protocol), ct_tp_src: type };
      return code === null
        ? [unfragmented(whole), pieces]
        : [unfragmented({ ...whole, [codeField]: code }), { ...pieces, ct_tp_dst: code }];
    }
  }
}

/** A fragment shows type 0 because it has no type; only for a whole packet is it the type. */
const unfragmented = (match: L4FlowMatch): L4FlowMatch => ({ ...match, ip_frag: wholePacket });
