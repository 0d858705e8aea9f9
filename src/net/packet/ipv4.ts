/**
 * IPv4 headers (RFC 791): options and fragment fields kept, header checksum computed and checked.
 */
import { Reader, Writer } from '../../base/bytes.ts';
import { type Cidr, cidr } from '../cidr.ts';
import { checksum } from './checksum.ts';

export interface Ipv4 {
  readonly src: Cidr;
  readonly dst: Cidr;
  readonly protocol: number;
  readonly ttl: number;
  readonly tos: number;
  readonly id: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** In bytes, a multiple of 8. */
  readonly fragmentOffset: number;
  /** Padded to a multiple of 4 when built. */
  readonly options: Buffer;
}

export function buildIpv4(header: Ipv4, payload: Uint8Array): Buffer {
  const size = 20 + Math.ceil(header.options.length / 4) * 4;
  const writer = new Writer(size + payload.length)
    .u8(0x40 | (size / 4))
    .u8(header.tos)
    .u16(size + payload.length)
    .u16(header.id)
    .u16(
      (header.dontFragment ? 0x4000 : 0) | (header.moreFragments ? 0x2000 : 0) | (header.fragmentOffset >> 3),
    )
    .u8(header.ttl)
    .u8(header.protocol)
    .u16(0)
    .uint(header.src.bits, 4)
    .uint(header.dst.bits, 4)
    .bytes(header.options)
    .align(4);
  writer.patchU16(10, checksum(writer.done()));
  return writer.bytes(payload).done();
}

/** Null when the lengths in the header contradict the data. Padding behind the packet is cut off. */
export function parseIpv4(data: Buffer): { header: Ipv4; payload: Buffer; checksumOk: boolean } | null {
  if (data.length < 20) return null;
  const reader = new Reader(data);
  const size = (reader.u8() & 0x0f) * 4;
  const tos = reader.u8();
  const total = reader.u16();
  if (size < 20 || total < size || total > data.length) return null;
  const id = reader.u16();
  const fragment = reader.u16();
  const ttl = reader.u8();
  const protocol = reader.u8();
  reader.skip(2);
  return {
    header: {
      src: cidr(4, reader.uint(4)),
      dst: cidr(4, reader.uint(4)),
      protocol,
      ttl,
      tos,
      id,
      dontFragment: (fragment & 0x4000) !== 0,
      moreFragments: (fragment & 0x2000) !== 0,
      fragmentOffset: (fragment & 0x1fff) << 3,
      options: data.subarray(20, size),
    },
    payload: data.subarray(size, total),
    checksumOk: checksum(data.subarray(0, size)) === 0,
  };
}
