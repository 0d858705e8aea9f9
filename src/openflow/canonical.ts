/**
 * Flow identity and flow body as strings, for map keys and comparison: the bytes of the normal encoding.
 * Cheap and deterministic; not meant for reading.
 */
import { Writer } from '../base/bytes.ts';
import { putBody } from './codec/flows.ts';
import { putMatchFields } from './codec/match.ts';
import type { FlowBody, Match } from './flow.ts';

const scratch = new Writer(4096);

/** Identity of a flow: equal for matches that differ only in field order, full masks or register aliases. */
export function canonicalKey(table: number, priority: number, match: Match): string {
  scratch.truncate(0);
  scratch.u8(table).u16(priority);
  putMatchFields(scratch, match);
  return scratch.done().toString('latin1');
}

/** The body of a flow; equal for a sent flow and for the same flow in a dump. */
export function canonicalBody(body: FlowBody): string {
  scratch.truncate(0);
  putBody(scratch, body);
  return scratch.done().toString('latin1');
}
