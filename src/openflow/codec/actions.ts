/**
 * Action lists on the wire. `writers` has one row a kind; `readers` and `niciraReaders` have one row a wire
 * number. An action that no row reads stays a `raw` action, so a foreign list survives a round trip.
 * Encodings are those that Open vSwitch reports under OpenFlow 1.5, so a dumped list equals the sent one.
 */

import type { Reader, Writer } from '../../base/bytes.ts';
import { Fault } from '../../base/errors.ts';
import type { Action, Subfield } from '../flow.ts';
import {
  actionTypes,
  controllerProperties,
  ctFlags,
  nicira,
  niciraActions,
  noRecirculation,
  sameInPort,
} from '../spec/actions.ts';
import { packetInReasons, ports, wholeLength } from '../spec/numbers.ts';
import { copyOf, malformed, unencodable } from './fault.ts';
import { fieldNamed, fieldOf, isMasked, putField, putFieldHeader, takeBits } from './fields.ts';
import { checkSubfield, putLearn, takeLearn } from './learn.ts';
import { putProperty, putProperty16, takeProperties } from './properties.ts';

type ActionOf<T extends Action['type']> = Extract<Action, { type: T }>;

const experimenter = (w: Writer, subtype: number): Writer =>
  w.u16(actionTypes.experimenter).u16(0).u32(nicira).u16(subtype);

/** OpenFlow 1.0 has ports of 16 bits, ours have 32. Reserved ports share their low bits. */
const shortPort = (port: number): number =>
  port < 0xff00 || port >= ports.max ? port & 0xffff : unencodable(`port ${port}`);
const longPort = (port: number): number => (port >= 0xff00 ? (0xffff0000 | port) >>> 0 : port);

const defaultMaxLen = (port: number): number => (port === ports.controller ? wholeLength : 0);

function writeOutput(w: Writer, port: number, maxLen = defaultMaxLen(port)): void {
  w.u16(actionTypes.output).u16(0).u32(port).u16(maxLen).zeros(6);
}

function writeController(w: Writer, action: ActionOf<'controller'>): void {
  const { userdata, maxLen, reason, controllerId, meter, pause } = action;
  experimenter(w, niciraActions.controller2).zeros(6);
  if (maxLen !== undefined && maxLen !== wholeLength) {
    putProperty16(w, controllerProperties.maxLen, maxLen);
  }
  if (controllerId !== undefined && controllerId !== 0) {
    putProperty16(w, controllerProperties.controllerId, controllerId);
  }
  if (reason !== undefined && reason !== packetInReasons.action) {
    putProperty(w, controllerProperties.reason, (p) => p.u8(reason));
  }
  if (userdata !== undefined && userdata.length > 0) {
    putProperty(w, controllerProperties.userdata, (p) => p.bytes(userdata));
  }
  if (pause === true) putProperty(w, controllerProperties.pause, () => undefined);
  if (meter !== undefined) putProperty(w, controllerProperties.meter, (p) => p.u32(meter));
}

function writeCt(w: Writer, action: ActionOf<'ct'>): void {
  const { zone, exec = [] } = action;
  experimenter(w, niciraActions.ct);
  w.u16((action.commit === true ? ctFlags.commit : 0) | (action.force === true ? ctFlags.force : 0));
  if (typeof zone === 'number') {
    if (!(zone >= 0 && zone <= 0xffff)) unencodable(`conntrack zone ${zone}`);
    w.u32(0).u16(zone);
  } else {
    checkSubfield(zone);
    putFieldHeader(w, zone.field);
    w.u16((zone.offset << 6) | (zone.bits - 1));
  }
  w.u8(action.table ?? noRecirculation)
    .zeros(3)
    .u16(action.alg ?? 0);
  putActions(w, exec);
}

function writeMove(w: Writer, from: Subfield, to: Subfield): void {
  if (from.bits !== to.bits) unencodable('a move copies as many bits as it reads');
  checkSubfield(from);
  checkSubfield(to);
  w.u16(actionTypes.copy_field).u16(0).u16(from.bits).u16(from.offset).u16(to.offset).zeros(2);
  putFieldHeader(w, from.field);
  putFieldHeader(w, to.field);
}

