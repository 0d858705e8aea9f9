/**
 * The JSON Schema of an attribute's values: from its row, or else from its checks, or else from its kind of filter. Must not
 * know the resource.
 */
import { Fault } from '../base/errors.ts';
import type { Attribute, FilterKind } from './attribute.ts';
import {
  arrayOf,
  booleanSchema,
  integerSchema,
  ipSchema,
  macSchema,
  notNullSchema,
  objectOf,
  orNullSchema,
  type Schema,
  schemaOf,
  stringSchema,
  uuidSchema,
} from './schema.ts';

const byFilter: Readonly<Partial<Record<FilterKind, Schema>>> = {
  text: stringSchema,
  boolean: booleanSchema,
  integer: integerSchema,
  list: arrayOf(stringSchema),
  tags: arrayOf(stringSchema),
  'fixed-ips': arrayOf(objectOf({ subnet_id: uuidSchema, ip_address: ipSchema })),
  'address-pairs': arrayOf(
    objectOf({ ip_address: { type: 'string', format: 'ip-or-cidr' }, mac_address: macSchema }),
  ),
};

/** The schema in answers. Empty, which means any value, when the row says nothing. */
export function shownSchema({ type, validate, convert, filter }: Attribute): Schema {
  const guessed = filter === undefined ? undefined : byFilter[filter];
  return type ?? schemaOf(validate) ?? schemaOf(convert) ?? guessed ?? {};
}

/** Whether the checks accept null. */
function takesNull({ convert, validate }: Attribute): boolean {
  try {
    const value = convert === undefined ? null : convert(null);
    return (validate?.(value) ?? null) === null;
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}

/** The schema in requests. */
export function sentSchema(attribute: Attribute): Schema {
  const schema = attribute.sent ?? shownSchema(attribute);
  if (Object.keys(schema).length === 0) return schema;
  return takesNull(attribute) ? orNullSchema(schema) : notNullSchema(schema);
}
