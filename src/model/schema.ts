/**
 * JSON Schema (2020-12) as far as attribute tables need it. Checks and converters carry the schema of the values that they
 * accept, so that documents follow from the functions that validate. Knows no HTTP and validates nothing itself.
 */

export type SchemaType = 'string' | 'integer' | 'number' | 'boolean' | 'object' | 'array' | 'null';

export interface Schema {
  readonly $ref?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type?: SchemaType | readonly SchemaType[];
  /** Beside the usual ones: `ip`, `cidr`, `ip-or-cidr`, `mac`. */
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly minProperties?: number;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
}

/** A check or converter with the schema of the values that it accepts. */
export interface WithSchema {
  readonly schema: Schema;
}

/** Gives a fresh function its schema. */
export function withSchema<F extends (value: unknown) => unknown>(schema: Schema, judge: F): F & WithSchema {
  return Object.assign(judge, { schema });
}

/** The function's schema; null when it has none. */
export const schemaOf = (judge: ((value: unknown) => unknown) | undefined): Schema | null =>
  judge !== undefined && 'schema' in judge ? (judge as WithSchema).schema : null;

export const booleanSchema: Schema = { type: 'boolean' };
export const integerSchema: Schema = { type: 'integer' };
export const stringSchema: Schema = { type: 'string' };
export const uuidSchema: Schema = { type: 'string', format: 'uuid' };
export const timeSchema: Schema = { type: 'string', format: 'date-time' };
export const ipSchema: Schema = { type: 'string', format: 'ip' };
export const cidrSchema: Schema = { type: 'string', format: 'cidr' };
export const macSchema: Schema = { type: 'string', format: 'mac' };

export const enumSchema = (values: readonly unknown[]): Schema => ({
  type: typeof values[0] === 'number' ? 'integer' : 'string',
  enum: values,
});

export const arrayOf = (items: Schema): Schema => ({ type: 'array', items });

/** An object that has just these keys; `optional` ones may be absent. */
export function objectOf(
  properties: Readonly<Record<string, Schema>>,
  optional: readonly string[] = [],
): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return {
    type: 'object',
    properties,
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

const typesOf = ({ type }: Schema): readonly SchemaType[] =>
  type === undefined ? [] : typeof type === 'string' ? [type] : type;

/** Whether it takes anything but null. */
const isMore = (schema: Schema): boolean => schema.type !== 'null';

/** The schema with null beside what it takes. */
export function orNullSchema(schema: Schema): Schema {
  const types = typesOf(schema);
  if (types.includes('null')) return schema;
  if (schema.anyOf !== undefined && types.length === 0)
    return { ...schema, anyOf: [...schema.anyOf.filter(isMore), { type: 'null' }] };
  if (types.length === 0) return { anyOf: [schema, { type: 'null' }] };
  const values = schema.enum === undefined ? {} : { enum: [...schema.enum, null] };
  return { ...schema, type: [...types, 'null'], ...values };
}

/** The schema without null. */
export function notNullSchema(schema: Schema): Schema {
  if (schema.anyOf !== undefined && schema.type === undefined)
    return { ...schema, anyOf: schema.anyOf.filter(isMore) };
  const types = typesOf(schema).filter((type) => type !== 'null');
  const [only] = types;
  if (only === undefined || types.length === typesOf(schema).length) return schema;
  const values = schema.enum === undefined ? {} : { enum: schema.enum.filter((value) => value !== null) };
  return { ...schema, type: types.length === 1 ? only : types, ...values };
}
