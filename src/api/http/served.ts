/** What the routes of a resource's collection and of its records have in common. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AttributeTable } from '../../model/attribute.ts';
import { differs, isStamped, type Owned } from '../../model/standard-attributes.ts';
import type { Gate } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import type { tableOperations } from '../openapi/table-operations.ts';
import type { Context, Resource } from './resource.ts';
import { RowView } from './row-view.ts';

/** Sends JSON that is already text. */
export const sendJson = (reply: FastifyReply, status: 200 | 201, text: string): FastifyReply =>
  reply.code(status).header('content-type', 'application/json').send(text);

export type Params = Readonly<Record<string, string>>;
export type Request = FastifyRequest<{ Params: Params }>;

/** A resource as one request meets it: the records of a sub-resource belong to the parent that its URL names. */
export interface Served<R extends Owned, T extends AttributeTable> {
  readonly resource: Resource<R, T>;
  readonly gate: Gate<R>;
}

export interface Routes<R extends Owned, T extends AttributeTable> {
  readonly app: FastifyInstance;
  readonly context: Context;
  /** For its parts that are the same for every request. */
  readonly resource: Resource<R, T>;
  readonly operations: ReturnType<typeof tableOperations>;
  /** By the parent that the URL names, for a sub-resource; the same for every request, for a resource. */
  readonly served: Served<R, T> | ((params: Params) => Served<R, T>);
  /** The name of the URL's part that has the record's id. */
  readonly idPart: string;
  /** Several cannot be created at once. */
  readonly single: boolean;
}

/** Whether the records belong to a parent that the URL names. */
export const isSub = <R extends Owned, T extends AttributeTable>({ served }: Routes<R, T>): boolean =>
  typeof served === 'function';

export const serve = <R extends Owned, T extends AttributeTable>(
  { served }: Routes<R, T>,
  request: Request,
): Served<R, T> => (typeof served === 'function' ? served(request.params) : served);

/**
 * The text of a record that was just written. The view's row is of use only while it is that record: another server may
 * have changed it since, and this answer must not show the other's change as this request's.
 */
export function textOfWritten<R extends Owned, T extends AttributeTable>(
  { resource, gate }: Served<R, T>,
  record: R,
  caller: Caller,
): string {
  const present = resource.find(record.id);
  const row =
    present !== undefined && isSameState(present.record, record)
      ? present
      : { key: '', record, modRevision: 0, shown: null, shownOtherwise: null };
  return new RowView(resource, row, gate.visibilityOf(caller)).text(null);
}

const isSameState = <R extends Owned>(a: R, b: R): boolean =>
  isStamped(a) && isStamped(b) ? a.revision_number === b.revision_number : !differs(a, b);