const writers: { readonly [T in Action['type']]: (w: Writer, action: ActionOf<T>) => void } = {
  output: (w, { port, maxLen }) => writeOutput(w, port, maxLen),
  output_trunc: (w, { port, maxLen }) =>
    void experimenter(w, niciraActions.output_trunc).u16(shortPort(port)).u32(maxLen),
  group: (w, { group }) => void w.u16(actionTypes.group).u16(0).u32(group),
  meter: (w, { meter }) => void w.u16(actionTypes.meter).u16(0).u32(meter),
  push_vlan: (w, { ethertype }) => void w.u16(actionTypes.push_vlan).u16(0).u16(ethertype),
  pop_vlan: (w) => void w.u16(actionTypes.pop_vlan).u16(0),
  push_mpls: (w, { ethertype }) => void w.u16(actionTypes.push_mpls).u16(0).u16(ethertype),
  pop_mpls: (w, { ethertype }) => void w.u16(actionTypes.pop_mpls).u16(0).u16(ethertype),
  dec_ttl: (w) => void w.u16(actionTypes.dec_ttl).u16(0),
  check_pkt_larger: (w, { bytes, field, offset }) => {
    checkSubfield({ field, offset, bits: 1 });
    if (!(bytes >= 0 && bytes <= 0xffff)) unencodable(`check_pkt_larger of ${bytes} bytes`);
    experimenter(w, niciraActions.check_pkt_larger).u16(bytes).u16(offset);
    putFieldHeader(w, field);
  },
  set_field: (w, { field, value, mask }) => {
    w.u16(actionTypes.set_field).u16(0);
    if (!putField(w, fieldNamed(field), value, mask)) unencodable(`set_field of no bit of ${field}`);
  },
  move: (w, { from, to }) => writeMove(w, from, to),
  resubmit: (w, { table, port }) => {
    experimenter(w, niciraActions.resubmit_table).u16(port === undefined ? sameInPort : shortPort(port));
    w.u8(table).zeros(3);
  },
  ct: writeCt,
  ct_clear: (w) => void experimenter(w, niciraActions.ct_clear).zeros(6),
  clone: (w, { actions }) => putActions(experimenter(w, niciraActions.clone).zeros(6), actions),
  conjunction: (w, { id, clause, of }) => {
    if (!(clause >= 1 && clause <= of && of >= 2 && of <= 64))
      unencodable(`conjunction clause ${clause}/${of}`);
    experimenter(w, niciraActions.conjunction)
      .u8(clause - 1)
      .u8(of)
      .u32(id);
  },
  learn: (w, { learn }) => putLearn(experimenter(w, niciraActions.learn), learn),
  note: (w, { bytes }) => {
    experimenter(w, niciraActions.note).bytes(bytes);
    if (bytes.length === 0) w.zeros(6);
  },
  controller: writeController,
  raw: (w, { bytes }) => void w.bytes(bytes),
};

/** Appends an action list. Throws `Unencodable` for values that the wire cannot hold. */
export function putActions(w: Writer, actions: readonly Action[]): void {
  for (const action of actions) {
    const start = w.length;
    const write = writers[action.type] as (w: Writer, action: Action) => void;
    write(w, action);
    if (action.type === 'raw') continue;
    w.align(8, start);
    w.patchU16(start + 2, w.length - start);
  }
}

type ActionReader = (r: Reader) => Action | undefined;

function readSetField(r: Reader): Action | undefined {
  const header = r.u32();
  const field = fieldOf(header);
  const masked = isMasked(header);
  if (field === undefined || (header & 0xff) !== field.bytes * (masked ? 2 : 1)) return undefined;
  const value = takeBits(r, field.bytes);
  if (!field.wide && value > field.full) return undefined;
  if (!masked) return { type: 'set_field', field: field.name, value };
  const mask = takeBits(r, field.bytes);
  const full = field.wide ? field.fullWide : field.full;
  if (mask === full) return { type: 'set_field', field: field.name, value };
  const fits = !field.wide || (BigInt(mask) & BigInt(value)) === value;
  return mask > full || !field.maskable || BigInt(mask) === 0n || !fits
    ? undefined
    : { type: 'set_field', field: field.name, value, mask };
}

function readMove(r: Reader): Action | undefined {
  const bits = r.u16();
  const fromOffset = r.u16();
  const toOffset = r.u16();
  r.skip(2);
  const from = fieldOf(r.u32());
  const to = fieldOf(r.u32());
  if (from === undefined || to === undefined || bits === 0) return undefined;
  if (fromOffset + bits > from.bits || toOffset + bits > to.bits) return undefined;
  return {
    type: 'move',
    from: { field: from.name, offset: fromOffset, bits },
    to: { field: to.name, offset: toOffset, bits },
  };
}

function readCt(r: Reader): Action | undefined {
  const flags = r.u16();
  const source = r.u32();
  const range = r.u16();
  const table = r.u8();
  r.skip(3);
  const alg = r.u16();
  const field = source === 0 ? undefined : fieldOf(source);
  if ((source !== 0 && field === undefined) || flags > (ctFlags.commit | ctFlags.force)) return undefined;
  const subfield = field && { field: field.name, offset: range >> 6, bits: (range & 0x3f) + 1 };
  if (field !== undefined && subfield !== undefined && subfield.offset + subfield.bits > field.bits)
    return undefined;
  const exec = takeActions(r);
  return {
    type: 'ct',
    zone: subfield ?? range,
    ...(flags & ctFlags.commit ? { commit: true } : {}),
    ...(flags & ctFlags.force ? { force: true } : {}),
    ...(table === noRecirculation ? {} : { table }),
    ...(alg === 0 ? {} : { alg }),
    ...(exec.length === 0 ? {} : { exec }),
  };
}

