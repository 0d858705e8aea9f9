/**
 * The routes that every resource and sub-resource has: list, show, create (one or many), update, actions, delete. Knows
 * HTTP and the attribute table. The resource knows its own rules, and its gate who may do what.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type AttributeTable, type Draft, draftForCreate, draftForUpdate } from '../../model/attribute.ts';
import type { Owned } from '../../model/standard-attributes.ts';
import { Access, type Gate } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import { callerOf } from '../identity/request-caller.ts';
import { describes, undescribed } from '../openapi/operation.ts';
import { tableOperations } from '../openapi/table-operations.ts';
import type { Change, Plan } from '../state/change.ts';
import { quotaLane, takeQuotaForEach } from '../state/quota-use.ts';
import type { Row } from '../state/table.ts';
import { urlOf } from '../versions.ts';
import { readAction, readResource, readResources, refuseBody } from './body.ts';
import { matches, parseFilters } from './filters.ts';
import { page, pageLinks, parseFields, parsePaging } from './paging.ts';
import { expectedRevision, replaceRecord, requireExpected } from './replacing.ts';
import { refuseRequest } from './request-faults.ts';
import { type ActionAnswer, type Context, ownerOf, type Resource } from './resource.ts';
import { RowView } from './row-view.ts';

type Params = Readonly<Record<string, string>>;
type Request = FastifyRequest<{ Params: Params }>;

/** A resource as one request meets it: the records of a sub-resource belong to the parent that its URL names. */
interface Served<R extends Owned, T extends AttributeTable> {
  readonly resource: Resource<R, T>;
  readonly gate: Gate<R>;
}

interface Routes<R extends Owned, T extends AttributeTable> {
  readonly app: FastifyInstance;
  readonly context: Context;
  /** For its parts that are the same for every request. */
  readonly resource: Resource<R, T>;
  readonly operations: ReturnType<typeof tableOperations>;
  readonly serve: (params: Params) => Served<R, T>;
  /** The name of the URL's part that has the record's id. */
  readonly idPart: string;
  /** Several cannot be created at once. */
  readonly single: boolean;
  /** A sub-resource: its records have no revisions, so If-Match means nothing, and a marker names an item of the list. */
  readonly dependent: boolean;
}

export interface SubresourceOptions<R extends Owned, T extends AttributeTable> {
  readonly serve: (params: Params) => Served<R, T>;
  readonly idPart?: string;
  readonly single?: true;
  /** What documents call it; absent: as the resource is called. */
  readonly documented?: { readonly component: string; readonly collection: string };
  /** The URL of the collection is served elsewhere. */
  readonly alias?: true;
}

export function registerResource<R extends Owned, T extends AttributeTable>(
  app: FastifyInstance,
  context: Context,
  resource: Resource<R, T>,
): void {
  const served = { resource, gate: new Access(resource, () => context.view.state) };
  const operations = tableOperations(resource);
  const routes = { app, context, resource, operations, serve: () => served };
  registerRoutes({ ...routes, idPart: 'id', single: false, dependent: false });
}

export function registerSubresource<R extends Owned, T extends AttributeTable>(
  app: FastifyInstance,
  context: Context,
  { serve, idPart = 'id', single, documented, alias }: SubresourceOptions<R, T>,
): void {
  const { resource } = serve({});
  const { name, table, verbs } = resource;
  const { component = name, collection = resource.collection } = documented ?? {};
  const subject = { name, collection, table, verbs, ...(single === true ? { single } : {}) };
  const operations = tableOperations(subject, component);
  const routes = {
    app,
    context,
    resource,
    operations,
    serve,
    idPart,
    single: single === true,
    dependent: true,
  };
  if (alias === true) registerRecord(routes);
  else registerRoutes(routes);
}

function registerRoutes<R extends Owned, T extends AttributeTable>(routes: Routes<R, T>): void {
  registerCollection(routes);
  registerRecord(routes);
}

/** The text of a record that was just written; the view has it unless another request changed it since. */
function textOfWritten<R extends Owned, T extends AttributeTable>(
  { resource, gate }: Served<R, T>,
  record: R,
  caller: Caller,
): string {
  const passed = { key: '', record, modRevision: 0, shown: null, shownOtherwise: null };
  return new RowView(resource, resource.find(record.id) ?? passed, gate.visibilityOf(caller)).text(null);
}

