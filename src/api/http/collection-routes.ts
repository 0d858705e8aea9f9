/** The routes of a collection: list, and create one or many. */
import { type AttributeTable, draftForCreate } from '../../model/attribute.ts';
import type { Owned } from '../../model/standard-attributes.ts';
import type { Caller } from '../identity/caller.ts';
import { callerOf } from '../identity/request-caller.ts';
import { describes, undescribed } from '../openapi/operation.ts';
import type { Plan } from '../state/change.ts';
import { quotaLane, takeQuotaForEach } from '../state/quota-use.ts';
import { urlOf } from '../versions.ts';
import { readResource, readResources } from './body.ts';
import { matches, parseFilters } from './filters.ts';
import { page, pageLinks, parseFields, parsePaging } from './paging.ts';
import { refuseMethod } from './request-faults.ts';
import { ownerOf } from './resource.ts';
import { RowView } from './row-view.ts';
import { isSub, type Request, type Routes, type Served, sendJson, serve, textOfWritten } from './served.ts';

export function registerCollection<R extends Owned, T extends AttributeTable>(routes: Routes<R, T>): void {
  const { app, context, single, operations } = routes;
  const { name, collection, table, path, capabilities } = routes.resource;
  const url = `/v2.0/${path}`;

  /** What a marker names. For networks and ports Neutron refuses one that names nothing; other lists end there. */
  const markOf = ({ gate, resource }: Served<R, T>, marker: string | null, caller: Caller) => {
    if (marker === null || isSub(routes)) return undefined;
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
    const served = serve(routes, request);
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
    return sendJson(reply, 200, `{"${collection}":[${texts.join(',')}]${tail}}`);
  });

  const creating = operations.create === null ? undescribed : describes(operations.create);
  app.post(url, creating, async (request: Request, reply) => {
    const { bulk, items } = single
      ? { bulk: false, items: [readResource(request, name, collection)] }
      : readResources(request, name, collection);
    const drafts = items.map((item) => draftForCreate(table, name, item));
    const caller = callerOf(request);
    const served = serve(routes, request);
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
    return sendJson(
      reply,
      201,
      bulk ? `{"${collection}":[${texts.join(',')}]}` : `{"${name}":${texts.join(',')}}`,
    );
  });

  app.route({ method: ['PUT', 'DELETE', 'PATCH'], url, handler: refuseMethod });
}
