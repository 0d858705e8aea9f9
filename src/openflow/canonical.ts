/**
 * What makes two flows the same to a switch, as strings for map keys and comparison: the bytes of their
 * normal encoding. Cheap and deterministic; not meant for reading.
 */
import { Writer } from '../base/bytes.ts';
import { putBody } from './codec/flows.ts';
import { putMatchFields } from './codec/match.ts';
import type { FlowBody, Match } from './flow.ts';

const scratch = new Writer(4096);

/** Identity of a flow: equal for matches that differ only in order, full masks or aliases of registers. */
export function canonicalKey(table: number, priority: number, match: Match): string {
  scratch.truncate(0);
  scratch.u8(table).u16(priority);
  putMatchFields(scratch, match);
  return scratch.done().toString('latin1');
}

/** What a flow does; equal for what was sent and what a dump reports of it. */
export function canonicalBody(body: FlowBody): string {
  scratch.truncate(0);
  putBody(scratch, body);
  return scratch.done().toString('latin1');
}
