import { expect, test } from 'vitest';
import { KeyDispatch, on } from './key-dispatch.ts';
import { keys } from './keys.ts';
import { neededSchema, refuseNewerStore, schemaVersion } from './schema-version.ts';

test('a record that needs a newer schema is refused by name, not misread', () => {
  const seen: unknown[] = [];
  const dispatch = new KeyDispatch([on(keys.network, ({ record }) => seen.push(record))]);
  const value = (needs: number) => JSON.stringify({ id: 'n', needs_schema: needs });
  dispatch.take(keys.network('n'), value(schemaVersion));
  expect(seen).toHaveLength(1);
  expect(() => dispatch.take(keys.network('n'), value(schemaVersion + 1))).toThrow(
    `needs schema ${schemaVersion + 1}`,
  );
  expect(seen).toHaveLength(1);
});

test('a store is refused that needs a newer schema; one without a mark is served', () => {
  for (const mark of [null, '0', String(neededSchema), String(schemaVersion)]) refuseNewerStore(mark);
  expect(() => refuseNewerStore(String(schemaVersion + 1))).toThrow('upgrade it');
});

test('a release serves a store beside the release before it', () => {
  expect(neededSchema).toBe(schemaVersion - 1);
});
