import { expect, it } from 'vitest';
import { text, uuid } from './checks.ts';
import { notNullSchema, orNullSchema, type Schema, schemaOf, stringSchema, uuidSchema } from './schema.ts';

const either: Schema = { anyOf: [uuidSchema, { type: 'integer', minimum: 1 }] };

it.each<[string, Schema, Schema]>([
  ['one type', stringSchema, { type: ['string', 'null'] }],
  ['several types', { type: ['string', 'integer'] }, { type: ['string', 'integer', 'null'] }],
  ['values', { type: 'string', enum: ['a'] }, { type: ['string', 'null'], enum: ['a', null] }],
  ['choices', either, { anyOf: [uuidSchema, { type: 'integer', minimum: 1 }, { type: 'null' }] }],
])('null comes to %s and goes again', (_, without, with_) => {
  expect(orNullSchema(without)).toEqual(with_);
  expect(orNullSchema(with_)).toEqual(with_);
  expect(notNullSchema(with_)).toEqual(without);
  expect(notNullSchema(without)).toEqual(without);
});

it('checks tell what they take', () => {
  expect(schemaOf(uuid)).toEqual(uuidSchema);
  expect(schemaOf(text(7))).toEqual({ type: 'string', maxLength: 7 });
  expect(schemaOf(() => null)).toBeNull();
  expect(schemaOf(undefined)).toBeNull();
});
