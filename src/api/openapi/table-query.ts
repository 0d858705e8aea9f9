/** The query parameters that lists and single answers of an attribute table take. */
import type { Attribute, AttributeTable, FilterKind } from '../../model/attribute.ts';
import { sentSchema } from '../../model/attribute-schema.ts';
import {
  arrayOf,
  booleanSchema,
  enumSchema,
  integerSchema,
  notNullSchema,
  type Schema,
  stringSchema,
  timeSchema,
} from '../../model/schema.ts';
import type { QueryParameter } from './operation.ts';
import { shownNames } from './table-schemas.ts';

/** What one value of a filter looks like; a repeated one means or. */
const values: Readonly<Record<FilterKind, Schema>> = {
  text: stringSchema,
  boolean: booleanSchema,
  integer: integerSchema,
  list: stringSchema,
  'fixed-ips': { type: 'string', pattern: '^(ip_address|ip_address_substr|subnet_id)=' },
  'address-pairs': { type: 'string', pattern: '^(ip_address|mac_address)=' },
  tags: stringSchema,
};

/** Values that are converted as in requests have the schema of requests. */
const valueOf = (kind: FilterKind, row: Attribute): Schema =>
  (kind === 'text' || kind === 'integer') && row.convert !== undefined
    ? notNullSchema(sentSchema(row))
    : values[kind];

function filterOf(name: string, kind: FilterKind, row: Attribute): QueryParameter {
  const about =
    kind === 'tags'
      ? 'Those that have all of these tags (with commas between).'
      : `Those with this \`${name}\`.`;
  return { name, about, schema: arrayOf(valueOf(kind, row)) };
}

const tagFilters: readonly QueryParameter[] = [
  { name: 'tags-any', about: 'Those that have one of these tags.', schema: arrayOf(stringSchema) },
  { name: 'not-tags', about: 'Those that have not all of these tags.', schema: arrayOf(stringSchema) },
  { name: 'not-tags-any', about: 'Those that have none of these tags.', schema: arrayOf(stringSchema) },
];

export function filterParameters(table: AttributeTable): readonly QueryParameter[] {
  const filters = Object.entries(table).flatMap(([name, row]) => {
    const { filter } = row;
    if (filter === undefined) return [];
    const names = name === 'project_id' ? [name, 'tenant_id'] : [name];
    return names.map((one) => filterOf(one, filter, row));
  });
  const has = (name: string): boolean => filters.some((filter) => filter.name === name);
  return [
    ...filters,
    ...(has('tags') ? tagFilters : []),
    ...(has('updated_at')
      ? [{ name: 'changed_since', about: 'Those that changed then or later.', schema: timeSchema }]
      : []),
  ];
}

export const fieldsParameter = (table: AttributeTable): QueryParameter => ({
  name: 'fields',
  about: 'The attributes to show; all when absent.',
  schema: arrayOf(enumSchema(shownNames(table))),
});

export function listParameters(table: AttributeTable): readonly QueryParameter[] {
  const sortable = Object.entries(table).flatMap(([name, { sort }]) =>
    sort === undefined ? [] : name === 'project_id' ? [name, 'tenant_id'] : [name],
  );
  return [
    ...filterParameters(table),
    fieldsParameter(table),
    ...(sortable.length === 0
      ? []
      : [
          {
            name: 'sort_key',
            about: 'What to order by, each with a `sort_dir`.',
            schema: arrayOf(enumSchema(sortable)),
          },
          {
            name: 'sort_dir',
            about: 'The direction for each `sort_key`.',
            schema: arrayOf(enumSchema(['asc', 'desc'])),
          },
        ]),
    { name: 'limit', about: 'How many at most; 0 for all.', schema: { type: 'integer', minimum: 0 } },
    { name: 'marker', about: 'The `id` after which the page begins.', schema: stringSchema },
    {
      name: 'page_reverse',
      about: 'The page before the marker instead of that after it.',
      schema: booleanSchema,
    },
  ];
}