function registerCollection<R extends Owned, T extends AttributeTable>(routes: Routes<R, T>): void {
  const { app, context, serve, single, dependent, operations } = routes;
  const { name, collection, table, path, capabilities } = routes.resource;
  const url = `/v2.0/${path}`;

  /** What a marker names. For networks and ports Neutron refuses one that names nothing; other lists end there. */
  const markOf = ({ gate, resource }: Served<R, T>, marker: string | null, caller: Caller) => {
    if (marker === null || dependent) return undefined;
    const strict = name === 'network' || name === 'port';
    const row = strict ? gate.found(caller, marker) : gate.seen(caller, marker);
    return row === undefined ? undefined : new RowView(resource, row, gate.visibilityOf(caller));
  };

  app.get(url, describes(operations.list), async (request: Request, reply) => {
    const asked = urlOf(request);
    const query = asked.searchParams;
    const filters = parseFilters(table, query);
    const paging = parsePaging(table, query);
    const fields = parseFields(table, query);
    const caller = callerOf(request);
    const served = serve(request.params);
    const { resource, gate } = served;
    await resource.capabilities.prepareList?.(filters, caller);
    const isVisible = gate.visibleTo(caller);
    const visibility = gate.visibilityOf(caller);
    const matching: RowView<R>[] = [];
    for (const row of resource.candidates(filters, caller)) {
      if (!isVisible(row.record)) continue;
      const view = new RowView(resource, row, visibility);
      if (matches(view, filters)) matching.push(view);
    }
    const items = page(matching, paging, markOf(served, paging.marker, caller));
    const texts = items.map((item) => item.text(fields));
    const links = pageLinks(items, paging, asked);
    const tail = links.length === 0 ? '' : `,"${collection}_links":${JSON.stringify(links)}`;
    return send(reply, 200, `{"${collection}":[${texts.join(',')}]${tail}}`);
  });

  const creating = operations.create === null ? undescribed : describes(operations.create);
  app.post(url, creating, async (request: Request, reply) => {
    const { bulk, items } = single
      ? { bulk: false, items: [readResource(request, name, collection)] }
      : readResources(request, name, collection);
    const drafts = items.map((item) => draftForCreate(table, name, item));
    const caller = callerOf(request);
    const served = serve(request.params);
    const { quota } = capabilities;
    const owners = drafts.map((draft) => ownerOf(draft, caller));
    const plan: Plan<readonly R[]> = (change) => {
      for (const draft of drafts) served.gate.demandCreation(caller, draft);
      if (quota !== undefined) takeQuotaForEach(change, context, quota.counts, owners);
      return served.resource.create(change, drafts, caller);
    };
    const [owner] = owners;
    const batched = quota?.batched === true && !bulk && owner !== undefined;
    const records = await (batched
      ? context.committer.commitInLane(quotaLane(owner), plan)
      : context.committer.commit(plan));
    const texts = records.map((record) => textOfWritten(served, record, caller));
    return send(
      reply,
      201,
      bulk ? `{"${collection}":[${texts.join(',')}]}` : `{"${name}":${texts.join(',')}}`,
    );
  });

  app.route({ method: ['PUT', 'DELETE', 'PATCH'], url, handler: refuseMethod });
}

function registerRecord<R extends Owned, T extends AttributeTable>(routes: Routes<R, T>): void {
  const { app, context, serve, idPart, dependent, operations } = routes;
  const { name, collection, table, path, verbs, capabilities } = routes.resource;
  const url = `/v2.0/${path}/:${idPart}`;
  const idOf = (request: Request): string => request.params[idPart] ?? '';
  const revisionOf = (request: Request): number | null => (dependent ? null : expectedRevision(request));

  app.get(url, describes(operations.show), async (request: Request, reply) => {
    const fields = parseFields(table, urlOf(request).searchParams);
    const caller = callerOf(request);
    const { resource, gate } = serve(request.params);
    const row = gate.found(caller, idOf(request));
    const text = new RowView(resource, row, gate.visibilityOf(caller)).text(fields);
    return send(reply, 200, `{"${name}":${text}}`);
  });

  const replace = (
    request: Request,
    { resource, gate }: Served<R, T>,
    draft: Draft,
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
    const served = serve(request.params);
    const record = await replace(
      request,
      served,
      patch,
      (change, row, caller) =>
        served.resource.capabilities.update?.(change, row, patch, caller) ?? row.record,
    );
    return send(reply, 200, `{"${name}":${textOfWritten(served, record, callerOf(request))}}`);
  });

  for (const [verb, action] of Object.entries(capabilities.actions ?? {})) {
    const actionUrl = `${url}/${verb}`;
    app.put(actionUrl, describes(operations.action(verb, action)), async (request: Request, reply) => {
      const body = action.body === null ? undefined : readAction(request, name);
      const served = serve(request.params);
      const own = served.resource.capabilities.actions?.[verb] ?? action;
      let answer: ActionAnswer | undefined;
      const decide = (change: Change, row: Row<R>, caller: Caller): R => {
        const outcome = own.run(change, row, body, caller);
        // The answer of the attempt that goes through is the last.
        answer = outcome.answer;
        return outcome.record;
      };
      const record = await replace(request, served, {}, decide, verb);
      const text =
        answer === undefined
          ? `{"${name}":${textOfWritten(served, record, callerOf(request))}}`
          : JSON.stringify(answer);
      return send(reply, 200, text);
    });
    app.route({ method: ['GET', 'POST', 'DELETE', 'PATCH'], url: actionUrl, handler: refuseMethod });
  }

  const removing = verbs.delete.length === 0 ? undescribed : describes(operations.remove);
  app.delete(url, removing, async (request: Request, reply) => {
    refuseBody(request);
    const expected = revisionOf(request);
    const caller = callerOf(request);
    const { resource, gate } = serve(request.params);
    await context.committer.commit((change) => {
      const row = gate.toRemove(caller, idOf(request));
      requireExpected(change, row, expected);
      resource.remove(change, row, caller);
    });
    return reply.code(204).send();
  });

  app.route({ method: ['POST', 'PATCH'], url, handler: refuseMethod });
}

export function refuseMethod(request: FastifyRequest): never {
  return refuseRequest({ code: 'WrongMethod', method: request.method });
}

function send(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).header('content-type', 'application/json').send(text);
}
