/**
 * `…/{id}/tags` of every resource that has tags. A change of the tags is a revision of the resource; setting the same tags
 * again changes nothing.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { refuse } from '../../model/faults.ts';
import type { Taggable } from '../../model/records.ts';
import type { Owned } from '../../model/standard-attributes.ts';
import { checkTag, tagsOf, tagsOfBody, withTags } from '../../model/tags.ts';
import { Access } from '../identity/access.ts';
import { callerOf } from '../identity/request-caller.ts';
import { describes } from '../openapi/operation.ts';
import { tagOperations } from '../openapi/table-operations.ts';
import type { Row } from '../state/table.ts';
import { readBody, refuseBody } from './body.ts';
import { expectedRevision, replaceRecord } from './replacing.ts';
import { refuseMethod } from './request-faults.ts';
import type { Context, Resource } from './resource.ts';

type OfOne = { Params: { id: string } };
type OfTag = { Params: { id: string; tag: string } };

/** `path` is the resource's own, or an alias. */
export function registerTags<R extends Owned & Taggable>(
  app: FastifyInstance,
  context: Context,
  resource: Resource<R>,
  path = resource.path,
): void {
  const { name, collection } = resource;
  const all = `/v2.0/${path}/:id/tags`;
  const one = `${all}/:tag`;
  const operations = tagOperations(resource);
  const access = new Access(resource, context.view);
  const found = (request: FastifyRequest<OfOne>): Row<R> => {
    const { id } = request.params;
    return (
      access.seen(callerOf(request), id) ?? refuse({ code: 'TagResourceNotFound', resource: collection, id })
    );
  };
  const change = async (
    request: FastifyRequest<OfOne>,
    decide: (held: readonly string[]) => readonly string[],
  ): Promise<void> => {
    const expected = expectedRevision(request);
    const find = (): Row<R> => {
      found(request);
      return access.toTag(callerOf(request), request.params.id);
    };
    await replaceRecord(context, resource, {
      find,
      expected,
      decide: (_change, { record }) => withTags(name, record, decide(tagsOf(record))),
    });
  };

  app.get<OfOne>(all, describes(operations.list), async (request) => ({
    tags: tagsOf(found(request).record),
  }));

  app.put<OfOne>(all, describes(operations.replace), async (request) => {
    const tags = tagsOfBody(readBody(request));
    await change(request, () => tags);
    return { tags };
  });

  app.post<OfOne>(all, describes(operations.add), async (request, reply) => {
    const tags = tagsOfBody(readBody(request));
    await change(request, (held) => [...new Set([...held, ...tags])]);
    return reply.code(201).send({ tags });
  });

  app.delete<OfOne>(all, describes(operations.clear), async (request, reply) => {
    refuseBody(request);
    await change(request, () => []);
    return reply.code(204).send();
  });

  app.get<OfTag>(one, describes(operations.check), async (request, reply) => {
    const { tag } = request.params;
    checkTag(tag);
    if (!tagsOf(found(request).record).includes(tag)) refuse({ code: 'TagNotFound', tag });
    return reply.code(204).send();
  });

  app.put<OfTag>(one, describes(operations.addOne), async (request, reply) => {
    const { tag } = request.params;
    checkTag(tag);
    await change(request, (held) => (held.includes(tag) ? held : [...held, tag]));
    return reply.code(201).send();
  });

  app.delete<OfTag>(one, describes(operations.removeOne), async (request, reply) => {
    refuseBody(request);
    const { tag } = request.params;
    checkTag(tag);
    await change(request, (held) =>
      held.includes(tag) ? held.filter((other) => other !== tag) : refuse({ code: 'TagNotFound', tag }),
    );
    return reply.code(204).send();
  });

  app.route({ method: 'PATCH', url: all, handler: refuseMethod });
  app.route({ method: ['POST', 'PATCH'], url: one, handler: refuseMethod });
}
