/**
 * Whether present rules still admit a live connection: what its originators may send, and what its responders may get.
 * The guards and rules that judge packets decide. Knows no connection table.
 */
import type { Cidr } from '../net/cidr.ts';
import type { Ip, Upper } from '../net/packet/frame.ts';
import { protocols } from '../net/packet/transport.ts';
import { answerTypeOf } from './conntrack.ts';
import { guardIpSource, isForPort } from './guard.ts';
import { identityOf } from './identity.ts';
import { mayReach } from './isolation.ts';
import { isDhcpFromServer } from './packet.ts';
import { routerOfPort } from './routing.ts';
import { admits } from './security-group.ts';
import type { NetworkId, Port, PortId, Router, World } from './world.ts';
import { rulesOf } from './world-index.ts';

/** A connection in the direction of its first packet. */
export interface ConnectionTuple {
  readonly network: NetworkId;
  readonly protocol: number;
  readonly src: Cidr;
  readonly dst: Cidr;
  /** Null where only the addresses are known, as for SCTP in the userspace datapath. */
  readonly detail:
    | { readonly kind: 'ports'; readonly src: number; readonly dst: number }
    | { readonly kind: 'icmp'; readonly type: number; readonly code: number }
    | null;
}

/** A connection between two of the ports that admitted it. Null: no port of this host, so nothing is checked. */
export interface ConnectionOfPorts extends ConnectionTuple {
  readonly originator: PortId | null;
  readonly responder: PortId | null;
}

/** The ports that admitted a connection. A side without any has no port on this host. */
export interface Admission {
  readonly originators: readonly PortId[];
  readonly responders: readonly PortId[];
}

const payload = Buffer.alloc(0);

function upperOf({ detail }: ConnectionTuple): Upper {
  if (detail === null) return { kind: 'other' };
  if (detail.kind === 'icmp')
    return { kind: 'icmp', type: detail.type, code: detail.code, rest: 0, body: payload, sound: true };
  return { kind: 'segment', srcPort: detail.src, dstPort: detail.dst, flags: 0, payload, sound: true };
}

/** The packet that would begin the connection now. */
function firstPacket(connection: ConnectionTuple): Ip {
  const { protocol, src, dst } = connection;
  const { family } = src;
  const upper = upperOf(connection);
  return { family, src, dst, protocol, hopLimit: 64, size: 0, fragment: null, payload, sound: true, upper };
}

function maySend(world: World, port: Port, packet: Ip, via: Router | null): boolean {
  const own = identityOf(world, port);
  const answers = [...own.macs].map((mac) => guardIpSource(port, own, mac, packet, false).answer);
  if (answers.includes('bypass')) return true;
  return answers.includes('pass') && admits(world, port, 'egress', packet, via);
}

function mayHear(world: World, port: Port, packet: Ip, via: Router | null): boolean {
  if (port.mode === 'strict' && !isForPort(world, port, packet.dst)) return false;
  return isDhcpFromServer(packet) || admits(world, port, 'ingress', packet, via);
}

/** The port of a side. Null: nothing is checked there. Undefined: the port can admit nothing any more. */
function sideOf(world: World, network: NetworkId, id: PortId | null): Port | null | undefined {
  if (id === null) return null;
  const port = world.ports.get(id);
  if (port?.network !== network || !port.adminUp) return undefined;
  return port.mode === 'off' ? null : port;
}

/** Where the ports are not known, the connection stands when both sides admit at least one port. */
function* candidates(
  world: World,
  connection: ConnectionTuple,
  sender: Port | null,
  receiver: Port | null,
): Generator<Ip> {
  yield firstPacket(connection);
  if (connection.protocol !== protocols.sctp || connection.detail !== null) return;
  const { family } = connection.src;
  const rules = [
    ...(sender === null ? [] : rulesOf(world, sender, 'egress', family)),
    ...(receiver === null ? [] : rulesOf(world, receiver, 'ingress', family)),
  ];
  // Where ranges overlap at all, they do so at the beginning of one of them.
  const starts = rules.flatMap(({ l4 }) =>
    l4.kind === 'ports' && l4.protocol === protocols.sctp ? [l4.min] : [],
  );
  for (const dst of new Set(starts))
    yield firstPacket({ ...connection, detail: { kind: 'ports', src: 0, dst } });
}

