/** docs/api-attributes.md: the attribute tables as people read them. */
import type { AccessRule } from '../../model/access.ts';
import type { Attribute } from '../../model/attribute.ts';
import { shownSchema } from '../../model/attribute-schema.ts';
import type { Schema } from '../../model/schema.ts';
import type { DocumentedResource } from './operation.ts';
import { canBeChanged, canBeMade } from './table-schemas.ts';

export interface Chapter {
  readonly path: string;
  readonly subject: DocumentedResource;
}

const code = (text: string): string => `\`${text}\``;

const plain = (schema: Schema): string => {
  if (schema.enum !== undefined)
    return schema.enum
      .map((value) => (value === null ? 'null' : code(`${value as string | number}`)))
      .join(', ');
  if (schema.$ref !== undefined) return (schema.$ref.split('/').at(-1) ?? '').replaceAll('_', ' ');
  if (schema.oneOf !== undefined) return [...new Set(schema.oneOf.map(plain))].join(' or ');
  const types =
    schema.type === undefined ? [] : typeof schema.type === 'string' ? [schema.type] : schema.type;
  return types.map((type) => (type === 'null' ? 'null' : wordOf(type, schema))).join(' or ');
};

function wordOf(type: string, schema: Schema): string {
  const { format, minimum, maximum, maxLength, items, properties } = schema;
  switch (type) {
    case 'array':
      return items === undefined ? 'list' : `list of ${plain(items)}`;
    case 'object':
      return properties === undefined ? 'object' : `{${Object.keys(properties).map(code).join(', ')}}`;
    case 'integer':
    case 'number':
      if (minimum === undefined && maximum === undefined) return type;
      return `${type} ${minimum === undefined ? '' : `from ${minimum}`}${maximum === undefined ? '' : ` to ${maximum}`}`;
    case 'string':
      if (format !== undefined) return words[format] ?? format;
      return maxLength === undefined ? 'text' : `text up to ${maxLength}`;
    default:
      return type;
  }
}

const words: Readonly<Record<string, string>> = {
  uuid: 'UUID',
  'date-time': 'time',
  ip: 'address',
  cidr: 'prefix',
  'ip-or-cidr': 'address or prefix',
  mac: 'MAC',
};

const people = (rule: AccessRule): string => (rule.length === 0 ? 'nobody' : rule.join(', '));

/** Whether the verb may carry it, and by whom beyond those who have the verb. */
function written(row: Attribute, verb: 'create' | 'update'): string {
  const may = verb === 'create' ? row.post !== 'refused' : row.put;
  if (!may) return '–';
  const rule = row.rights?.[verb];
  const must = verb === 'create' && row.post === 'required' ? 'required' : 'yes';
  if (rule === undefined) return must;
  return `${must}: ${people(rule)}${row.rights?.values === undefined ? '' : ' (some values)'}`;
}

function line([name, row]: readonly [string, Attribute]): string {
  const readers = row.rights?.read === undefined ? '' : ` Shown to ${people(row.rights.read)}.`;
  const fallback =
    row.post === 'allowed' && row.fallback !== undefined ? code(JSON.stringify(row.fallback)) : '';
  const found = [row.filter === undefined ? '' : 'filter', row.sort === true ? 'sort' : ''];
  const cells = [
    code(name),
    plain(shownSchema(row)),
    written(row, 'create'),
    written(row, 'update'),
    fallback,
    found.filter((word) => word !== '').join(', '),
    `${row.about ?? ''}${row.hidden === true ? ' Not shown.' : ''}${readers}`,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

const by = (verb: string, rule: AccessRule): readonly string[] =>
  rule.length === 0 ? [] : [`${verb} by: ${people(rule)}.`];

function chapter({ path, subject }: Chapter): string {
  const { collection, table, verbs } = subject;
  return [
    `## ${collection.replaceAll('_', ' ')}`,
    '',
    [
      `${code(path)}.`,
      ...(canBeMade(table) ? by('Made', verbs.create) : []),
      ...by('Seen', verbs.read),
      ...(canBeChanged(table) ? by('Changed', verbs.update) : []),
      ...by('Removed', verbs.delete),
    ].join(' '),
    '',
    '| attribute | type | at creation | in updates | default | in lists | |',
    '|---|---|---|---|---|---|---|',
    ...Object.entries(table).map(line),
  ].join('\n');
}

export const attributesPage = (chapters: readonly Chapter[]): string =>
  `${[
    '# Attributes of the API',
    'Generated from the attribute tables, as is `/openapi.json`, which every server serves and which says more: parameters, ' +
      'bodies, answers and refusals. `PORTCULLIS_UPDATE_DOCS=1 npx vitest run --project unit src/api/openapi` writes it anew.',
    '`admin` and `service` are roles. `manager`, `member` and `reader` are those roles in the project that owns the thing, each with ' +
      'what the next may do. With `parent-` before them they are roles in the project that owns what the thing is part of: the network ' +
      'of a port, the group of a rule. `shared`: the thing, or what it is part of, is shared with the project that asks; ' +
      '`sharing-member`: a member of such a project; `external`: it is an external network to that project; `anybody`: has a role ' +
      'somewhere. `tenant_id` is `project_id` by its old name and stands beside it everywhere.',
    ...chapters.map(chapter),
  ].join('\n\n')}\n`;
