/**
 * Matches on the wire (ofp_match of OXM TLVs) in one normal form, so that equal matches are equal bytes.
 * Fields are in table order, and values are cut to their masks. Other forms follow Open vSwitch's reports:
 * vlan_tci becomes vlan_vid and vlan_pcp, wide registers become the registers they alias, and packet_type of
 * Ethernet is left out.
 */
import type { Reader, Writer } from '../../base/bytes.ts';
import type { FieldBits, Masked, Match } from '../flow.ts';
import { type FieldName, oxmFields } from '../spec/oxm.ts';
import { copyOf, malformed } from './fault.ts';
import { type Field, fieldNamed, fieldOf, isMasked, putField, takeBits } from './fields.ts';

const oxmMatch = 1;
const vlanVidBits = 0x1fff;

type MutableMatch = { [F in FieldName]?: FieldBits | Masked };

/** Wide registers with the names of their 32-bit registers, high half first. */
const registersUnder = new Map<FieldName, readonly FieldName[]>();
for (const name of Object.keys(oxmFields) as FieldName[]) {
  const found = /^(x{1,2})reg(\d)$/.exec(name);
  if (found === null) continue;
  const count = found[1] === 'x' ? 2 : 4;
  const first = Number(found[2]) * count;
  registersUnder.set(
    name,
    Array.from({ length: count }, (_, i) => `reg${first + i}` as FieldName),
  );
}

const isAlias = (name: FieldName): boolean => name === 'vlan_tci' || registersUnder.has(name);

const partsOf = (given: FieldBits | Masked): { value: FieldBits; mask: FieldBits | undefined } =>
  typeof given === 'object' ? given : { value: given, mask: undefined };

function splitRegister(into: MutableMatch, names: readonly FieldName[], given: FieldBits | Masked): void {
  const { value, mask } = partsOf(given);
  names.forEach((name, i) => {
    const shift = BigInt(32 * (names.length - 1 - i));
    const bits = Number(BigInt.asUintN(32, BigInt(value) >> shift));
    const care = mask === undefined ? 0xffffffff : Number(BigInt.asUintN(32, BigInt(mask) >> shift));
    if (care === 0xffffffff) into[name] = bits;
    else if (care !== 0) into[name] = { value: (bits & care) >>> 0, mask: care };
  });
}

/** As in the switch, the priority is kept only beside a nonzero VLAN. */
function splitTci(into: MutableMatch, given: FieldBits | Masked): void {
  const { value, mask } = partsOf(given);
  const care = mask === undefined ? 0xffff : Number(mask);
  const tci = Number(value) & care;
  const vidCare = care & vlanVidBits;
  const vid = tci & vlanVidBits;
  if (vidCare === vlanVidBits) into.vlan_vid = vid;
  else if (vidCare !== 0) into.vlan_vid = { value: vid, mask: vidCare };
  if (vid !== 0 && care >> 13 !== 0) into.vlan_pcp = tci >> 13;
}

function withoutAliases(match: Match): Match {
  const plain: MutableMatch = {};
  for (const name of Object.keys(match) as FieldName[]) {
    const given = match[name];
    if (given === undefined) continue;
    const names = registersUnder.get(name);
    if (names !== undefined) splitRegister(plain, names, given);
    else if (name === 'vlan_tci') splitTci(plain, given);
    else plain[name] = given;
  }
  return plain;
}

function sortedFields(match: Match): { fields: Field[]; aliased: boolean } {
  const fields: Field[] = [];
  let aliased = false;
  for (const key in match) {
    const name = key as FieldName;
    if (match[name] === undefined) continue;
    if (isAlias(name)) aliased = true;
    const field = fieldNamed(name);
    let at = fields.length;
    while (at > 0) {
      const before = fields[at - 1];
      if (before === undefined || before.index <= field.index) break;
      fields[at] = before;
      at--;
    }
    fields[at] = field;
  }
  return { fields, aliased };
}

