/**
 * Only a port that may serve DHCP sends what a DHCP client takes for an answer: UDP for the client's port, from any
 * port. `guard_ip` drops whole packets. Fragments show no ports there, so `egress_state` drops them behind the lookup,
 * by the tuple of their connection.
 */
import { dhcpPorts } from '../../../net/packet/dhcp.ts';
import { protocols } from '../../../net/packet/transport.ts';
import { type Draft, type DropWhy, drop } from '../../draft.ts';
import { type LocalPort, sentBy } from '../../local-port.ts';
import { dhcp, ipv4, ipv6, original, piece, reply } from '../../matches.ts';
import { register } from '../../registers.ts';

const whyOf = ({ port }: LocalPort): DropWhy => ({ reason: 'dhcp-server', drop: 'egress', port: port.id });

export function dhcpServerGuard(local: LocalPort): Draft[] {
  if (local.port.dhcpServer) return [];
  const from = { ...sentBy(local), [register.dhcp]: 1 };
  return [dhcp.toClient4, dhcp.toClient6].map((answer) =>
    drop('guard_ip', 'forbidden', { ...answer, ...from }, whyOf(local)),
  );
}

export function dhcpServerPieces(local: LocalPort): Draft[] {
  if (local.port.dhcpServer) return [];
  const pieces = { ...piece, ...sentBy(local), ct_nw_proto: protocols.udp };
  return [
    { family: ipv4, client: dhcpPorts.client },
    { family: ipv6, client: dhcpPorts.client6 },
  ].flatMap(({ family, client }) =>
    [
      { ct_state: original, ct_tp_dst: client },
      { ct_state: reply, ct_tp_src: client },
    ].map((way) => drop('egress_state', 'forbiddenPiece', { ...family, ...pieces, ...way }, whyOf(local))),
  );
}
