/**
 * ICMP (RFC 792) and the common header of ICMPv6 (RFC 4443): type, code, the 4 bytes behind the checksum, body.
 */
import { Writer } from '../../base/bytes.ts';
import type { Cidr } from '../cidr.ts';
import { checksum, segmentChecksum } from './checksum.ts';
import { protocols } from './transport.ts';

export const icmpTypes = {
  echoReply: 0,
  unreachable: 3,
  redirect: 5,
  echo: 8,
  /** RFC 1256. */
  routerAdvertisement: 9,
  timeExceeded: 11,
} as const;

export interface Icmp {
  readonly type: number;
  readonly code: number;
  /** The 4 bytes behind the checksum: identifier and sequence of an echo, flags of an advertisement. */
  readonly rest: number;
  readonly body: Buffer;
}

export interface ParsedIcmp extends Icmp {
  readonly sound: boolean;
}

/** ICMP for IPv4 addresses, ICMPv6 (with its pseudo header) for IPv6 addresses. */
export function buildIcmp(src: Cidr, dst: Cidr, message: Icmp): Buffer {
  const writer = new Writer(8 + message.body.length)
    .u8(message.type)
    .u8(message.code)
    .u16(0)
    .u32(message.rest)
    .bytes(message.body);
  const data = writer.done();
  writer.patchU16(2, src.family === 4 ? checksum(data) : segmentChecksum(src, dst, protocols.icmpv6, data));
  return writer.done();
}

export function parseIcmp(src: Cidr, dst: Cidr, data: Buffer): ParsedIcmp | null {
  if (data.length < 8) return null;
  const sum = src.family === 4 ? checksum(data) : segmentChecksum(src, dst, protocols.icmpv6, data);
  return {
    type: data.readUInt8(0),
    code: data.readUInt8(1),
    rest: data.readUInt32BE(4),
    body: data.subarray(8),
    sound: sum === 0,
  };
}
