/**
 * A small model of connection tracking: 5-tuples, one zone a network, and for each connection the two ports that
 * admitted it. Values, not state: every change gives a new tracker. TCP windows and timeouts are not modelled.
 */
import { type Cidr, formatIp } from '../net/cidr.ts';
import { type Ip, parseQuoted, type Upper } from '../net/packet/frame.ts';
import { icmpTypes } from '../net/packet/icmp.ts';
import { icmpv6Types } from '../net/packet/icmpv6.ts';
import { protocols, tcpFlags } from '../net/packet/transport.ts';
import type { Direction, NetworkId, PortId } from './world.ts';

export interface Connection {
  /** The port that sent its first packet, and the one that this was delivered to. */
  readonly originator: PortId;
  readonly receiver: PortId;
  readonly replied: boolean;
}

/** Keyed by zone and tuple in the direction of the first packet. */
export type Tracker = ReadonlyMap<string, Connection>;

export const emptyTracker: Tracker = new Map();

interface Tuple {
  readonly protocol: number;
  readonly src: Cidr;
  readonly dst: Cidr;
  /** Ports, or identifier and type of an ICMP query. */
  readonly from: string;
  readonly to: string;
}

export type Lookup =
  | { readonly state: 'invalid' }
  | { readonly state: 'new'; readonly key: string }
  | {
      readonly state: 'known';
      readonly key: string;
      readonly connection: Connection;
      readonly reply: boolean;
      /** An ICMP error about the connection, not part of it. */
      readonly related: boolean;
      /** False while only the originator's first steps were seen: rules still decide. */
      readonly established: boolean;
    };

const invalid: Lookup = { state: 'invalid' };

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
const errors4: ReadonlySet<number> = new Set([3, 4, 5, 11, 12]);
const errors6: ReadonlySet<number> = new Set([1, 2, 3, 4]);

interface Reading {
  readonly tuple: Tuple;
  readonly related: boolean;
  /** Whether a packet like this may begin a connection. */
  readonly opens: boolean;
  /** Whether a packet like this of the originator, before any reply, still counts as the beginning. */
  readonly begins: boolean;
}

function readTcp(tuple: Tuple, flags: number): Reading | null {
  const has = (flag: number) => (flags & flag) !== 0;
  const syn = has(tcpFlags.syn);
  if (syn && (has(tcpFlags.rst) || has(tcpFlags.fin))) return null;
  if (!syn && !has(tcpFlags.ack) && !has(tcpFlags.rst)) return null;
  if (!has(tcpFlags.ack) && (has(tcpFlags.fin) || has(tcpFlags.psh) || has(tcpFlags.urg))) return null;
  const halfOpen = syn && has(tcpFlags.ack);
  return { tuple, related: false, opens: !halfOpen, begins: syn };
}

function readIcmp(ip: Ip, upper: Upper & { kind: 'icmp' }): Reading | null {
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
function readError(ip: Ip, body: Buffer): Reading | null {
  const inner = parseQuoted(ip.family, body);
  if (inner === null || inner.fragment !== null || inner.payload.length < 8) return null;
  const { protocol, src, dst, payload } = inner;
  if (src.bits !== ip.dst.bits) return null;
  let tuple: Tuple = { protocol, src, dst, from: '', to: '' };
  if (protocol === protocols.tcp || protocol === protocols.udp) {
    tuple = { ...tuple, from: String(payload.readUInt16BE(0)), to: String(payload.readUInt16BE(2)) };
  } else if (protocol === protocols.icmp || protocol === protocols.icmpv6) {
    const type = payload.readUInt8(0);
    const answer = (ip.family === 4 ? queries4 : queries6).get(type);
    if (answer === undefined) return null;
    const id = payload.readUInt16BE(4);
    tuple = { ...tuple, from: `${id}/${type}`, to: `${id}/${answer}` };
  }
  return { tuple: reverse(tuple), related: true, opens: false, begins: false };
}

function read(ip: Ip): Reading | null {
  const { upper, protocol, src, dst } = ip;
  if (!ip.sound || upper === null || ip.fragment !== null) return null;
  if (upper.kind === 'other') {
    return { tuple: { protocol, src, dst, from: '', to: '' }, related: false, opens: true, begins: true };
  }
  if (!upper.sound) return null;
  if (upper.kind === 'icmp') return readIcmp(ip, upper);
  // SCTP is tracked by its addresses; its ports are nobody's business there.
  if (protocol === protocols.sctp)
    return { tuple: { protocol, src, dst, from: '', to: '' }, related: false, opens: true, begins: true };
  if (upper.srcPort === 0 || upper.dstPort === 0) return null;
  const tuple = { protocol, src, dst, from: String(upper.srcPort), to: String(upper.dstPort) };
  if (protocol === protocols.tcp) return readTcp(tuple, upper.flags);
  return { tuple, related: false, opens: true, begins: true };
}

/** Finds a packet's connection; the new tracker knows that a reply was seen. */
export function lookUp(tracker: Tracker, zone: NetworkId, ip: Ip): { lookup: Lookup; tracker: Tracker } {
  const reading = read(ip);
  if (reading === null) return { lookup: invalid, tracker };
  const { tuple, related, opens, begins } = reading;
  const forward = keyOf(zone, tuple);
  const backward = keyOf(zone, reverse(tuple));
  const key = tracker.has(forward) ? forward : backward;
  const found = tracker.get(key);
  if (found === undefined) {
    const lookup: Lookup = opens ? { state: 'new', key: forward } : invalid;
    return { lookup, tracker };
  }
  const reply = key === backward && forward !== backward;
  const connection = reply && !related ? { ...found, replied: true } : found;
  const established = related || connection.replied || !begins;
  const lookup: Lookup = { state: 'known', key, connection, reply, related, established };
  return { lookup, tracker: new Map(tracker).set(key, connection) };
}

/**
 * Whether the connection's record lets `port` send (egress) or be given (ingress) this packet without its rules.
 * Not for SCTP of the originator: what is on record may be another port's.
 */
export function vouches(lookup: Lookup, port: PortId, direction: Direction, protocol: number): boolean {
  if (lookup.state !== 'known' || !lookup.established) return false;
  const { connection, reply } = lookup;
  if (protocol === protocols.sctp && !reply) return false;
  const sends = direction === 'egress';
  return port === (sends === reply ? connection.receiver : connection.originator);
}

/** Records who admitted a delivered packet; of a reply, in the direction of the connection's first packet. */
export function commit(tracker: Tracker, lookup: Lookup, sender: PortId, receiver: PortId): Tracker {
  if (lookup.state === 'invalid' || (lookup.state === 'known' && lookup.related)) return tracker;
  const next = new Map(tracker);
  if (lookup.state === 'new') return next.set(lookup.key, { originator: sender, receiver, replied: false });
  const [originator, other] = lookup.reply ? [receiver, sender] : [sender, receiver];
  return next.set(lookup.key, { ...lookup.connection, originator, receiver: other });
}
