/**
 * Property TLVs (type, length, value, padded to eight bytes) of packet-in2, controller2, buckets and
 * conntrack flushes.
 */
import type { Reader, Writer } from '../../base/bytes.ts';
import { copyOf, malformed } from './fault.ts';

/** Writes one property whose value `body` appends. */
export function putProperty(w: Writer, type: number, body: (w: Writer) => void): void {
  const start = w.length;
  w.u16(type).u16(0);
  body(w);
  w.patchU16(start + 2, w.length - start);
  w.align(8, start);
}

/** A 16-bit value. Its padding counts into the length, as in Open vSwitch's own encoding. */
export function putProperty16(w: Writer, type: number, value: number): void {
  w.u16(type).u16(8).u16(value).zeros(2);
}

/** A property of properties: four bytes of padding, then the nested ones. */
export function putNested(w: Writer, type: number, body: (w: Writer) => void): void {
  putProperty(w, type, (inner) => body(inner.zeros(4)));
}

/**
 * Reads properties to the window's end. `take` returns false for a type that it does not know. Such
 * properties are returned unchanged, padding included.
 */
export function takeProperties(
  r: Reader,
  take: (type: number, value: Reader) => boolean,
): Uint8Array | undefined {
  let unknown: Uint8Array[] | undefined;
  while (r.left > 0) {
    const start = r.offset;
    const type = r.u16();
    const length = r.u16();
    if (length < 4) malformed(start, 'property');
    const value = r.window(length - 4);
    r.skip(Math.min((8 - (length % 8)) % 8, r.left));
    if (take(type, value)) continue;
    const end = r.offset;
    r.offset = start;
    unknown ??= [];
    unknown.push(r.bytes(end - start));
  }
  return unknown === undefined ? undefined : copyOf(Buffer.concat(unknown));
}