/** The router at an end of a connection, whose networks say who the peer is. */
function routerOf(world: World, id: PortId | null): Router | null {
  const port = id === null ? undefined : world.ports.get(id);
  return port === undefined ? null : routerOfPort(world, port);
}

/** Roles hold for ports without port security too, and for those of other hosts. */
function isForbidden(world: World, { originator, responder }: ConnectionOfPorts): boolean {
  const from = originator === null ? undefined : world.ports.get(originator);
  const to = responder === null ? undefined : world.ports.get(responder);
  return from !== undefined && to !== undefined && !mayReach(world, from, to);
}

/** Whether a packet like the connection's first would be admitted by both sides now. */
export function stands(world: World, connection: ConnectionOfPorts): boolean {
  if (world.networks.get(connection.network)?.adminUp !== true) return false;
  const sender = sideOf(world, connection.network, connection.originator);
  const receiver = sideOf(world, connection.network, connection.responder);
  if (sender === undefined || receiver === undefined) return false;
  if (isForbidden(world, connection)) return false;
  for (const packet of candidates(world, connection, sender, receiver)) {
    const sent = sender === null || maySend(world, sender, packet, routerOf(world, connection.responder));
    const from = routerOf(world, connection.originator);
    if (sent && (receiver === null || mayHear(world, receiver, packet, from))) return true;
  }
  return false;
}

const isGuarded = (world: World, id: PortId): boolean => world.ports.get(id)?.mode !== 'off';

/** Whether one of these ports no longer admits the connection, and no guarded port is left. */
function isLost(world: World, ports: readonly PortId[], standing: readonly PortId[]): boolean {
  const left = ports.filter((id) => standing.includes(id));
  return left.length < ports.length && !left.some((id) => isGuarded(world, id));
}

/**
 * The ports that admitted a connection and still do; null when the connection must end. A port that is both an
 * originator and a responder forwards it: when it falls, only its own passes end. When no port that begins the
 * connection is left, or none that it is for, the connection ends.
 */
export function standing(world: World, connection: ConnectionTuple, admission: Admission): Admission | null {
  const { originators, responders } = admission;
  const sides = (ports: readonly PortId[]): readonly (PortId | null)[] =>
    ports.length === 0 ? [null] : ports;
  const pairs = sides(originators).flatMap((originator) =>
    sides(responders)
      .filter((responder) => responder === null || responder !== originator)
      .map((responder) => ({ originator, responder })),
  );
  const able = pairs.filter((pair) => stands(world, { ...connection, ...pair }));
  if (able.length === 0) return null;
  if (able.length === pairs.length) return admission;
  const still = {
    originators: originators.filter((id) => able.some(({ originator }) => originator === id)),
    responders: responders.filter((id) => able.some(({ responder }) => responder === id)),
  };
  const begin = originators.filter((id) => !responders.includes(id));
  const end = responders.filter((id) => !originators.includes(id));
  return isLost(world, begin, still.originators) || isLost(world, end, still.responders) ? null : still;
}

/** The connection that would begin with an answer to this one. */
function answersOf({ network, protocol, src, dst, detail }: ConnectionTuple): ConnectionTuple {
  const back = { network, protocol, src: dst, dst: src };
  if (detail === null) return { ...back, detail };
  if (detail.kind === 'ports') return { ...back, detail: { ...detail, src: detail.dst, dst: detail.src } };
  return { ...back, detail: { ...detail, type: answerTypeOf(src.family, detail.type) ?? detail.type } };
}

/**
 * Whether the next answer would put a port that has fallen on record again: its rules admit that answer by itself, as
 * the first packet of a new connection.
 */
export function comesBack(
  world: World,
  connection: ConnectionTuple,
  id: PortId,
  side: keyof Admission,
  others: Admission,
): boolean {
  const port = sideOf(world, connection.network, id);
  if (port === null || port === undefined) return false;
  const gives = side === 'responders';
  const answers = answersOf(connection);
  const ends = gives ? others.originators : others.responders;
  const vias = new Set(ends.length === 0 ? [null] : ends.map((end) => routerOf(world, end)));
  for (const packet of candidates(world, answers, gives ? port : null, gives ? null : port))
    for (const via of vias)
      if (gives ? maySend(world, port, packet, via) : mayHear(world, port, packet, via)) return true;
  return false;
}
