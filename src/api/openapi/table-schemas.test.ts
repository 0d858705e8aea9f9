import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fault } from '../../base/errors.ts';
import type { Attribute } from '../../model/attribute.ts';
import { sentSchema, shownSchema } from '../../model/attribute-schema.ts';
import type { Schema, SchemaType } from '../../model/schema.ts';
import { openUnderTest, type UnderTest } from '../testing/api-under-test.ts';
import { formats } from '../testing/contract.ts';
import type { Chapter } from './attributes-page.ts';
import { chaptersOf } from './routes.ts';

let under: UnderTest;
let chapters: readonly Chapter[] = [];

beforeAll(async () => {
  under = await openUnderTest('memory');
  const { api } = await under.server();
  chapters = chaptersOf(api.app);
});

afterAll(() => under.close());

const byte = fc.integer({ min: 0, max: 255 });
const hexes = (bytes: readonly number[]): readonly string[] =>
  bytes.map((one) => one.toString(16).padStart(2, '0'));

const ofFormat: Readonly<Record<string, fc.Arbitrary<string>>> = {
  uuid: fc.uuid(),
  ip: fc.oneof(fc.ipV4(), fc.ipV6()),
  cidr: fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([ip, length]) => `${ip}/${length}`),
  'ip-or-cidr': fc.ipV4(),
  mac: fc.tuple(byte, byte, byte).map((bytes) => `02:00:00:${hexes(bytes).join(':')}`),
};

const texts = ({ format, pattern, maxLength = 40 }: Schema): fc.Arbitrary<string> =>
  format !== undefined
    ? (ofFormat[format] ?? fc.constant(''))
    : pattern !== undefined
      ? fc.stringMatching(new RegExp(pattern))
      : fc.string({ maxLength });

/** Values of the schema that are no lists and no objects; what those hold is the resources' own to judge. */
function scalars(schema: Schema): fc.Arbitrary<unknown> | null {
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf?.map((one) => scalars(one));
  if (choices !== undefined) {
    const known = choices.filter((one) => one !== null);
    return known.length === choices.length ? fc.oneof(...known) : null;
  }
  const { type = [], minimum: min = -1000, maximum: max = 2 ** 31 - 1 } = schema;
  const of: Partial<Record<SchemaType, fc.Arbitrary<unknown>>> = {
    null: fc.constant(null),
    boolean: fc.boolean(),
    integer: fc.integer({ min, max }),
    string: texts(schema),
  };
  const kinds = (typeof type === 'string' ? [type] : type).map((one) => of[one]);
  const known = kinds.filter((kind) => kind !== undefined);
  return known.length === 0 || known.length < kinds.length ? null : fc.oneof(...known);
}

/** The value as stored, or why the table refuses it. */
function settled(
  { convert, validate }: Attribute,
  value: unknown,
): { stored: unknown } | { refused: string } {
  try {
    const stored = convert === undefined ? value : convert(value);
    const reason = validate?.(stored) ?? null;
    return reason === null ? { stored } : { refused: reason };
  } catch (error) {
    if (error instanceof Fault) return { refused: error.message };
    throw error;
  }
}

function* rows(): Iterable<readonly [string, Attribute]> {
  for (const { subject } of chapters)
    for (const [name, row] of Object.entries(subject.table))
      if (row.post !== 'refused' || row.put) yield [`${subject.name}.${name}`, row];
}

/** Taken only where it is what the cloud does. */
const ofTheCloud = ['subnet.subnetpool_id'];

describe('what documents say of attributes', () => {
  it('is taken: every plain value of the schema', () => {
    let seen = 0;
    const wrong: string[] = [];
    for (const [name, row] of rows()) {
      const values = scalars(sentSchema(row));
      if (values === null || ofTheCloud.includes(name)) continue;
      seen += 1;
      for (const value of fc.sample(values, 50)) {
        const outcome = settled(row, value);
        if ('refused' in outcome) wrong.push(`${name}: ${JSON.stringify(value)}: ${outcome.refused}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(seen).toBeGreaterThan(50);
  });

  it('is all that is taken, where the schema is told by the checks', () => {
    const ajv = new Ajv2020({ strict: false, formats });
    let seen = 0;
    for (const [name, row] of rows()) {
      if (row.type !== undefined || row.sent !== undefined) continue;
      const schema = shownSchema(row);
      const validate = ajv.compile(schema);
      seen += 1;
      fc.assert(
        fc.property(fc.oneof(fc.jsonValue(), scalars(schema) ?? fc.constant(null)), (value) => {
          const outcome = settled(row, value);
          const shown = 'refused' in outcome || validate(outcome.stored);
          expect({ name, value, outcome, shown }).toMatchObject({ shown: true });
        }),
        { numRuns: 100 },
      );
    }
    expect(seen).toBeGreaterThan(50);
  });
});
