/**
 * The version of the records in the store. Releases that follow one another share a store: servers and agents may differ by
 * one. A record that this release would misread says so by its `needs_schema`, and is refused by name. A store that an
 * older release cannot serve at all says so by its mark (`keys.neededSchema`).
 */
import { Fault } from '../base/errors.ts';

/** Of this release. Release 0.1, which marked nothing, is 1. */
export const schemaVersion = 2;

/** What a program must know to serve a store that this release writes to: the version of the release before. */
export const neededSchema = 1;

export type SchemaFault =
  | { readonly code: 'NewerRecord'; readonly needed: number }
  | { readonly code: 'NewerStore'; readonly needed: number };

/** Throws `NewerRecord`. A record that names no version is of the first one. */
export function refuseNewerRecord(record: Readonly<Record<string, unknown>>): void {
  const { needs_schema: needed } = record;
  if (typeof needed !== 'number' || needed <= schemaVersion) return;
  throw new Fault<SchemaFault>(
    { code: 'NewerRecord', needed },
    `the record needs schema ${needed}, and this release knows ${schemaVersion}`,
  );
}

/** `mark`: the value of the store's mark; null without one. Throws `NewerStore`. */
export function refuseNewerStore(mark: string | null): void {
  const needed = Number(mark ?? 0);
  if (needed <= schemaVersion) return;
  throw new Fault<SchemaFault>(
    { code: 'NewerStore', needed },
    `the store needs a release that knows schema ${mark}, and this one knows ${schemaVersion}: upgrade it`,
  );
}
