/** TCP, UDP and SCTP in the detail that a port-security guard needs: ports, TCP flags, lengths and checksums. */
import { Reader, Writer } from '../../base/bytes.ts';
import type { Cidr } from '../cidr.ts';
import { segmentChecksum } from './checksum.ts';

export const protocols = {
  icmp: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  dccp: 33,
  gre: 47,
  icmpv6: 58,
  vrrp: 112,
  sctp: 132,
  udplite: 136,
} as const;

export const tcpFlags = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32 } as const;

export interface Tcp {
  readonly srcPort: number;
  readonly dstPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
}

export function buildTcp(src: Cidr, dst: Cidr, header: Tcp, payload: Uint8Array): Buffer {
  const writer = new Writer(20 + payload.length)
    .u16(header.srcPort)
    .u16(header.dstPort)
    .u32(header.seq)
    .u32(header.ack)
    .u8(0x50)
    .u8(header.flags)
    .u16(header.window)
    .u32(0)
    .bytes(payload);
  writer.patchU16(16, segmentChecksum(src, dst, protocols.tcp, writer.done()));
  return writer.done();
}

export function buildUdp(
  src: Cidr,
  dst: Cidr,
  srcPort: number,
  dstPort: number,
  payload: Uint8Array,
): Buffer {
  const writer = new Writer(8 + payload.length)
    .u16(srcPort)
    .u16(dstPort)
    .u16(8 + payload.length)
    .u16(0)
    .bytes(payload);
  // RFC 768: a computed zero is sent as all ones; zero means "no checksum".
  const sum = segmentChecksum(src, dst, protocols.udp, writer.done());
  writer.patchU16(6, sum === 0 ? 0xffff : sum);
  return writer.done();
}

/** A bare SCTP common header (RFC 9260 3.1) and chunks; its CRC32c stays zero. */
export function buildSctp(srcPort: number, dstPort: number, chunks: Uint8Array): Buffer {
  return new Writer(12 + chunks.length).u16(srcPort).u16(dstPort).u32(0).u32(0).bytes(chunks).done();
}

export interface Segment {
  readonly srcPort: number;
  readonly dstPort: number;
  /** 0 for anything but TCP. */
  readonly flags: number;
  readonly payload: Buffer;
  /** The lengths fit and the checksum is correct, or is absent where the protocol allows it. */
  readonly sound: boolean;
}

export function parseTcp(src: Cidr, dst: Cidr, data: Buffer): Segment | null {
  if (data.length < 20) return null;
  const reader = new Reader(data);
  const srcPort = reader.u16();
  const dstPort = reader.u16();
  reader.skip(8);
  const size = (reader.u8() >> 4) * 4;
  const flags = reader.u8();
  const fits = size >= 20 && size <= data.length;
  const sound = fits && segmentChecksum(src, dst, protocols.tcp, data) === 0;
  return { srcPort, dstPort, flags, payload: fits ? data.subarray(size) : data.subarray(20), sound };
}

export function parseUdp(src: Cidr, dst: Cidr, data: Buffer): Segment | null {
  if (data.length < 8) return null;
  const reader = new Reader(data);
  const srcPort = reader.u16();
  const dstPort = reader.u16();
  const length = reader.u16();
  const sum = reader.u16();
  const fits = length >= 8 && length <= data.length;
  const unsummed = sum === 0 && src.family === 4;
  const sound = fits && (unsummed || segmentChecksum(src, dst, protocols.udp, data) === 0);
  return { srcPort, dstPort, flags: 0, payload: reader.rest(), sound };
}

export function parseSctp(data: Buffer): Segment | null {
  if (data.length < 12) return null;
  const reader = new Reader(data);
  return { srcPort: reader.u16(), dstPort: reader.u16(), flags: 0, payload: data.subarray(12), sound: true };
}
