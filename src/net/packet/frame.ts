/**
 * Parses a whole frame: Ethernet, then ARP or IP, then the layer above IP. Never throws. A layer that cannot
 * be read is null, and so are the layers above it. A guard that needs a missing field must therefore drop.
 */
import type { Cidr, Family } from '../cidr.ts';
import { type Arp, parseArp } from './arp.ts';
import { type Ethernet, etherTypes, parseEthernet } from './ethernet.ts';
import { type ParsedIcmp, parseIcmp } from './icmp.ts';
import { parseIpv4 } from './ipv4.ts';
import { type ParsedIpv6, parseIpv6 } from './ipv6.ts';
import { parseSctp, parseTcp, parseUdp, protocols, type Segment } from './transport.ts';

/**
 * Where a fragment lies in its datagram; `offset` in bytes. Null for an atomic fragment (offset 0, no more
 * fragments).
 */
export interface Fragment {
  readonly id: number;
  readonly offset: number;
  readonly more: boolean;
  /** The fragment's share of the datagram, which for IPv6 begins with the header of this number. */
  readonly data: Buffer;
  readonly protocol: number;
}

export type Upper =
  | ({ readonly kind: 'segment' } & Segment)
  | ({ readonly kind: 'icmp' } & ParsedIcmp)
  /** A protocol without ports, such as GRE. */
  | { readonly kind: 'other' };

export interface Ip {
  readonly family: Family;
  readonly src: Cidr;
  readonly dst: Cidr;
  /** The protocol number behind all IPv6 extension headers. */
  readonly protocol: number;
  /** IPv4's TTL. */
  readonly hopLimit: number;
  /** Of the whole packet, its header included, in bytes. */
  readonly size: number;
  readonly fragment: Fragment | null;
  /** Everything above IP; of a fragment, its share of the datagram. */
  readonly payload: Buffer;
  /** IPv4: the header checksum is correct. IPv6: the header chain is complete. */
  readonly sound: boolean;
  /** Null for a fragment (the switch hides its L4 fields too) and for a cut packet. */
  readonly upper: Upper | null;
}

export interface Frame {
  readonly ethernet: Ethernet;
  readonly arp: Arp | null;
  readonly ip: Ip | null;
}

function upperOf(src: Cidr, dst: Cidr, protocol: number, payload: Buffer): Upper | null {
  switch (protocol) {
    case protocols.tcp:
      return segment(parseTcp(src, dst, payload));
    case protocols.udp:
      return segment(parseUdp(src, dst, payload));
    case protocols.sctp:
      return segment(parseSctp(payload));
    case protocols.icmp:
      return src.family === 4 ? icmp(parseIcmp(src, dst, payload)) : { kind: 'other' };
    case protocols.icmpv6:
      return src.family === 6 ? icmp(parseIcmp(src, dst, payload)) : { kind: 'other' };
    default:
      return { kind: 'other' };
  }
}

const segment = (parsed: Segment | null): Upper | null => parsed && { kind: 'segment', ...parsed };
const icmp = (parsed: ParsedIcmp | null): Upper | null => parsed && { kind: 'icmp', ...parsed };

function ipv4Of(data: Buffer): Ip | null {
  const parsed = parseIpv4(data);
  if (parsed === null) return null;
  const { src, dst, protocol, ttl, id, fragmentOffset, moreFragments } = parsed.header;
  const whole = !moreFragments && fragmentOffset === 0;
  const { payload, checksumOk } = parsed;
  return {
    family: 4,
    src,
    dst,
    protocol,
    hopLimit: ttl,
    size: parsed.header.options.length + 20 + payload.length,
    fragment: whole ? null : { id, offset: fragmentOffset, more: moreFragments, data: payload, protocol },
    payload,
    sound: checksumOk,
    upper: whole ? upperOf(src, dst, protocol, payload) : null,
  };
}

function fragmentOf({ header, piece }: ParsedIpv6): Fragment | null {
  const found = header.extensions.find((extension) => extension.kind === 'fragment');
  if (found === undefined || piece === null || (!found.more && found.offset === 0)) return null;
  return { id: found.id, offset: found.offset, more: found.more, ...piece };
}

function ipv6Of(data: Buffer): Ip | null {
  const parsed = parseIpv6(data);
  if (parsed === null) return null;
  const { header, payload, complete } = parsed;
  const { src, dst, protocol, hopLimit } = header;
  const fragment = fragmentOf(parsed);
  const readable = complete && fragment === null;
  const upper = readable ? upperOf(src, dst, protocol, payload) : null;
  const size = 40 + data.readUInt16BE(4);
  return { family: 6, src, dst, protocol, hopLimit, size, fragment, payload, sound: complete, upper };
}

/** Null only for a frame without a whole Ethernet header. */
export function parseFrame(bytes: Buffer): Frame | null {
  const parsed = parseEthernet(bytes);
  if (parsed === null) return null;
  const { header: ethernet, payload } = parsed;
  const { type } = ethernet;
  const isArp = type === etherTypes.arp || type === etherTypes.rarp;
  const arp = isArp ? parseArp(payload) : null;
  const ip = type === etherTypes.ipv4 ? ipv4Of(payload) : type === etherTypes.ipv6 ? ipv6Of(payload) : null;
  return { ethernet, arp, ip };
}

/** The addresses and ports of the datagram that an ICMP error quotes; null when too little is quoted. */
export function parseQuoted(family: Family, quoted: Buffer): Ip | null {
  if (family === 6) return ipv6Quoted(quoted);
  if (quoted.length < 20) return null;
  // The quoted total length counts the whole datagram, but only its start is here.
  const copy = Buffer.from(quoted);
  const size = (copy.readUInt8(0) & 0x0f) * 4;
  if (size < 20 || copy.readUInt16BE(2) < size) return null;
  copy.writeUInt16BE(Math.min(copy.readUInt16BE(2), copy.length), 2);
  return ipv4Of(copy);
}

function ipv6Quoted(quoted: Buffer): Ip | null {
  if (quoted.length < 40) return null;
  const copy = Buffer.from(quoted);
  copy.writeUInt16BE(Math.min(copy.readUInt16BE(4), copy.length - 40), 4);
  return ipv6Of(copy);
}
