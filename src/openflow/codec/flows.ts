/** Flows on the wire: flow-mods, flow statistics, flow-removed, and the instructions in them. */
import type { Reader, Writer } from '../../base/bytes.ts';
import type { Action, FlowBody, FlowStats } from '../flow.ts';
import type { FlowFilter, FlowMod, FlowRemoved } from '../message.ts';
import {
  allTables,
  anyGroup,
  flowCommands,
  instructions,
  noBuffer,
  oxsClass,
  oxsFields,
  ports,
} from '../spec/numbers.ts';
import { putActions, takeActions } from './actions.ts';
import { copyOf, malformed, namesOf, unencodable } from './fault.ts';
import { putMatch, takeMatch } from './match.ts';

const commandOf = namesOf(flowCommands);

/** Writes the instructions; none for a flow without actions, which drops. Throws `Unencodable`. */
export function putBody(w: Writer, { actions, goto, otherInstructions }: FlowBody): void {
  if (actions.length > 0) {
    const start = w.length;
    w.u16(instructions.apply).u16(0).u32(0);
    putActions(w, actions);
    const length = w.length - start;
    if (length > 0xffff) unencodable(`actions of ${length} bytes`);
    w.patchU16(start + 2, length);
  }
  if (otherInstructions !== undefined) w.bytes(otherInstructions);
  if (goto !== undefined) w.u16(instructions.goto).u16(8).u8(goto).zeros(3);
}

export function takeBody(r: Reader): FlowBody {
  let actions: Action[] = [];
  let goto: number | undefined;
  let others: Uint8Array[] | undefined;
  while (r.left > 0) {
    const start = r.offset;
    const type = r.u16();
    const length = r.u16();
    if (length < 8) malformed(start, 'instruction');
    const body = r.window(length - 4);
    if (type === instructions.apply && actions.length === 0) {
      body.skip(4);
      actions = takeActions(body);
    } else if (type === instructions.goto && goto === undefined && length === 8) goto = body.u8();
    else {
      r.offset = start;
      others ??= [];
      others.push(r.bytes(length));
    }
  }
  return {
    actions,
    ...(goto === undefined ? {} : { goto }),
    ...(others === undefined ? {} : { otherInstructions: copyOf(Buffer.concat(others)) }),
  };
}

export function putFlowMod(w: Writer, mod: FlowMod): void {
  w.u64(mod.cookie)
    .u64(mod.cookieMask ?? 0n)
    .u8(mod.table)
    .u8(flowCommands[mod.command])
    .u16(mod.idleTimeout ?? 0)
    .u16(mod.hardTimeout ?? 0)
    .u16(mod.priority)
    .u32(noBuffer)
    .u32(mod.outPort ?? ports.any)
    .u32(mod.outGroup ?? anyGroup)
    .u16(mod.flags ?? 0)
    .u16(mod.importance ?? 0);
  putMatch(w, mod.match, mod.unknownMatch);
  putBody(w, mod);
}

const unless = <K extends string, V>(key: K, value: V, usual: V): { readonly [P in K]?: V } =>
  (value === usual ? {} : { [key]: value }) as { readonly [P in K]?: V };

const unknownPart = (unknown: Uint8Array | undefined): { readonly unknownMatch?: Uint8Array } =>
  unknown === undefined ? {} : { unknownMatch: unknown };

export function takeFlowMod(r: Reader): FlowMod {
  const cookie = r.u64();
  const cookieMask = r.u64();
  const table = r.u8();
  const at = r.offset;
  const command = commandOf(r.u8()) ?? malformed(at, 'flow-mod command');
  const idleTimeout = r.u16();
  const hardTimeout = r.u16();
  const priority = r.u16();
  r.skip(4);
  const outPort = r.u32();
  const outGroup = r.u32();
  const flags = r.u16();
  const importance = r.u16();
  const { match, unknown } = takeMatch(r);
  return {
    type: 'flow_mod',
    command,
    table,
    priority,
    cookie,
    match,
    ...takeBody(r),
    ...unless('cookieMask', cookieMask, 0n),
    ...unless('idleTimeout', idleTimeout, 0),
    ...unless('hardTimeout', hardTimeout, 0),
    ...unless('outPort', outPort, ports.any),
    ...unless('outGroup', outGroup, anyGroup),
    ...unless('flags', flags, 0),
    ...unless('importance', importance, 0),
    ...unknownPart(unknown),
  };
}

export interface FlowCounters {
  readonly packets: bigint;
  readonly bytes: bigint;
  readonly flows: number;
  /** Seconds. */
  readonly duration: number;
  /** Seconds since the last packet, or since the flow was added if it had none. */
  readonly idle: number;
}

type Counted = Omit<FlowCounters, 'flows' | 'idle'> & { readonly flows?: number; readonly idle?: number };