function readController2(r: Reader): Action | undefined {
  r.skip(6);
  const action: { -readonly [K in keyof ActionOf<'controller'>]: ActionOf<'controller'>[K] } = {
    type: 'controller',
  };
  const unknown = takeProperties(r, (type, value) => {
    if (type === controllerProperties.maxLen) action.maxLen = value.u16();
    else if (type === controllerProperties.controllerId) action.controllerId = value.u16();
    else if (type === controllerProperties.reason) action.reason = value.u8();
    else if (type === controllerProperties.userdata) action.userdata = copyOf(value.rest());
    else if (type === controllerProperties.pause) action.pause = true;
    else if (type === controllerProperties.meter) action.meter = value.u32();
    else return false;
    return true;
  });
  return unknown === undefined ? action : undefined;
}

function readCheck(r: Reader): Action | undefined {
  const bytes = r.u16();
  const offset = r.u16();
  const field = fieldOf(r.u32());
  if (field === undefined || offset >= field.bits) return undefined;
  return { type: 'check_pkt_larger', bytes, field: field.name, offset };
}

/** The padding hides a note's length: a note ends at its last nonzero byte. */
function readNote(r: Reader): Action {
  const padded = r.rest();
  let end = padded.length;
  while (end > 0 && padded[end - 1] === 0) end--;
  return { type: 'note', bytes: copyOf(padded.subarray(0, end)) };
}

function readClone(r: Reader): Action {
  r.skip(6);
  return { type: 'clone', actions: takeActions(r) };
}

function readOutput(r: Reader): Action {
  const port = r.u32();
  const maxLen = r.u16();
  return maxLen === defaultMaxLen(port) ? { type: 'output', port } : { type: 'output', port, maxLen };
}

function readResubmit(r: Reader): Action {
  const port = r.u16();
  const table = r.u8();
  return port === sameInPort
    ? { type: 'resubmit', table }
    : { type: 'resubmit', table, port: longPort(port) };
}

function readConjunction(r: Reader): Action | undefined {
  const clause = r.u8() + 1;
  const of = r.u8();
  return of < 2 || of > 64 || clause > of ? undefined : { type: 'conjunction', clause, of, id: r.u32() };
}

/** NXAST_CONTROLLER: the switch reports it for actions that were sent in that form. */
function readController(r: Reader): Action {
  const maxLen = r.u16();
  const controllerId = r.u16();
  const reason = r.u8();
  return { type: 'controller', maxLen, controllerId, reason };
}

const readers = new Map<number, ActionReader>([
  [actionTypes.output, readOutput],
  [actionTypes.group, (r) => ({ type: 'group', group: r.u32() })],
  [actionTypes.meter, (r) => ({ type: 'meter', meter: r.u32() })],
  [actionTypes.push_vlan, (r) => ({ type: 'push_vlan', ethertype: r.u16() })],
  [actionTypes.pop_vlan, () => ({ type: 'pop_vlan' })],
  [actionTypes.push_mpls, (r) => ({ type: 'push_mpls', ethertype: r.u16() })],
  [actionTypes.pop_mpls, (r) => ({ type: 'pop_mpls', ethertype: r.u16() })],
  [actionTypes.dec_ttl, () => ({ type: 'dec_ttl' })],
  [actionTypes.set_field, readSetField],
  [actionTypes.copy_field, readMove],
  [actionTypes.experimenter, (r) => (r.u32() === nicira ? niciraReaders.get(r.u16())?.(r) : undefined)],
]);

const niciraReaders = new Map<number, ActionReader>([
  [niciraActions.resubmit_table, readResubmit],
  [niciraActions.output_trunc, (r) => ({ type: 'output_trunc', port: longPort(r.u16()), maxLen: r.u32() })],
  [niciraActions.ct, readCt],
  [niciraActions.ct_clear, () => ({ type: 'ct_clear' })],
  [niciraActions.clone, readClone],
  [niciraActions.check_pkt_larger, readCheck],
  [niciraActions.conjunction, readConjunction],
  [niciraActions.learn, (r) => ({ type: 'learn', learn: takeLearn(r) })],
  [niciraActions.note, readNote],
  [niciraActions.controller, readController],
  [niciraActions.controller2, readController2],
]);

function readKnown(r: Reader, type: number): Action | undefined {
  const read = readers.get(type);
  if (read === undefined) return undefined;
  try {
    return read(r);
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}

/** Reads actions to the window's end; throws `Malformed` when their lengths do not add up. */
export function takeActions(r: Reader): Action[] {
  const actions: Action[] = [];
  while (r.left > 0) {
    const start = r.offset;
    const type = r.u16();
    const length = r.u16();
    if (length < 8 || length % 8 !== 0) malformed(start, 'action length');
    const known = readKnown(r.window(length - 4), type);
    if (known !== undefined) actions.push(known);
    else {
      r.offset = start;
      actions.push({ type: 'raw', bytes: copyOf(r.bytes(length)) });
    }
  }
  return actions;
}
