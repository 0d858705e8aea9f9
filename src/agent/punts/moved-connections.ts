/**
 * Handler of TCP amid connections of a port that has moved here. An answer of a connection that the port's former host has
 * reported, and that rules still allow, brings the connection into the switch's table. The copied answer then goes on.
 *
 * Invariants: the report names the connection, and this host's own rules allow its first packet. An answer alone admits
 * nothing. What the rules admit by itself is left to them.
 */
import { parseFrame } from '../../net/packet/frame.ts';
import { protocols, tcpFlags } from '../../net/packet/transport.ts';
import { isOfThisMove } from '../../pipeline/features/moves/moved-connections.ts';
import type { LocalPort } from '../../pipeline/local-port.ts';
import { worldOf } from '../../pipeline/world-of.ts';
import { sameIp } from '../../policy/identity.ts';
import type { LeftConnection } from '../../policy/moves.ts';
import { isPortOfRouter } from '../../policy/routing.ts';
import { type ConnectionTuple, stands } from '../../policy/standing.ts';
import type { PortId, World } from '../../policy/world.ts';
import { ignored, type PuntHandler, type PuntView } from './handler.ts';

export const movedConnections: PuntHandler = {
  maxWaitingPerPort: 400,
  handle: ({ data, local }, view) => {
    const answer = readSegment(data);
    const left = view.facts.leftConnections.get(local.port.id);
    if (answer === null || left === undefined || !isOfThisMove(local, left)) return ignored;
    const found = left.connections.find(
      ({ src, dst, srcPort, dstPort }) =>
        sameIp(src, answer.dst) &&
        sameIp(dst, answer.src) &&
        srcPort === answer.dstPort &&
        dstPort === answer.srcPort,
    );
    if (found === undefined) return ignored;
    const isOriginator = found.originators.includes(local.key);
    if (!isOriginator && !found.responders.includes(local.key)) return ignored;
    const world = worldOf(view.facts);
    const [originator, responder] = [found.originators[0] ?? 0, found.responders[0] ?? 0];
    const other = routerWith(isOriginator ? responder : originator, local, world, view);
    const ends = isOriginator
      ? { originator: local.port.id, responder: other }
      : { originator: other, responder: local.port.id };
    const way = tupleOf(local, found);
    const back = { ...way, src: way.dst, dst: way.src, detail: reversed(way.detail) };
    if (!stands(world, { ...way, ...ends })) return ignored;
    if (stands(world, { ...back, originator: ends.responder, responder: ends.originator })) return ignored;
    return {
      kind: 'connection-moved',
      connection: found,
      label: (BigInt(responder) << 32n) | BigInt(originator),
      answer: {
        seq: answer.seq,
        ack: answer.ack,
        isForPort: isOriginator,
        peer: isOriginator ? responder : originator,
      },
    };
  },
};

interface Segment {
  readonly src: LeftConnection['src'];
  readonly dst: LeftConnection['dst'];
  readonly srcPort: number;
  readonly dstPort: number;
  readonly seq: number;
  readonly ack: number;
}

/** Null for anything but a whole TCP segment amid a connection. Never throws. */
function readSegment(data: Uint8Array): Segment | null {
  const ip = parseFrame(Buffer.from(data))?.ip;
  if (ip?.protocol !== protocols.tcp || ip.upper?.kind !== 'segment' || !ip.upper.sound) return null;
  const { srcPort, dstPort, flags } = ip.upper;
  const isAmid = (flags & tcpFlags.ack) !== 0 && (flags & (tcpFlags.syn | tcpFlags.rst)) === 0;
  if (!isAmid || ip.payload.length < 20) return null;
  const { src, dst, payload } = ip;
  return { src, dst, srcPort, dstPort, seq: payload.readUInt32BE(4), ack: payload.readUInt32BE(8) };
}

const reversed = (detail: ConnectionTuple['detail']): ConnectionTuple['detail'] =>
  detail?.kind === 'ports' ? { ...detail, src: detail.dst, dst: detail.src } : detail;

const tupleOf = ({ port }: LocalPort, { src, dst, srcPort, dstPort }: LeftConnection): ConnectionTuple => ({
  network: port.network,
  protocol: protocols.tcp,
  src,
  dst,
  detail: { kind: 'ports', src: srcPort, dst: dstPort },
});

/** The other end where it is a router, whose networks say who the peer is. Its own host judges any other. */
function routerWith(key: number, { port }: LocalPort, world: World, { facts }: PuntView): PortId | null {
  for (const [id, each] of facts.portKeys.entries()) {
    const other = each === key ? world.ports.get(id) : undefined;
    if (other?.network === port.network && isPortOfRouter(world, other)) return id;
  }
  return null;
}
