/**
 * Brings a connection of a port that has moved here into the switch's table, by a segment in the direction of its first
 * packet. Its numbers are those of an answer, so the switch takes the answer and what follows for the connection's.
 */
import { macFromBits } from '../../net/mac.ts';
import { buildEthernet, etherTypes } from '../../net/packet/ethernet.ts';
import { buildIpv4 } from '../../net/packet/ipv4.ts';
import { buildIpv6 } from '../../net/packet/ipv6.ts';
import { buildTcp, protocols, tcpFlags } from '../../net/packet/transport.ts';
import { ports, type Session } from '../../openflow/index.ts';
import type { LocalPort } from '../../pipeline/local-port.ts';
import { register } from '../../pipeline/registers.ts';
import { tables } from '../../pipeline/tables.ts';
import type { LeftConnection } from '../../policy/moves.ts';

export interface Resumed {
  readonly connection: LeftConnection;
  /** The connection's record. */
  readonly label: bigint;
  readonly answer: {
    readonly seq: number;
    readonly ack: number;
    /** Whether the answer is for the port, and not from it. */
    readonly isForPort: boolean;
    /** Key of the port at the other end. */
    readonly peer: number;
  };
}

function segment({ connection, answer }: Resumed): Buffer {
  const { src, dst, srcPort, dstPort } = connection;
  const header = { srcPort, dstPort, seq: answer.ack, ack: answer.seq, flags: tcpFlags.ack, window: 0xffff };
  const body = buildTcp(src, dst, header, Buffer.alloc(0));
  const ends = { src, dst, protocol: protocols.tcp };
  const whole = { tos: 0, id: 0, dontFragment: true, moreFragments: false, fragmentOffset: 0 };
  const packet =
    src.family === 6
      ? buildIpv6({ ...ends, hopLimit: 64, trafficClass: 0, flowLabel: 0, extensions: [] }, body)
      : buildIpv4({ ...ends, ...whole, ttl: 64, options: Buffer.alloc(0) }, body);
  const macs = { dst: macFromBits(0x020000000001n), src: macFromBits(0x020000000002n), tags: [] };
  return buildEthernet({ ...macs, type: src.family === 6 ? etherTypes.ipv6 : etherTypes.ipv4 }, packet);
}

/** Then the answer goes on from where its copy was taken. */
export function resume(
  session: Pick<Session, 'packetOut'>,
  local: LocalPort,
  resumed: Resumed,
  data: Uint8Array,
): void {
  const { key, networkKey, zone, set, ofport } = local;
  const { label, answer } = resumed;
  session.packetOut({
    data: segment(resumed),
    actions: [
      {
        type: 'ct',
        commit: true,
        zone,
        exec: [{ type: 'set_field', field: 'ct_label', value: label, mask: (1n << 64n) - 1n }],
      },
    ],
  });
  if (!answer.isForPort) {
    session.packetOut({ inPort: ofport, data, actions: [{ type: 'output', port: ports.table }] });
    return;
  }
  session.packetOut({
    data,
    actions: [
      { type: 'set_field', field: register.network, value: networkKey },
      { type: 'set_field', field: register.zone, value: zone },
      { type: 'set_field', field: register.source, value: answer.peer },
      { type: 'set_field', field: register.destination, value: key },
      { type: 'set_field', field: register.destinationSet, value: set },
      { type: 'resubmit', table: tables.ingress_type.id },
    ],
  });
}
