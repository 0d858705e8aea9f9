/**
 * A small model of connection tracking: 5-tuples, one zone a network, and for each connection the ports that admitted
 * it. A tracker is a value: every change gives a new one. TCP windows and timeouts are not modelled.
 *
 * Several ports of one side may admit a connection: a guest forwards its packets in the same network, or several
 * ports get copies. A record has slots for two originators and three receivers.
 */
import { type Cidr, formatIp } from '../net/cidr.ts';
import { type Ip, parseQuoted, type Upper } from '../net/packet/frame.ts';
import { icmpTypes } from '../net/packet/icmp.ts';
import { icmpv6Types } from '../net/packet/icmpv6.ts';
import { protocols, tcpFlags } from '../net/packet/transport.ts';
import type { Direction, NetworkId, PortId } from './world.ts';

/** The ports that admitted a connection on one side; null is a free slot. */
export type RecordSlots = readonly (PortId | null)[];

/** What conntrack's label and mark say of a connection, and whether an answer was seen. */
export interface ConnectionRecord {
  /** Ports that sent packets like its first. */
  readonly originators: RecordSlots;
  /** Ports that packets like its first were delivered to. */
  readonly receivers: RecordSlots;
  readonly replied: boolean;
}

/** Keyed by zone and tuple in the direction of the first packet. */
export type Tracker = ReadonlyMap<string, ConnectionRecord>;

export const emptyTracker: Tracker = new Map();

interface Tuple {
  readonly protocol: number;
  readonly src: Cidr;
  readonly dst: Cidr;
  /** Ports, or identifier and type of an ICMP query. */
  readonly from: string;
  readonly to: string;
}

export type ConntrackLookup =
  | { readonly state: 'invalid' }
  | { readonly state: 'new'; readonly key: string }
  | {
      readonly state: 'known';
      readonly key: string;
      readonly connection: ConnectionRecord;
      readonly reply: boolean;
      /** An ICMP error about the connection, not part of it. */
      readonly related: boolean;
      /** False while only the originator's first steps were seen: rules still decide. */
      readonly established: boolean;
    };

const invalid: ConntrackLookup = { state: 'invalid' };

/** The key of a connection in a tracker, from what a conntrack entry says of its original direction. */
export function connectionKey(
  zone: NetworkId,
  { protocol, src, dst }: Pick<Tuple, 'protocol' | 'src' | 'dst'>,
  layer4: { readonly src: number; readonly dst: number } | { readonly id: number; readonly type: number },
): string {
  if ('id' in layer4) {
    const answer = answerTypeOf(src.family, layer4.type);
    return keyOf(zone, {
      protocol,
      src,
      dst,
      from: `${layer4.id}/${layer4.type}`,
      to: `${layer4.id}/${answer}`,
    });
  }
  const hasPorts = protocol === protocols.tcp || protocol === protocols.udp;
  const [from, to] = hasPorts ? [String(layer4.src), String(layer4.dst)] : ['', ''];
  return keyOf(zone, { protocol, src, dst, from, to });
}

const keyOf = (zone: NetworkId, t: Tuple): string =>
  [
    zone,
    t.protocol,
    formatIp(t.src.family, t.src.bits),
    t.from,
    formatIp(t.dst.family, t.dst.bits),
    t.to,
  ].join('|');

const reverse = (t: Tuple): Tuple => ({ ...t, src: t.dst, dst: t.src, from: t.to, to: t.from });

/** Query type to answer type: ICMP's echo, timestamp, information; ICMPv6's echo. */
const queries4: ReadonlyMap<number, number> = new Map([
  [icmpTypes.echo, icmpTypes.echoReply],
  [13, 14],
  [15, 16],
]);
const queries6: ReadonlyMap<number, number> = new Map([[icmpv6Types.echo, icmpv6Types.echoReply]]);

/** The type of the answer to a query of ICMP or ICMPv6. */
export const answerTypeOf = (family: Cidr['family'], query: number): number | undefined =>
  (family === 4 ? queries4 : queries6).get(query);

