/** The routes of one record: show, update, actions, delete. */
import { type AttributeTable, draftForUpdate, type RequestDraft } from '../../model/attribute.ts';
import type { Owned } from '../../model/standard-attributes.ts';
import type { Caller } from '../identity/caller.ts';
import { callerOf } from '../identity/request-caller.ts';
import { describes, undescribed } from '../openapi/operation.ts';
import type { Change } from '../state/change.ts';
import type { Row } from '../state/table.ts';
import { readAction, readResource, refuseBody } from './body.ts';
import { parseFields, queryOf } from './paging.ts';
import { expectedRevision, replaceRecord, requireExpected } from './replacing.ts';
import { refuseMethod } from './request-faults.ts';
import type { ActionAnswer } from './resource.ts';
import { RowView } from './row-view.ts';
import { isSub, type Request, type Routes, type Served, sendJson, serve, textOfWritten } from './served.ts';

export function registerRecord<R extends Owned, T extends AttributeTable>(routes: Routes<R, T>): void {
  const { app, context, idPart, operations } = routes;
  const { name, collection, table, path, verbs, capabilities } = routes.resource;
  const url = `/v2.0/${path}/:${idPart}`;
  const idOf = (request: Request): string => request.params[idPart] ?? '';
  const revisionOf = (request: Request): number | null => (isSub(routes) ? null : expectedRevision(request));

  app.get(url, describes(operations.show), async (request: Request, reply) => {
    const fields = parseFields(table, queryOf(request));
    const caller = callerOf(request);
    const { resource, gate } = serve(routes, request);
    const row = gate.found(caller, idOf(request));
    const text = new RowView(resource, row, gate.visibilityOf(caller)).text(fields);
    return sendJson(reply, 200, `{"${name}":${text}}`);
  });

  const replace = (
    request: Request,
    { resource, gate }: Served<R, T>,
    draft: RequestDraft,
    decide: (change: Change, row: Row<R>, caller: Caller) => R,
    verb?: string,
  ): Promise<R> => {
    const expected = revisionOf(request);
    const caller = callerOf(request);
    return replaceRecord(context, resource, {
      find: () => gate.toUpdate(caller, idOf(request), draft, verb),
      expected,
      decide: (change, row) => decide(change, row, caller),
    });
  };

  const updating = capabilities.update === undefined ? undescribed : describes(operations.update);
  app.put(url, updating, async (request: Request, reply) => {
    if (capabilities.update === undefined) return refuseMethod(request);
    const patch = draftForUpdate(table, name, readResource(request, name, collection));
    const served = serve(routes, request);
    const record = await replace(
      request,
      served,
      patch,
      (change, row, caller) =>
        served.resource.capabilities.update?.(change, row, patch, caller) ?? row.record,
    );
    return sendJson(reply, 200, `{"${name}":${textOfWritten(served, record, callerOf(request))}}`);
  });

  for (const [verb, action] of Object.entries(capabilities.actions ?? {})) {
    const actionUrl = `${url}/${verb}`;
    app.put(actionUrl, describes(operations.action(verb, action)), async (request: Request, reply) => {
      const body = action.body === null ? undefined : readAction(request, name);
      const served = serve(routes, request);
      const own = served.resource.capabilities.actions?.[verb] ?? action;
      let answer: ActionAnswer | undefined;
      const decide = (change: Change, row: Row<R>, caller: Caller): R => {
        const outcome = own.run(change, row, body, caller);
        // The answer of the attempt that goes through is the last.
        answer = outcome.answer;
        return outcome.record;
      };
      const record = await replace(request, served, own.changes?.(body) ?? {}, decide, verb);
      const text =
        answer === undefined
          ? `{"${name}":${textOfWritten(served, record, callerOf(request))}}`
          : JSON.stringify(answer);
      return sendJson(reply, 200, text);
    });
    app.route({ method: ['GET', 'POST', 'DELETE', 'PATCH'], url: actionUrl, handler: refuseMethod });
  }

  const removing = verbs.delete.length === 0 ? undescribed : describes(operations.remove);
  app.delete(url, removing, async (request: Request, reply) => {
    refuseBody(request);
    const expected = revisionOf(request);
    const caller = callerOf(request);
    const { resource, gate } = serve(routes, request);
    await context.committer.commit((change) => {
      const row = gate.toRemove(caller, idOf(request));
      requireExpected(change, row, expected);
      resource.remove(change, row, caller);
    });
    return reply.code(204).send();
  });

  app.route({ method: ['POST', 'PATCH'], url, handler: refuseMethod });
}
