/**
 * Connections of a port that has moved here. Connection tracking of the switch knows nothing of them.
 *
 * Rules judge the first packet that comes, as of any connection: TCP may be met amid a connection. Only where that packet
 * is an answer may they refuse it, though they allow the connection. So the agent gets a copy, and compares it with the
 * connections that the port's former host has reported (agent/punts/moved-connections.ts).
 *
 * Invariants: copies change no verdict. Only the agent's list of reported connections decides, never the packet.
 */
import { protocols } from '../../../net/packet/transport.ts';
import type { LeftConnections } from '../../../policy/moves.ts';
import { punt } from '../../actions.ts';
import { type Draft, flow } from '../../draft.ts';
import { isGuarded, type LocalPort, sentBy, sentTo } from '../../local-port.ts';
import { ctState, ipv4, ipv6, wholePacket } from '../../matches.ts';
import { after } from '../../positions.ts';
import { writePuntData } from '../../punt-data.ts';
import { receiverIsNew, senderIsNew } from '../tracking/tracking.ts';

/** Neither SYN nor RST. */
const amid = { value: 0, mask: 0x006 } as const;

/** Whether a report is of the move that brought the port here, or is about to. */
export function isOfThisMove({ moving, port }: LocalPort, { number, host }: LeftConnections): boolean {
  return moving === undefined ? host !== port.host : moving.side === 'arriving' && moving.number === number;
}

export function movedConnectionFlows(local: LocalPort, meterId: number): Draft[] {
  if (!isGuarded(local)) return [];
  const why = { reason: 'moved-connection', port: local.port.id } as const;
  const data = writePuntData({ kind: 'moved', ...local });
  return [ipv4, ipv6].flatMap((family) => {
    const tcp = {
      ...family,
      ip_proto: protocols.tcp,
      ip_frag: wholePacket,
      tcp_flags: amid,
      ct_state: ctState(['tracked', 'new']),
    };
    return [
      flow(
        'egress_state',
        'moved',
        { ...sentBy(local), ...tcp },
        { load: senderIsNew, actions: [punt<'egress_state'>(data, meterId)], goto: after('egressTracking') },
        why,
      ),
      flow(
        'ingress_state',
        'moved',
        { ...sentTo(local), ...tcp },
        {
          load: receiverIsNew,
          actions: [punt<'ingress_state'>(data, meterId)],
          goto: after('ingressTracking'),
        },
        why,
      ),
    ];
  });
}