/** The answer's type to a query, and the query's to an answer. */
const counterpartOf = (family: Cidr['family'], type: number): number | undefined =>
  answerTypeOf(family, type) ??
  [...(family === 4 ? queries4 : queries6)].find(([, answer]) => answer === type)?.[0];

const errors4: ReadonlySet<number> = new Set([3, 4, 5, 11, 12]);
const errors6: ReadonlySet<number> = new Set([1, 2, 3, 4]);

/** A packet as connection tracking sees it. */
interface TrackedPacket {
  readonly tuple: Tuple;
  readonly related: boolean;
  /** Whether such a packet may begin a connection. */
  readonly opens: boolean;
  /** Whether such a packet of the originator, before any reply, still counts as the beginning. */
  readonly begins: boolean;
}

function readTcp(tuple: Tuple, flags: number): TrackedPacket | null {
  const has = (flag: number) => (flags & flag) !== 0;
  const syn = has(tcpFlags.syn);
  if (syn && (has(tcpFlags.rst) || has(tcpFlags.fin))) return null;
  if (!syn && !has(tcpFlags.ack) && !has(tcpFlags.rst)) return null;
  if (!has(tcpFlags.ack) && (has(tcpFlags.fin) || has(tcpFlags.psh) || has(tcpFlags.urg))) return null;
  const halfOpen = syn && has(tcpFlags.ack);
  return { tuple, related: false, opens: !halfOpen, begins: syn };
}

function readIcmp(ip: Ip, upper: Upper & { kind: 'icmp' }): TrackedPacket | null {
  const errors = ip.family === 4 ? errors4 : errors6;
  if (errors.has(upper.type)) return readError(ip, upper.body);
  if (upper.code !== 0) return null;
  const id = upper.rest >>> 16;
  const { protocol, src, dst } = ip;
  for (const [query, answer] of ip.family === 4 ? queries4 : queries6) {
    if (upper.type !== query && upper.type !== answer) continue;
    const opens = upper.type === query;
    const [from, to] = opens ? [query, answer] : [answer, query];
    const tuple = { protocol, src, dst, from: `${id}/${from}`, to: `${id}/${to}` };
    return { tuple, related: false, opens, begins: true };
  }
  return null;
}

/** The error runs against the packet that it quotes, which must have been sent to the address that it goes from. */
function readError(ip: Ip, body: Buffer): TrackedPacket | null {
  const inner = parseQuoted(ip.family, body);
  if (inner === null || inner.fragment !== null || inner.payload.length < 8) return null;
  const { protocol, src, dst, payload } = inner;
  if (src.bits !== ip.dst.bits) return null;
  let tuple: Tuple = { protocol, src, dst, from: '', to: '' };
  if (protocol === protocols.tcp || protocol === protocols.udp) {
    tuple = { ...tuple, from: String(payload.readUInt16BE(0)), to: String(payload.readUInt16BE(2)) };
  } else if (protocol === protocols.icmp || protocol === protocols.icmpv6) {
    const type = payload.readUInt8(0);
    const other = counterpartOf(ip.family, type);
    if (other === undefined) return null;
    const id = payload.readUInt16BE(4);
    tuple = { ...tuple, from: `${id}/${type}`, to: `${id}/${other}` };
  }
  return { tuple: reverse(tuple), related: true, opens: false, begins: false };
}

function read(ip: Ip): TrackedPacket | null {
  const { upper, protocol, src, dst } = ip;
  if (!ip.sound || upper === null || ip.fragment !== null) return null;
  if (upper.kind === 'other') {
    return { tuple: { protocol, src, dst, from: '', to: '' }, related: false, opens: true, begins: true };
  }
  if (!upper.sound) return null;
  if (upper.kind === 'icmp') return readIcmp(ip, upper);
  // Connection tracking knows SCTP by its addresses only.
  if (protocol === protocols.sctp)
    return { tuple: { protocol, src, dst, from: '', to: '' }, related: false, opens: true, begins: true };
  if (upper.srcPort === 0 || upper.dstPort === 0) return null;
  const tuple = { protocol, src, dst, from: String(upper.srcPort), to: String(upper.dstPort) };
  if (protocol === protocols.tcp) return readTcp(tuple, upper.flags);
  return { tuple, related: false, opens: true, begins: true };
}

