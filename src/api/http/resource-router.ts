/**
 * The routes that every resource has: list, show, create (one or many), update, delete. Knows HTTP and the table;
 * the resource knows its own rules.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Draft, draftForCreate, draftForUpdate } from '../../model/attribute.ts';
import type { Owned } from '../../model/standard-attributes.ts';
import { Access } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import { callerOf } from '../identity/request-caller.ts';
import { does, refuses } from '../openapi/operation.ts';
import { tableOperations } from '../openapi/table-operations.ts';
import type { Change, Plan } from '../state/change.ts';
import type { Row } from '../state/table.ts';
import { urlOf } from '../versions.ts';
import { readAction, readResource, readResources, refuseBody } from './body.ts';
import { matches, parseFilters } from './filters.ts';
import { page, pageLinks, parseFields, parsePaging } from './paging.ts';
import { Reading } from './reading.ts';
import { expectedRevision, replaceRecord, requireExpected } from './replacing.ts';
import { refuseRequest } from './request-faults.ts';
import type { Answer, Context, Resource } from './resource.ts';

type ById = { Params: { id: string } };

const json = 'application/json';

export function registerResource<R extends Owned>(
  app: FastifyInstance,
  context: Context,
  resource: Resource<R>,
): void {
  const { name, collection, table } = resource;
  const many = `/v2.0/${resource.path}`;
  const one = `${many}/:id`;
  const tells = tableOperations(resource);
  const access = new Access(resource, () => context.view.state);
  /** The text of a record that was just written; the view has it unless somebody else was at it again. */
  const textOfWritten = (record: R, caller: Caller): string => {
    const passed = { key: '', record, modRevision: 0, shown: null, shownOtherwise: null };
    return new Reading(resource, resource.find(record.id) ?? passed, access.sightOf(caller)).text(null);
  };

  /** What a marker names. For networks and ports Neutron refuses one that names nothing; other lists end there. */
  const markOf = (marker: string | null, caller: Caller): Reading<R> | undefined => {
    if (marker === null) return undefined;
    const strict = name === 'network' || name === 'port';
    const row = strict ? access.found(caller, marker) : access.seen(caller, marker);
    return row === undefined ? undefined : new Reading(resource, row, access.sightOf(caller));
  };

  app.get(many, does(tells.list), async (request, reply) => {
    const url = urlOf(request);
    const query = url.searchParams;
    const filters = parseFilters(table, query);
    const paging = parsePaging(table, query);
    const fields = parseFields(table, query);
    const caller = callerOf(request);
    await resource.prepareList?.(filters, caller);
    const sees = access.seer(caller);
    const sight = access.sightOf(caller);
    const matching: Reading<R>[] = [];
    for (const row of resource.candidates(filters, caller)) {
      if (!sees(row.record)) continue;
      const reading = new Reading(resource, row, sight);
      if (matches(reading, filters)) matching.push(reading);
    }
    const items = page(matching, paging, markOf(paging.marker, caller));
    const texts = items.map((item) => item.text(fields));
    const links = pageLinks(items, paging, url);
    const tail = links.length === 0 ? '' : `,"${collection}_links":${JSON.stringify(links)}`;
    return send(reply, 200, `{"${collection}":[${texts.join(',')}]${tail}}`);
  });

  app.get<ById>(one, does(tells.show), async (request, reply) => {
    const query = urlOf(request).searchParams;
    const fields = parseFields(table, query);
    const caller = callerOf(request);
    const row = access.found(caller, request.params.id);
    const text = new Reading(resource, row, access.sightOf(caller)).text(fields);
    return send(reply, 200, `{"${name}":${text}}`);
  });

  app.post(many, tells.create === null ? refuses : does(tells.create), async (request, reply) => {
    const { bulk, items } = readResources(request, name, collection);
    const drafts = items.map((item) => draftForCreate(table, name, item));
    const caller = callerOf(request);
    const plan: Plan<readonly R[]> = (change) => {
      for (const draft of drafts) access.demandCreation(caller, draft);
      return resource.create(change, drafts, caller);
    };
    const [first] = drafts;
    const lane = bulk || first === undefined ? undefined : resource.lane?.(first, caller);
    const records = await (lane === undefined
      ? context.committer.commit(plan)
      : context.committer.commitInLane(lane, plan));
    const texts = records.map((record) => textOfWritten(record, caller));
    return send(
      reply,
      201,
      bulk ? `{"${collection}":[${texts.join(',')}]}` : `{"${name}":${texts.join(',')}}`,
    );
  });

  const replace = async (
    request: FastifyRequest<ById>,
    reply: FastifyReply,
    draft: Draft,
    decide: (change: Change, row: Row<R>) => R,
    action?: string,
  ): Promise<FastifyReply> => {
    const expected = expectedRevision(request);
    const caller = callerOf(request);
    const find = (): Row<R> => access.toUpdate(caller, request.params.id, draft, action);
    const record = await replaceRecord(context, resource, { find, expected, decide });
    return send(reply, 200, `{"${name}":${textOfWritten(record, caller)}}`);
  };

  app.put<ById>(one, resource.update === undefined ? refuses : does(tells.update), async (request, reply) => {
    if (resource.update === undefined) return refuseRequest({ code: 'WrongMethod', method: 'PUT' });
    const draft = draftForUpdate(table, name, readResource(request, name, collection));
    const caller = callerOf(request);
    return replace(
      request,
      reply,
      draft,
      (change, row) => resource.update?.(change, row, draft, caller) ?? row.record,
    );
  });

  for (const [action, act] of Object.entries(resource.actions ?? {})) {
    const url = `${one}/${action}`;
    const operation = tells.action(action, resource.actionBodies?.[action] ?? { type: 'object' });
    app.put<ById>(url, does(operation), async (request, reply) => {
      const body = readAction(request, name);
      return replace(request, reply, {}, (_change, row) => act(row, body), action);
    });
    app.route({ method: ['GET', 'POST', 'DELETE', 'PATCH'], url, handler: refuseMethod });
  }

  for (const [word, dealing] of Object.entries(resource.dealings ?? {})) {
    const url = `${one}/${word}`;
    app.put<ById>(url, does(tells.action(word, dealing.body, dealing.answer)), async (request, reply) => {
      const body = readAction(request, name);
      const expected = expectedRevision(request);
      const caller = callerOf(request);
      const find = (): Row<R> => access.toUpdate(caller, request.params.id, {}, word);
      let answer: Answer = {};
      const decide = (change: Change, row: Row<R>): R => {
        const outcome = dealing.deal(change, row, body, caller);
        // That of the attempt which goes through is the last.
        answer = outcome.answer;
        return outcome.record;
      };
      await replaceRecord(context, resource, { find, expected, decide });
      return send(reply, 200, JSON.stringify(answer));
    });
    app.route({ method: ['GET', 'POST', 'DELETE', 'PATCH'], url, handler: refuseMethod });
  }

  app.delete<ById>(
    one,
    resource.verbs.delete.length === 0 ? refuses : does(tells.remove),
    async (request, reply) => {
      refuseBody(request);
      const { id } = request.params;
      const expected = expectedRevision(request);
      const caller = callerOf(request);
      await context.committer.commit((change) => {
        const row = access.toRemove(caller, id);
        requireExpected(change, row, expected);
        resource.remove(change, row, caller);
      });
      return reply.code(204).send();
    },
  );

  app.route({ method: ['PUT', 'DELETE', 'PATCH'], url: many, handler: refuseMethod });
  app.route({ method: ['POST', 'PATCH'], url: one, handler: refuseMethod });
}

export function refuseMethod(request: FastifyRequest): never {
  return refuseRequest({ code: 'WrongMethod', method: request.method });
}

function send(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).header('content-type', json).send(text);
}
