/** Flow monitors on the wire: the request, and the updates that the switch sends. */
import type { Reader, Writer } from '../../base/bytes.ts';
import type { FlowMonitor, FlowUpdate } from '../message.ts';
import { allTables, anyGroup, flowEvents, monitorCommands, ports } from '../spec/numbers.ts';
import { malformed, namesOf } from './fault.ts';
import { putBody, takeBody } from './flows.ts';
import { putMatch, takeMatch } from './match.ts';

const commandOf = namesOf(monitorCommands);
const eventOf = namesOf(flowEvents);

export function putFlowMonitor(w: Writer, { monitor, command, flags, table }: FlowMonitor): void {
  w.u32(monitor)
    .u32(ports.any)
    .u32(anyGroup)
    .u16(flags)
    .u8(table ?? allTables)
    .u8(monitorCommands[command]);
  putMatch(w, {});
}

export function takeFlowMonitor(r: Reader): FlowMonitor {
  const monitor = r.u32();
  r.skip(8);
  const flags = r.u16();
  const table = r.u8();
  const at = r.offset;
  const command = commandOf(r.u8()) ?? malformed(at, 'flow-monitor command');
  takeMatch(r);
  return {
    kind: 'flow_monitor',
    monitor,
    command,
    flags,
    ...(table === allTables ? {} : { table }),
  };
}

export function putFlowUpdate(w: Writer, update: FlowUpdate): void {
  const start = w.length;
  w.u16(0).u16(flowEvents[update.event]);
  if ('xid' in update) w.u32(update.xid);
  else if (!('table' in update)) w.zeros(4);
  else {
    w.u8(update.table)
      .u8(update.reason)
      .u16(update.idleTimeout)
      .u16(update.hardTimeout)
      .u16(update.priority)
      .zeros(4)
      .u64(update.cookie);
    putMatch(w, update.match, update.unknownMatch);
    putBody(w, update);
  }
  w.patchU16(start, w.length - start);
}

export function takeFlowUpdate(stream: Reader): FlowUpdate {
  const at = stream.offset;
  const length = stream.u16();
  if (length < 8) malformed(at, 'flow update');
  const r = stream.window(length - 2);
  const event = eventOf(r.u16()) ?? malformed(at, 'flow event');
  if (event === 'abbreviated') return { event, xid: r.u32() };
  if (event === 'paused') return { event };
  if (event === 'resumed') return { event };
  const table = r.u8();
  const reason = r.u8();
  const idleTimeout = r.u16();
  const hardTimeout = r.u16();
  const priority = r.u16();
  r.skip(4);
  const cookie = r.u64();
  const { match, unknown } = takeMatch(r);
  const body = takeBody(r);
  const change = { event, reason, table, priority, match, cookie, idleTimeout, hardTimeout, ...body };
  return unknown === undefined ? change : { ...change, unknownMatch: unknown };
}
