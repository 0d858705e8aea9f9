/**
 * NXAST_LEARN: the body of the action and its flow-mod specs. A spec's fields are read in their OXM and NXM
 * forms (the switch reports NXM) and written in the table's form.
 */
import type { Reader, Writer } from '../../base/bytes.ts';
import type { Learn, LearnSpec, Subfield } from '../flow.ts';
import { learnSpec } from '../spec/actions.ts';
import { malformed, unencodable } from './fault.ts';
import { fieldNamed, fieldOf, putFieldHeader } from './fields.ts';

function putSubfield(w: Writer, { field, offset }: Subfield): void {
  putFieldHeader(w, field);
  w.u16(offset);
}

/** Checks that a subfield lies inside its field. */
export function checkSubfield({ field, offset, bits }: Subfield): void {
  if (offset < 0 || bits < 1 || offset + bits > fieldNamed(field).bits) {
    unencodable(`${field}[${offset}..${offset + bits - 1}] is outside the field`);
  }
}

export function takeSubfield(r: Reader, bits: number): Subfield {
  const at = r.offset;
  const field = fieldOf(r.u32());
  const offset = r.u16();
  if (field === undefined || bits < 1 || offset + bits > field.bits) malformed(at, 'subfield');
  return { field: field.name, offset, bits };
}

const immediateBytes = (bits: number): number => 2 * Math.ceil(bits / 16);

function putSpec(w: Writer, spec: LearnSpec): void {
  if (spec.kind === 'output') {
    checkSubfield(spec.from);
    w.u16(spec.from.bits | learnSpec.output);
    putSubfield(w, spec.from);
    return;
  }
  checkSubfield(spec.to);
  const bits = spec.to.bits;
  const header = bits | learnSpec[spec.kind];
  if ('value' in spec.from) {
    if (spec.from.value < 0n || spec.from.value >> BigInt(bits) !== 0n) {
      unencodable(`${spec.from.value} does not fit ${bits} bits`);
    }
    w.u16(header | learnSpec.immediate).uint(spec.from.value, immediateBytes(bits));
  } else {
    if (spec.from.bits !== bits) unencodable('a learn spec copies as many bits as it reads');
    checkSubfield(spec.from);
    w.u16(header);
    putSubfield(w, spec.from);
  }
  putSubfield(w, spec.to);
}

function takeSpec(r: Reader, header: number): LearnSpec {
  const bits = header & learnSpec.widthMask;
  const target = header & 0x1800;
  const from = header & learnSpec.immediate ? { value: r.uint(immediateBytes(bits)) } : takeSubfield(r, bits);
  if (target === learnSpec.output) {
    if ('value' in from) malformed(r.offset, 'learn spec');
    return { kind: 'output', from };
  }
  if (target !== learnSpec.match && target !== learnSpec.load) malformed(r.offset, 'learn spec');
  if ('value' in from && from.value >> BigInt(bits) !== 0n) malformed(r.offset, 'learn spec');
  return { kind: target === learnSpec.match ? 'match' : 'load', from, to: takeSubfield(r, bits) };
}

/** Writes what follows the action's subtype. */
export function putLearn(w: Writer, learn: Learn): void {
  w.u16(learn.idleTimeout).u16(learn.hardTimeout).u16(learn.priority).u64(learn.cookie);
  w.u16(learn.flags).u8(learn.table).u8(0).u16(learn.finIdleTimeout).u16(learn.finHardTimeout);
  for (const spec of learn.specs) putSpec(w, spec);
}

export function takeLearn(r: Reader): Learn {
  const idleTimeout = r.u16();
  const hardTimeout = r.u16();
  const priority = r.u16();
  const cookie = r.u64();
  const flags = r.u16();
  const table = r.u8();
  r.skip(1);
  const finIdleTimeout = r.u16();
  const finHardTimeout = r.u16();
  const specs: LearnSpec[] = [];
  while (r.left >= 2) {
    const header = r.u16();
    if (header === 0) break;
    specs.push(takeSpec(r, header));
  }
  return { idleTimeout, hardTimeout, priority, cookie, flags, table, finIdleTimeout, finHardTimeout, specs };
}
