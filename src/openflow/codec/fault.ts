/**
 * The faults of a codec: `Malformed` for bytes of a peer, `Unencodable` for a value of ours that does not fit
 * the wire. Reads past a message's end throw `Truncated` of base/bytes.
 */
import type { BytesFault } from '../../base/bytes.ts';
import { Fault } from '../../base/errors.ts';

export type CodecFault =
  | { readonly code: 'Malformed'; readonly offset: number; readonly what: string }
  | { readonly code: 'Unencodable'; readonly what: string }
  | BytesFault;

export function malformed(offset: number, what: string): never {
  throw new Fault<CodecFault>({ code: 'Malformed', offset, what }, `malformed ${what} at ${offset}`);
}

export function unencodable(what: string): never {
  throw new Fault<CodecFault>({ code: 'Unencodable', what }, what);
}

/** The name of a wire number in a table of numbers, or undefined. */
export function namesOf<T extends Readonly<Record<string, number>>>(
  table: T,
): (value: number) => keyof T | undefined {
  const names = new Map<number, keyof T>(Object.entries(table).map(([name, value]) => [value, name]));
  return (value) => names.get(value);
}

/** A copy that outlives the framer's buffer. */
export const copyOf = (view: Uint8Array): Uint8Array => new Uint8Array(view);
