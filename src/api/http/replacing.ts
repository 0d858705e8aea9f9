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
  // What any revision satisfies asks for none.
  if (header === undefined || header.trim() === '*') return null;
  const match = /^"?revision_number=(\d{1,15})"?$/.exec(header.trim());
  if (match === null) return refuseRequest({ code: 'BadIfMatch' });
  return Number(match[1]);
}

/** Refuses a row of another revision; the row's being unchanged becomes a condition. */
export function requireExpected(change: Change, row: Row<Owned>, expected: number | null): void {
  // As in Neutron, what has no revisions is not guarded by them.
  const current = isStamped(row.record) ? row.record.revision_number : expected;
  if (expected !== null && current !== null && expected !== current) {
    refuse({ code: 'RevisionNumberConstraintFailed', expected, current });
  }
  change.replace(row);
}

export interface Replacement<R extends Owned> {
  /** Looked up anew at each attempt; throws when the row is not there. */
  readonly find: () => Row<R>;
  readonly expected: number | null;
  readonly decide: (change: Change, row: Row<R>) => R;
}

/** Replaces a record by what `decide` makes of it, as one revision when that is anything new. Returns the new one. */
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