/** Finds a packet's connection; the new tracker knows that a reply was seen. */
export function lookUpConnection(
  tracker: Tracker,
  zone: NetworkId,
  ip: Ip,
): { lookup: ConntrackLookup; tracker: Tracker } {
  const packet = read(ip);
  if (packet === null) return { lookup: invalid, tracker };
  const { tuple, related, opens, begins } = packet;
  const forward = keyOf(zone, tuple);
  const backward = keyOf(zone, reverse(tuple));
  const key = tracker.has(forward) ? forward : backward;
  const found = tracker.get(key);
  if (found === undefined) {
    const lookup: ConntrackLookup = opens ? { state: 'new', key: forward } : invalid;
    return { lookup, tracker };
  }
  const reply = key === backward && forward !== backward;
  const connection = reply && !related ? { ...found, replied: true } : found;
  const established = related || connection.replied || !begins;
  const lookup: ConntrackLookup = { state: 'known', key, connection, reply, related, established };
  return { lookup, tracker: new Map(tracker).set(key, connection) };
}

export const isEstablished = (lookup: ConntrackLookup): boolean =>
  lookup.state === 'known' && lookup.established;

/**
 * Whether the connection record names `port` as a sender (egress) or a receiver (ingress) of such packets. Never for
 * SCTP of the originator: tracking knows no SCTP ports, so the record may be of another connection.
 */
export function isOnRecord(
  lookup: ConntrackLookup,
  port: PortId,
  direction: Direction,
  protocol: number,
): boolean {
  if (lookup.state !== 'known') return false;
  const { connection, reply } = lookup;
  if (protocol === protocols.sctp && !reply) return false;
  const sends = direction === 'egress';
  return (sends === reply ? connection.receivers : connection.originators).includes(port);
}

const nobody = {
  originators: [null, null],
  receivers: [null, null, null],
  replied: false,
} as const satisfies ConnectionRecord;

/** Which sides of a packet admitted it without being on its connection record. */
export interface Newcomers {
  readonly sender: boolean;
  readonly receiver: boolean;
}

/** Puts the port into the slot, or into the last one when there are no more. */
const put = (slots: RecordSlots, at: number, port: PortId | null): RecordSlots =>
  slots.with(Math.min(at, slots.length - 1), port);

/**
 * Puts newcomers on the record; the sender of a reply counts as a receiver. `copy` counts the copies of a packet from
 * 0, all of which were looked up together.
 *
 * A side outside is nobody, null.
 *
 * The first pass of a connection keeps the first slots, whichever its ports are. A later originator gets the second
 * slot, a later receiver the first free one, and each further copy the slot after that.
 */
export function commitConnection(
  tracker: Tracker,
  lookup: ConntrackLookup,
  [sender, receiver]: readonly [PortId | null, PortId | null],
  newcomers: Newcomers,
  copy: number,
): Tracker {
  if (lookup.state === 'invalid' || (lookup.state === 'known' && lookup.related)) return tracker;
  const reply = lookup.state === 'known' && lookup.reply;
  const found = lookup.state === 'known' ? lookup.connection : nobody;
  const further = reply ? 0 : copy;
  const first = found.originators[0] === null && found.receivers[0] === null;
  const isNew = {
    originator: first || (reply ? newcomers.receiver : newcomers.sender),
    receiver: first || (reply ? newcomers.sender : newcomers.receiver),
  };
  const [originator, other] = reply ? [receiver, sender] : [sender, receiver];
  const later = further > 0 || found.receivers[1] !== null ? 2 : 1;
  const { originators, receivers, replied } = tracker.get(lookup.key) ?? nobody;
  return new Map(tracker).set(lookup.key, {
    originators: isNew.originator ? put(originators, first ? 0 : 1, originator) : originators,
    receivers: isNew.receiver ? put(receivers, first ? further : later, other) : receivers,
    replied,
  });
}