/** Writes a match's TLVs without header or padding. */
export function putMatchFields(w: Writer, match: Match): void {
  const { fields, aliased } = sortedFields(match);
  if (aliased) {
    putMatchFields(w, withoutAliases(match));
    return;
  }
  for (const field of fields) {
    const given = match[field.name];
    if (given === undefined || (field.name === 'packet_type' && given === 0)) continue;
    if (typeof given === 'object') putField(w, field, given.value, given.mask);
    else putField(w, field, given);
  }
}

/** Writes an ofp_match, padded to eight bytes, and appends `unknown` unchanged. */
export function putMatch(w: Writer, match: Match, unknown?: Uint8Array): void {
  const start = w.length;
  w.u16(oxmMatch).u16(0);
  putMatchFields(w, match);
  if (unknown !== undefined) w.bytes(unknown);
  w.patchU16(start + 2, w.length - start);
  w.align(8, start);
}

export interface TakenMatch {
  readonly match: Match;
  /** TLVs that the table does not know, or that do not fit their field, unchanged. */
  readonly unknown?: Uint8Array;
}

function setMasked(into: MutableMatch, field: Field, value: FieldBits, mask: FieldBits): void {
  if (typeof value === 'bigint' || typeof mask === 'bigint') {
    const care = BigInt(mask) & field.fullWide;
    if (care === field.fullWide) into[field.name] = value;
    else if (care !== 0n) into[field.name] = { value: BigInt(value) & care, mask: care };
    return;
  }
  const care = (mask & field.full) >>> 0;
  if (care === field.full) into[field.name] = value;
  else if (care !== 0) into[field.name] = { value: (value & care) >>> 0, mask: care };
}

/** Reads registers as 32-bit ones: a switch under OpenFlow 1.5 reports all of them as wide registers. */
function takeRegisters(r: Reader, into: MutableMatch, names: readonly FieldName[], masked: boolean): void {
  const values = names.map(() => r.u32());
  names.forEach((name, i) => {
    const value = values[i] ?? 0;
    const care = masked ? r.u32() : 0xffffffff;
    if (care === 0xffffffff) into[name] = value;
    else if (care !== 0) into[name] = { value: (value & care) >>> 0, mask: care };
  });
}

/** Reads TLVs to the end of the window. */
export function takeMatchFields(r: Reader): TakenMatch {
  const match: MutableMatch = {};
  let unknown: Uint8Array[] | undefined;
  while (r.left > 0) {
    const start = r.offset;
    const header = r.u32();
    const length = header & 0xff;
    const body = r.window(length);
    const field = fieldOf(header);
    const masked = isMasked(header);
    if (field !== undefined && length === field.bytes * (masked ? 2 : 1)) {
      const names = registersUnder.get(field.name);
      if (names !== undefined) {
        takeRegisters(body, match, names, masked);
        continue;
      }
      const value = takeBits(body, field.bytes);
      if (field.wide || value <= field.full) {
        if (masked) setMasked(match, field, value, takeBits(body, field.bytes));
        else if (field.name !== 'packet_type' || value !== 0) match[field.name] = value;
        continue;
      }
    }
    r.offset = start;
    unknown ??= [];
    unknown.push(copyOf(r.bytes(4 + length)));
  }
  return unknown === undefined ? { match } : { match, unknown: copyOf(Buffer.concat(unknown)) };
}

/** Reads an ofp_match with its padding. */
export function takeMatch(r: Reader): TakenMatch {
  const start = r.offset;
  const type = r.u16();
  const length = r.u16();
  if (type !== oxmMatch || length < 4) malformed(start, 'match');
  const taken = takeMatchFields(r.window(length - 4));
  r.skip((8 - (length % 8)) % 8);
  return taken;
}

/** The match in the form that `takeMatch` returns; for comparing values. */
export function normalMatch(match: Match): Match {
  const plain = withoutAliases(match);
  const normal: MutableMatch = {};
  for (const field of sortedFields(plain).fields) {
    const { value, mask } = partsOf(plain[field.name] ?? 0);
    const bits = field.wide ? BigInt(value) : Number(value);
    if (field.name === 'packet_type' && bits === 0) continue;
    if (mask === undefined) normal[field.name] = bits;
    else setMasked(normal, field, bits, field.wide ? BigInt(mask) : Number(BigInt.asUintN(32, BigInt(mask))));
  }
  return normal;
}
