/**
 * Frames for tests, from short descriptions with sensible defaults and correct checksums. Also cuts frames
 * into fragments and adds tags.
 */
import { type Cidr, cidr, parseCidr, parseIp } from '../../src/net/cidr.ts';
import { broadcastMac, type Mac, macFromBits, parseMac } from '../../src/net/mac.ts';
import { buildArp } from '../../src/net/packet/arp.ts';
import { buildDhcp, emptyDhcp } from '../../src/net/packet/dhcp.ts';
import { buildEthernet, etherTypes, parseEthernet } from '../../src/net/packet/ethernet.ts';
import { groupMacOf } from '../../src/net/packet/group-mac.ts';
import { buildIcmp, type Icmp } from '../../src/net/packet/icmp.ts';
import { buildIpv4, parseIpv4 } from '../../src/net/packet/ipv4.ts';
import { buildIpv6, type Extension, parseIpv6 } from '../../src/net/packet/ipv6.ts';
import { buildSctp, buildTcp, buildUdp, protocols } from '../../src/net/packet/transport.ts';

export function ip(text: string): Cidr {
  const parsed = parseIp(text);
  if (parsed === null) throw new Error(`not an address: ${text}`);
  return parsed;
}

export function net(text: string): Cidr {
  const parsed = parseCidr(text);
  if (parsed === null) throw new Error(`not a prefix: ${text}`);
  return parsed;
}

export function mac(text: string): Mac {
  const parsed = parseMac(text);
  if (parsed === null) throw new Error(`not a MAC: ${text}`);
  return parsed;
}

export const noMac: Mac = macFromBits(0n);

export const groupMac = groupMacOf;

export interface Link {
  readonly from: Mac;
  readonly to: Mac;
}

export interface Network extends Link {
  readonly src: Cidr;
  readonly dst: Cidr;
  /** 64 by default. */
  readonly hopLimit?: number;
  /** IPv6 only. */
  readonly extensions?: readonly Extension[];
  readonly id?: number;
}

/** An IP packet of either family around `payload`. */
export function ipFrame(layer: Network, protocol: number, payload: Uint8Array): Buffer {
  const { from, to, src, dst, hopLimit = 64, extensions = [], id = 1 } = layer;
  const ethernet = { dst: to, src: from, tags: [] };
  if (src.family === 6) {
    const header = { src, dst, hopLimit, trafficClass: 0, flowLabel: 0, extensions, protocol };
    return buildEthernet({ ...ethernet, type: etherTypes.ipv6 }, buildIpv6(header, payload));
  }
  const fields = { tos: 0, id, dontFragment: false, moreFragments: false, fragmentOffset: 0 };
  const header = { src, dst, protocol, ttl: hopLimit, ...fields, options: Buffer.alloc(0) };
  return buildEthernet({ ...ethernet, type: etherTypes.ipv4 }, buildIpv4(header, payload));
}

export function udpFrame(
  layer: Network,
  srcPort: number,
  dstPort: number,
  payload: Uint8Array = Buffer.alloc(4),
): Buffer {
  return ipFrame(layer, protocols.udp, buildUdp(layer.src, layer.dst, srcPort, dstPort, payload));
}

export interface TcpFields {
  readonly seq?: number;
  readonly ack?: number;
}

export function tcpFrame(
  layer: Network,
  srcPort: number,
  dstPort: number,
  flags: number,
  at: TcpFields = {},
): Buffer {
  const header = { srcPort, dstPort, seq: at.seq ?? 1000, ack: at.ack ?? 0, flags, window: 65535 };
  return ipFrame(layer, protocols.tcp, buildTcp(layer.src, layer.dst, header, Buffer.alloc(0)));
}

export function sctpFrame(layer: Network, srcPort: number, dstPort: number): Buffer {
  return ipFrame(layer, protocols.sctp, buildSctp(srcPort, dstPort, Buffer.alloc(4)));
}

/** ICMP or ICMPv6, by the family of the addresses. */
export function icmpFrame(layer: Network, message: Icmp): Buffer {
  const protocol = layer.src.family === 4 ? protocols.icmp : protocols.icmpv6;
  return ipFrame(layer, protocol, buildIcmp(layer.src, layer.dst, message));
}

export function echoFrame(layer: Network, kind: 'request' | 'reply', id = 7, size = 16): Buffer {
  const types = layer.src.family === 4 ? { request: 8, reply: 0 } : { request: 128, reply: 129 };
  return icmpFrame(layer, { type: types[kind], code: 0, rest: id * 0x10000 + 1, body: Buffer.alloc(size) });
}