/** Writes the statistics TLVs (OXS); `flows` and `idle` only where they are given. */
export function putCounters(w: Writer, counters: Counted): void {
  const start = w.length;
  const header = (field: number, length: number): Writer => w.u16(oxsClass).u16((field << 9) | length);
  const time = (field: number, value: number): void => {
    const seconds = Math.floor(value);
    header(field, 8)
      .u32(seconds)
      .u32(Math.round((value - seconds) * 1e9));
  };
  w.u16(0).u16(0);
  time(oxsFields.duration, counters.duration);
  if (counters.idle !== undefined) time(oxsFields.idleTime, counters.idle);
  header(oxsFields.packets, 8).u64(counters.packets);
  header(oxsFields.bytes, 8).u64(counters.bytes);
  if (counters.flows !== undefined) header(oxsFields.flowCount, 4).u32(counters.flows);
  w.patchU16(start + 2, w.length - start);
  w.align(8, start);
}

/** Reads the statistics TLVs with their padding; those that are unknown or absent count as zero. */
export function takeCounters(r: Reader): FlowCounters {
  const start = r.offset;
  r.skip(2);
  const length = r.u16();
  if (length < 4) malformed(start, 'statistics');
  const body = r.window(length - 4);
  r.skip((8 - (length % 8)) % 8);
  let packets = 0n;
  let bytes = 0n;
  let flows = 0;
  let duration = 0;
  let idle = 0;
  while (body.left > 0) {
    const header = body.u32();
    const value = body.window(header & 0xff);
    if (header >>> 16 !== oxsClass) continue;
    const field = (header >>> 9) & 0x7f;
    if (field === oxsFields.duration) duration = value.u32() + value.u32() / 1e9;
    else if (field === oxsFields.idleTime) idle = value.u32() + value.u32() / 1e9;
    else if (field === oxsFields.packets) packets = value.u64();
    else if (field === oxsFields.bytes) bytes = value.u64();
    else if (field === oxsFields.flowCount) flows = value.u32();
  }
  return { packets, bytes, flows, duration, idle };
}

export function putFlowStats(w: Writer, flow: FlowStats): void {
  const start = w.length;
  w.u16(0).zeros(2).u8(flow.table).u8(0).u16(flow.priority).u16(flow.idleTimeout).u16(flow.hardTimeout);
  w.u16(0).u16(0).u64(flow.cookie);
  putMatch(w, flow.match, flow.unknownMatch);
  putCounters(w, flow);
  putBody(w, flow);
  w.patchU16(start, w.length - start);
}

/** Reads one flow of a dump. */
export function takeFlowStats(stream: Reader): FlowStats {
  const at = stream.offset;
  const length = stream.u16();
  if (length < 32) malformed(at, 'flow description');
  const r = stream.window(length - 2);
  r.skip(2);
  const table = r.u8();
  r.skip(1);
  const priority = r.u16();
  const idleTimeout = r.u16();
  const hardTimeout = r.u16();
  r.skip(4);
  const cookie = r.u64();
  const { match, unknown } = takeMatch(r);
  const { flows: _, ...counters } = takeCounters(r);
  const body = takeBody(r);
  const flow = { table, priority, match, cookie, ...counters, idleTimeout, hardTimeout };
  return unknown === undefined ? { ...flow, ...body } : { ...flow, ...body, unknownMatch: unknown };
}

export function putFlowFilter(w: Writer, filter: FlowFilter): void {
  w.u8(filter.table ?? allTables)
    .zeros(3)
    .u32(filter.outPort ?? ports.any)
    .u32(filter.outGroup ?? anyGroup)
    .zeros(4)
    .u64(filter.cookie ?? 0n)
    .u64(filter.cookieMask ?? (filter.cookie === undefined ? 0n : 0xffffffffffffffffn));
  putMatch(w, filter.match ?? {});
}

export function takeFlowFilter(r: Reader): FlowFilter {
  const table = r.u8();
  r.skip(3);
  const outPort = r.u32();
  const outGroup = r.u32();
  r.skip(4);
  const cookie = r.u64();
  const cookieMask = r.u64();
  const { match } = takeMatch(r);
  return {
    ...unless('table', table, allTables),
    ...unless('outPort', outPort, ports.any),
    ...unless('outGroup', outGroup, anyGroup),
    ...(cookieMask === 0n ? {} : { cookie, cookieMask }),
    ...(Object.keys(match).length === 0 ? {} : { match }),
  };
}

export function putFlowRemoved(w: Writer, removed: FlowRemoved): void {
  w.u8(removed.table)
    .u8(removed.reason)
    .u16(removed.priority)
    .u16(removed.idleTimeout)
    .u16(removed.hardTimeout);
  w.u64(removed.cookie);
  putMatch(w, removed.match, removed.unknownMatch);
  putCounters(w, removed);
}

export function takeFlowRemoved(r: Reader): FlowRemoved {
  const table = r.u8();
  const reason = r.u8();
  const priority = r.u16();
  const idleTimeout = r.u16();
  const hardTimeout = r.u16();
  const cookie = r.u64();
  const { match, unknown } = takeMatch(r);
  const { packets, bytes, duration } = takeCounters(r);
  return {
    type: 'flow_removed',
    table,
    reason,
    priority,
    idleTimeout,
    hardTimeout,
    cookie,
    match,
    packets,
    bytes,
    duration,
    ...unknownPart(unknown),
  };
}
