/**
 * How a request replaces or removes one record: the row it means, the revision that its If-Match asks for, and one
 * revision for whatever it changes.
 */
import type { FastifyRequest } from 'fastify';
import { refuse } from '../../model/faults.ts';
import { differs, isStamped, type Owned, restamped } from '../../model/standard-attributes.ts';
import type { Change } from '../state/change.ts';
import type { Row } from '../state/table.ts';
import { refuseRequest } from './request-faults.ts';
import type { Context, Resource } from './resource.ts';

/** The revision that If-Match asks for; null when the request is unconditional. */
export function expectedRevision(request: FastifyRequest): number | null {
  const header = request.headers['if-match'];
  // `*` means any revision.
  if (header === undefined || header.trim() === '*') return null;
  const match = /^"?revision_number=(\d{1,15})"?$/.exec(header.trim());
  if (match === null) return refuseRequest({ code: 'BadIfMatch' });
  return Number(match[1]);
}

/** Refuses a row of another revision, and makes it a condition that the row is unchanged. */
export function requireExpected(change: Change, row: Row<Owned>, expected: number | null): void {
  // As in Neutron, If-Match means nothing for a record without revisions.
  const current = isStamped(row.record) ? row.record.revision_number : expected;
  if (expected !== null && current !== null && expected !== current) {
    refuse({ code: 'RevisionNumberConstraintFailed', expected, current });
  }
  change.replace(row);
}

export interface Replacement<R extends Owned> {
  /** Called at each attempt; throws when there is no such row. */
  readonly find: () => Row<R>;
  readonly expected: number | null;
  readonly decide: (change: Change, row: Row<R>) => R;
}

/** Replaces a record by the one that `decide` returns, as a new revision unless they are equal. Returns the new record. */
export function replaceRecord<R extends Owned>(
  context: Context,
  resource: Resource<R>,
  { find, expected, decide }: Replacement<R>,
): Promise<R> {
  return context.committer.commit((change) => {
    const row = find();
    const before = row.record;
    requireExpected(change, row, expected);
    const after = decide(change, row);
    if (!differs(before, after)) return before;
    const stamped = restamped(after, change.now);
    resource.write(change, row, stamped);
    return stamped;
  });
}
