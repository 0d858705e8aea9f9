/**
 * The Internet checksum (RFC 1071) and the pseudo headers of both IP families that TCP, UDP and ICMPv6 cover.
 */
import { Writer } from '../../base/bytes.ts';
import { type Cidr, widthOf } from '../cidr.ts';

/**
 * The complement of the one's complement sum of `parts`, read as one string of bytes. It is 0 over data with
 * a correct checksum.
 */
export function checksum(...parts: readonly Uint8Array[]): number {
  let sum = 0;
  let odd = false;
  for (const part of parts) {
    for (const byte of part) {
      sum += odd ? byte : byte << 8;
      odd = !odd;
    }
    sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** The pseudo header of an upper-layer packet of `length` bytes (RFC 9293 3.1, RFC 8200 8.1). */
export function pseudoHeader(src: Cidr, dst: Cidr, protocol: number, length: number): Buffer {
  const size = widthOf(src.family) / 8;
  const writer = new Writer(40).uint(src.bits, size).uint(dst.bits, size);
  if (src.family === 4) writer.u8(0).u8(protocol).u16(length);
  else writer.u32(length).zeros(3).u8(protocol);
  return writer.done();
}

/** The checksum for a segment whose checksum field is zero. */
export function segmentChecksum(src: Cidr, dst: Cidr, protocol: number, segment: Buffer): number {
  return checksum(pseudoHeader(src, dst, protocol, segment.length), segment);
}