export interface ArpFields extends Link {
  readonly op: number;
  readonly sha: Mac;
  readonly spa: Cidr;
  readonly tha: Mac;
  readonly tpa: Cidr;
}

export function arpFrame({ from, to, ...arp }: ArpFields): Buffer {
  return buildEthernet({ dst: to, src: from, tags: [], type: etherTypes.arp }, buildArp(arp));
}

export function rarpFrame({ from, to, ...arp }: ArpFields): Buffer {
  return buildEthernet({ dst: to, src: from, tags: [], type: etherTypes.rarp }, buildArp(arp));
}

/** An ordinary ARP request by broadcast. */
export function arpRequest(from: Mac, spa: Cidr, tpa: Cidr): Buffer {
  return arpFrame({ from, to: broadcastMac, op: 1, sha: from, spa, tha: noMac, tpa });
}

/** A DHCPv4 message whose sender is the client (68 to 67) or the server (67 to 68). */
export function dhcpFrame(layer: Network, side: 'client' | 'server', chaddr: Mac, size = 0): Buffer {
  const client = side === 'client';
  const payload = buildDhcp({
    ...emptyDhcp,
    op: client ? 1 : 2,
    xid: 0x1234,
    yiaddr: client ? cidr(4, 0n) : layer.dst,
    chaddr,
    options: [{ code: 53, data: Buffer.from([client ? 1 : 2]) }],
  });
  const padded = Buffer.concat([payload, Buffer.alloc(size)]);
  return client ? udpFrame(layer, 68, 67, padded) : udpFrame(layer, 67, 68, padded);
}

/** `frame` with one tag in front of its ethertype. */
export function tagged(frame: Buffer, tpid: number = etherTypes.vlan, tci = 5): Buffer {
  const tag = Buffer.alloc(4);
  tag.writeUInt16BE(tpid, 0);
  tag.writeUInt16BE(tci, 2);
  return Buffer.concat([frame.subarray(0, 12), tag, frame.subarray(12)]);
}

/** `frame` with another Ethernet source. */
export function withSource(frame: Buffer, source: Mac): Buffer {
  const copy = Buffer.from(frame);
  copy.write(source.replaceAll(':', ''), 6, 'hex');
  return copy;
}

/**
 * Cuts an untagged IP frame into fragments. `cuts` are the offsets (multiples of 8) in the payload at which a
 * new fragment begins. For IPv6 the extension headers stay in the unfragmentable part. `hide` moves them into
 * the fragmented part, so that the first fragment need not reach the upper layer.
 */
export function fragmentsOf(
  frame: Buffer,
  cuts: readonly number[],
  id = 99,
  hide = false,
): [Buffer, ...Buffer[]] {
  const outer = parseEthernet(frame);
  const v4 = outer === null || outer.header.type !== etherTypes.ipv4 ? null : parseIpv4(outer.payload);
  const v6 = outer === null || outer.header.type !== etherTypes.ipv6 ? null : parseIpv6(outer.payload);
  if (outer === null || (v4 === null && v6 === null)) throw new Error('only an IP frame can be cut');
  const hidden = v6 !== null && hide ? outer.payload.subarray(40, 40 + outer.payload.readUInt16BE(4)) : null;
  const payload = hidden ?? v4?.payload ?? v6?.payload ?? Buffer.alloc(0);
  const ends = [...cuts, payload.length];
  const piece = (end: number, at: number): Buffer => {
    const offset = at === 0 ? 0 : (ends[at - 1] ?? 0);
    const more = at < ends.length - 1;
    const data = payload.subarray(offset, end);
    if (v4 !== null) {
      const header = { ...v4.header, id, moreFragments: more, fragmentOffset: offset };
      return buildEthernet(outer.header, buildIpv4(header, data));
    }
    const header = v6?.header ?? { protocol: 0, extensions: [] };
    const fragment: Extension = { kind: 'fragment', offset, more, id };
    const extensions = hidden === null ? [...header.extensions, fragment] : [fragment];
    const protocol = hidden === null ? header.protocol : outer.payload.readUInt8(6);
    return buildEthernet(
      outer.header,
      buildIpv6({ ...(v6 as NonNullable<typeof v6>).header, extensions, protocol }, data),
    );
  };
  const [first = payload.length, ...others] = ends;
  return [piece(first, 0), ...others.map((end, at) => piece(end, at + 1))];
}
