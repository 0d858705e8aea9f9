/** The operations that every resource has, made from its table and verbs when the document is built. */
import type { AccessRule } from '../../model/access.ts';
import { arrayOf, enumSchema, objectOf, type Schema, stringSchema } from '../../model/schema.ts';
import { tagsAttribute } from '../../model/tags.ts';
import { type ApiOperation, type DocumentedResource, refTo, wrapped } from './operation.ts';
import { fieldsParameter, listParameters } from './table-query.ts';
import { canBeMade, componentNames, componentsOf } from './table-schemas.ts';

const link: Schema = objectOf({ rel: enumSchema(['next', 'previous']), href: stringSchema });

const words = (name: string): string => name.replaceAll('_', ' ');
const forWhom = (rule: AccessRule): string => `For: ${rule.length === 0 ? 'nobody' : rule.join(', ')}.`;

/** An action as documents show it: null for a body that is not read, no answer for one that is the record. */
interface ActionSchemas {
  readonly body: Schema | null;
  readonly answer?: Schema;
  readonly summary?: string;
}

/** `schema` is what the components are called. */
export function tableOperations(
  { name, collection, table, verbs, single }: DocumentedResource,
  schema = name,
) {
  const names = componentNames(schema);
  let components: ReturnType<typeof componentsOf> | null = null;
  const common = () => ({
    group: words(collection),
    components: (components ??= componentsOf(schema, table)),
  });
  const revised = Object.hasOwn(table, 'revision_number') ? ({ conditional: true } as const) : {};
  const one = wrapped(name, refTo(names.whole));
  const oneOrMore = (alone: Schema, several: Schema): Schema =>
    single === true ? alone : { oneOf: [alone, wrapped(collection, several)] };
  const list = (): ApiOperation => ({
    ...common(),
    subject: { name, collection, table, verbs },
    id: `list_${collection}`,
    summary: `Lists ${words(collection)}`,
    details: forWhom(verbs.read),
    query: listParameters(table),
    // The marker may name nothing.
    refusals: [404],
    answers: {
      200: {
        type: 'object',
        properties: { [collection]: arrayOf(refTo(names.shown)), [`${collection}_links`]: arrayOf(link) },
        required: [collection],
      },
    },
  });
  const show = (): ApiOperation => ({
    ...common(),
    id: `show_${name}`,
    summary: `Shows one ${words(name)}`,
    details: forWhom(verbs.read),
    query: [fieldsParameter(table)],
    answers: { 200: wrapped(name, refTo(names.shown)) },
  });
  const create = canBeMade(table)
    ? (): ApiOperation => ({
        ...common(),
        id: `create_${name}`,
        summary: `Makes one ${words(name)}${single === true ? '' : ', or several: all or none'}`,
        details: forWhom(verbs.create),
        body: oneOrMore(wrapped(name, refTo(names.create)), {
          ...arrayOf(refTo(names.create)),
          minItems: 1,
        }),
        answers: { 201: oneOrMore(one, arrayOf(refTo(names.whole))) },
      })
    : null;
  const update = (): ApiOperation => ({
    ...common(),
    ...revised,
    id: `update_${name}`,
    summary: `Changes one ${words(name)}`,
    details: forWhom(verbs.update),
    body: wrapped(name, refTo(names.update)),
    answers: { 200: one },
  });
  const remove = (): ApiOperation => ({
    ...common(),
    ...revised,
    id: `delete_${name}`,
    summary: `Removes one ${words(name)}`,
    details: forWhom(verbs.delete),
    answers: { 204: null },
  });
  /** What is done to one by a PUT of its own; the body may be wrapped in the resource's name. */
  const action =
    (verb: string, { body, answer, summary }: ActionSchemas) =>
    (): ApiOperation => ({
      ...common(),
      ...revised,
      id: `${verb}_${name}`,
      summary: summary ?? `${words(verb)}: ${words(name)}`,
      details: forWhom(verbs.update),
      ...(body === null ? {} : { body: { oneOf: [body, wrapped(name, body)] } }),
      answers: { 200: answer ?? one },
    });
  return { list, show, create, update, remove, action } as const;
}

const tagList: Schema = objectOf({ tags: tagsAttribute.type });

/** The operations of `…/tags` of a resource. */
export function tagOperations({ collection, verbs }: DocumentedResource) {
  const common = { group: words(collection) } as const;
  const read = { ...common, details: forWhom(verbs.read) } as const;
  const write = { ...common, details: forWhom(verbs.update), conditional: true } as const;
  return {
    list: { ...read, summary: 'Lists its tags', answers: { 200: tagList } },
    replace: { ...write, summary: 'Replaces its tags', body: tagList, answers: { 200: tagList } },
    add: { ...write, summary: 'Adds tags', body: tagList, answers: { 201: tagList } },
    clear: { ...write, summary: 'Removes its tags', answers: { 204: null } },
    check: { ...read, summary: 'Tells whether it has the tag', answers: { 204: null } },
    addOne: { ...write, summary: 'Adds the tag', answers: { 201: null } },
    removeOne: { ...write, summary: 'Removes the tag', answers: { 204: null } },
  } as const satisfies Readonly<Record<string, ApiOperation>>;
}
