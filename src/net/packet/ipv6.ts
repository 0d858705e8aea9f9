/**
 * IPv6 headers with their chain of extension headers (RFC 8200 4). Hop-by-hop, routing, destination options,
 * authentication and fragment headers are read through. The first header of another kind is the payload.
 */
import { Reader, Writer } from '../../base/bytes.ts';
import { type Cidr, cidr } from '../cidr.ts';

export const extensionHeaders = {
  hopByHop: 0,
  routing: 43,
  fragment: 44,
  authentication: 51,
  destinationOptions: 60,
} as const;

/** `body` is the header behind its next-header and length bytes, padded with zeros to whole units. */
export interface PlainExtension {
  readonly kind: 'plain';
  readonly header: 0 | 43 | 51 | 60;
  readonly body: Buffer;
}

export interface FragmentExtension {
  readonly kind: 'fragment';
  /** In bytes, a multiple of 8. */
  readonly offset: number;
  readonly more: boolean;
  readonly id: number;
}

export type Extension = PlainExtension | FragmentExtension;

export interface Ipv6 {
  readonly src: Cidr;
  readonly dst: Cidr;
  readonly hopLimit: number;
  readonly trafficClass: number;
  readonly flowLabel: number;
  readonly extensions: readonly Extension[];
  /** The payload's protocol: the last next-header value of the chain. */
  readonly protocol: number;
}

const numberOf = (extension: Extension): number =>
  extension.kind === 'fragment' ? extensionHeaders.fragment : extension.header;

function writeExtension(writer: Writer, extension: Extension, next: number): void {
  if (extension.kind === 'fragment') {
    writer
      .u8(next)
      .u8(0)
      .u16(extension.offset | (extension.more ? 1 : 0))
      .u32(extension.id);
    return;
  }
  const start = writer.length;
  const size = Math.ceil((extension.body.length + 2) / 8) * 8;
  const units = extension.header === extensionHeaders.authentication ? size / 4 - 2 : size / 8 - 1;
  writer.u8(next).u8(units).bytes(extension.body).align(8, start);
}

export function buildIpv6(header: Ipv6, payload: Uint8Array): Buffer {
  const writer = new Writer(96 + payload.length)
    .u32(0x60000000 | (header.trafficClass << 20) | header.flowLabel)
    .u16(0);
  const chain = [...header.extensions.map(numberOf), header.protocol];
  writer.u8(chain[0] ?? header.protocol).u8(header.hopLimit);
  writer.uint(header.src.bits, 16).uint(header.dst.bits, 16);
  header.extensions.forEach((extension, at) => {
    writeExtension(writer, extension, chain[at + 1] ?? header.protocol);
  });
  writer.bytes(payload);
  writer.patchU16(4, writer.length - 40);
  return writer.done();
}

export interface ParsedIpv6 {
  readonly header: Ipv6;
  readonly payload: Buffer;
  /** False when the chain of extension headers breaks off. `protocol` is then the header that is cut. */
  readonly complete: boolean;
  /** Everything behind the first fragment header, further extension headers included; null without one. */
  readonly piece: { readonly protocol: number; readonly data: Buffer } | null;
}

/** Reads one extension header; null when it is cut. */
function readExtension(reader: Reader, number: number): { extension: Extension; next: number } | null {
  if (reader.left < 8) return null;
  const next = reader.u8();
  const length = reader.u8();
  if (number === extensionHeaders.fragment) {
    const field = reader.u16();
    const id = reader.u32();
    return { extension: { kind: 'fragment', offset: field & 0xfff8, more: (field & 1) !== 0, id }, next };
  }
  const authentication = number === extensionHeaders.authentication;
  const size = (authentication ? (length + 2) * 4 : (length + 1) * 8) - 2;
  if (reader.left < size) return null;
  const header = number as PlainExtension['header'];
  return { extension: { kind: 'plain', header, body: reader.bytes(size) }, next };
}

const known: ReadonlySet<number> = new Set(Object.values(extensionHeaders));

/** Null when the fixed header is cut or its length exceeds the data. Padding behind the packet is cut off. */
export function parseIpv6(data: Buffer): ParsedIpv6 | null {
  if (data.length < 40) return null;
  const fixed = new Reader(data);
  const first = fixed.u32();
  const length = fixed.u16();
  if (length > data.length - 40) return null;
  let protocol = fixed.u8();
  const hopLimit = fixed.u8();
  const src = cidr(6, fixed.uint(16));
  const dst = cidr(6, fixed.uint(16));
  const reader = new Reader(data, 40, 40 + length);
  const extensions: Extension[] = [];
  let complete = true;
  let piece: ParsedIpv6['piece'] = null;
  while (known.has(protocol)) {
    const read = readExtension(reader, protocol);
    complete = read !== null;
    if (read === null) break;
    extensions.push(read.extension);
    protocol = read.next;
    if (read.extension.kind === 'fragment') {
      piece ??= { protocol, data: data.subarray(reader.offset, reader.end) };
      // A fragment with an offset holds the middle of a datagram, whatever its next-header value says.
      if (read.extension.offset !== 0) break;
    }
  }
  const trafficClass = (first >>> 20) & 0xff;
  const header = { src, dst, hopLimit, trafficClass, flowLabel: first & 0xfffff, extensions, protocol };
  return { header, payload: reader.rest(), complete, piece };
}
