/**
 * The field table prepared for speed: computed TLV headers, look-up by name and by header, reading and
 * writing of one TLV. Knows nothing of matches or actions.
 */
import type { Reader, Writer } from '../../base/bytes.ts';
import type { FieldBits } from '../flow.ts';
import { bytesOf, type FieldName, nxmTwins, oxmClasses, oxmFields } from '../spec/oxm.ts';
import { unencodable } from './fault.ts';

export interface Field {
  readonly name: FieldName;
  /** Position on the wire among the fields of one match. */
  readonly index: number;
  readonly header: number;
  readonly maskedHeader: number;
  readonly bytes: number;
  readonly bits: number;
  readonly maskable: boolean;
  /** All significant bits: `full` for fields up to 32 bits, `fullWide` for all. */
  readonly full: number;
  readonly fullWide: bigint;
  readonly wide: boolean;
}

const hasMask = 0x100;

function headerOf(of: number, number: number, length: number): number {
  return ((of << 16) | (number << 9) | length) >>> 0;
}

const fieldsByName = new Map<FieldName, Field>();
const fieldsByType = new Map<number, Field>();

Object.entries(oxmFields).forEach(([key, { class: of, number, bits, maskable }], index) => {
  const name = key as FieldName;
  const bytes = bytesOf(name);
  const header = headerOf(oxmClasses[of], number, bytes);
  const field: Field = {
    name,
    index,
    header,
    maskedHeader: (headerOf(oxmClasses[of], number, bytes * 2) | hasMask) >>> 0,
    bytes,
    bits,
    maskable,
    full: bits <= 32 ? 2 ** bits - 1 : 0,
    fullWide: (1n << BigInt(bits)) - 1n,
    wide: bits > 32,
  };
  fieldsByName.set(name, field);
  fieldsByType.set(header >>> 9, field);
});

for (const [of, twins] of Object.entries(nxmTwins)) {
  for (const [name, number] of Object.entries(twins)) {
    const field = fieldsByName.get(name as FieldName);
    const header = headerOf(oxmClasses[of as keyof typeof nxmTwins], number, 0);
    if (field !== undefined) fieldsByType.set(header >>> 9, field);
  }
}

export function fieldNamed(name: FieldName): Field {
  return fieldsByName.get(name) ?? unencodable(`no such field: ${name}`);
}

/** The field of a TLV header, whatever its mask bit and length say; undefined when unknown. */
export const fieldOf = (header: number): Field | undefined => fieldsByType.get(header >>> 9);

export const isMasked = (header: number): boolean => (header & hasMask) !== 0;

/** Writes a wide value in 6, 8 or 16 bytes. */
function putWide(w: Writer, value: bigint, bytes: number): void {
  if (bytes === 6) w.u16(Number(value >> 32n)).u32(Number(value & 0xffffffffn));
  else if (bytes === 8) w.u64(value);
  else w.u64(value >> 64n).u64(value);
}

/** Reads a value: a number up to 32 bits, else a bigint. */
export function takeBits(r: Reader, bytes: number): FieldBits {
  switch (bytes) {
    case 1:
      return r.u8();
    case 2:
      return r.u16();
    case 4:
      return r.u32();
    case 6:
      return r.uint(6);
    case 8:
      return r.u64();
    case 16:
      return (r.u64() << 64n) | r.u64();
    default:
      return Number(r.uint(bytes));
  }
}

function putNarrow(w: Writer, value: number, bytes: number): void {
  if (bytes === 4) w.u32(value);
  else if (bytes === 2) w.u16(value);
  else if (bytes === 1) w.u8(value);
  else w.uint(value, bytes);
}

const narrow = (mask: FieldBits): number =>
  typeof mask === 'number' ? mask : Number(BigInt.asUintN(32, mask));

function putNarrowField(w: Writer, field: Field, value: FieldBits, mask: FieldBits | undefined): boolean {
  const full = field.full;
  const bits = Number(value);
  if (!(bits >= 0 && bits <= full && Number.isInteger(bits)))
    unencodable(`${field.name} cannot hold ${value}`);
  const care = mask === undefined ? full : (narrow(mask) & full) >>> 0;
  if (care === 0) return false;
  if (care === full) {
    w.u32(field.header);
    putNarrow(w, bits, field.bytes);
    return true;
  }
  if (!field.maskable) unencodable(`${field.name} takes no mask`);
  w.u32(field.maskedHeader);
  putNarrow(w, (bits & care) >>> 0, field.bytes);
  putNarrow(w, care, field.bytes);
  return true;
}

function putWideField(w: Writer, field: Field, value: FieldBits, mask: FieldBits | undefined): boolean {
  if (typeof value === 'number' && !Number.isInteger(value))
    unencodable(`${field.name} cannot hold ${value}`);
  const full = field.fullWide;
  const bits = BigInt(value);
  if (bits < 0n || bits > full) unencodable(`${field.name} cannot hold ${value}`);
  const care = mask === undefined ? full : BigInt(mask) & full;
  if (care === 0n) return false;
  if (care === full) {
    w.u32(field.header);
    putWide(w, bits, field.bytes);
    return true;
  }
  if (!field.maskable) unencodable(`${field.name} takes no mask`);
  w.u32(field.maskedHeader);
  putWide(w, bits & care, field.bytes);
  putWide(w, care, field.bytes);
  return true;
}

/**
 * Writes one TLV. A mask of all ones is left out, and the value is cut to its mask. A mask of zero writes
 * nothing and returns false. Throws `Unencodable` when the field cannot hold the value or take the mask.
 */
export function putField(w: Writer, field: Field, value: FieldBits, mask?: FieldBits): boolean {
  return field.wide ? putWideField(w, field, value, mask) : putNarrowField(w, field, value, mask);
}

/** A field's header alone, as copy_field, learn and ct name their sources. */
export const putFieldHeader = (w: Writer, name: FieldName): void => void w.u32(fieldNamed(name).header);
