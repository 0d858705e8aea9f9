/** The schemas of what an attribute table describes: shown, as made, as changed. */
import type { AccessRule } from '../../model/access.ts';
import type { Attribute, AttributeTable } from '../../model/attribute.ts';
import { sentSchema, shownSchema } from '../../model/attribute-schema.ts';
import type { Schema } from '../../model/schema.ts';
import { refTo } from './operation.ts';

/** The other name of the owner. */
const alias = 'tenant_id';

const rows = (table: AttributeTable): readonly (readonly [string, Attribute])[] => Object.entries(table);

/** The attributes that answers may have. */
export const shownNames = (table: AttributeTable): readonly string[] =>
  rows(table).flatMap(([name, { hidden }]) =>
    hidden === true ? [] : name === 'project_id' ? [name, alias] : [name],
  );

/** The attributes of every answer without `fields`, for any reader. */
const alwaysShown = (table: AttributeTable): readonly string[] =>
  shownNames(table).filter((name) => {
    const row = table[name === alias ? 'project_id' : name];
    return row !== undefined && row.sometimes !== true && row.rights?.read === undefined;
  });

const wordsOf = (rule: AccessRule): string => (rule.length === 0 ? 'nobody' : rule.join(', '));

function withWords(schema: Schema, ...words: readonly (string | undefined)[]): Schema {
  const description = [schema.description, ...words].filter((word) => word !== undefined).join(' ');
  if (description === '') return schema;
  // Older tools ignore everything beside a `$ref`.
  return schema.$ref === undefined ? { ...schema, description } : { allOf: [schema], description };
}

function shown(table: AttributeTable): Schema {
  const properties = rows(table).flatMap(([name, row]): readonly [string, Schema][] => {
    if (row.hidden === true) return [];
    const readers = row.rights?.read;
    const only = readers === undefined ? undefined : `Shown to: ${wordsOf(readers)}.`;
    const schema = withWords(shownSchema(row), row.about, only);
    if (name !== 'project_id') return [[name, schema]];
    return [
      [name, schema],
      [alias, withWords(shownSchema(row), 'The same as `project_id`.')],
    ];
  });
  return { type: 'object', properties: Object.fromEntries(properties) };
}

function sent(table: AttributeTable, verb: 'create' | 'update'): Schema {
  const taken = rows(table).filter(([, row]) => (verb === 'create' ? row.post !== 'refused' : row.put));
  const required = verb === 'update' ? [] : taken.filter(([, row]) => row.post === 'required');
  const properties = taken.flatMap(([name, row]): readonly [string, Schema][] => {
    const { values, [verb]: rule } = row.rights ?? {};
    const some = values === undefined ? '' : ' for some values';
    const only = rule === undefined ? undefined : `Set by${some}: ${wordsOf(rule)}.`;
    const schema = withWords(sentSchema(row), row.about, only);
    const fallback = verb === 'create' && row.fallback !== undefined ? { default: row.fallback } : {};
    if (name !== 'project_id') return [[name, { ...schema, ...fallback }]];
    return [
      [name, schema],
      [alias, withWords(sentSchema(row), 'The same as `project_id`.')],
    ];
  });
  return {
    type: 'object',
    properties: Object.fromEntries(properties),
    ...(required.length === 0 ? {} : { required: required.map(([name]) => name) }),
    additionalProperties: false,
  };
}

export const canBeMade = (table: AttributeTable): boolean =>
  rows(table).some(([, { post }]) => post !== 'refused');

export const canBeChanged = (table: AttributeTable): boolean => rows(table).some(([, { put }]) => put);

/** Names of the components. A whole one has every attribute; one that `fields` cut has some. */
export const componentNames = (name: string) =>
  ({ shown: name, whole: `${name}_whole`, create: `${name}_create`, update: `${name}_update` }) as const;

export function componentsOf(name: string, table: AttributeTable): Readonly<Record<string, Schema>> {
  const names = componentNames(name);
  return {
    [names.shown]: shown(table),
    [names.whole]: { allOf: [refTo(names.shown), { required: alwaysShown(table) }] },
    ...(canBeMade(table) ? { [names.create]: sent(table, 'create') } : {}),
    ...(canBeChanged(table) ? { [names.update]: sent(table, 'update') } : {}),
  };
}
