import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fault } from '../base/errors.ts';
import { type AttributeTable, draftForCreate, draftForUpdate } from './attribute.ts';
import { networkAttributes } from './network.ts';
import { portAttributes } from './port.ts';
import { pythonText } from './python-text.ts';
import { securityGroupAttributes } from './security-group.ts';
import { securityGroupRuleAttributes } from './security-group-rule.ts';
import { subnetAttributes } from './subnet.ts';

const tables: Readonly<Record<string, AttributeTable>> = {
  network: networkAttributes,
  subnet: subnetAttributes,
  port: portAttributes,
  security_group: securityGroupAttributes,
  security_group_rule: securityGroupRuleAttributes,
};

describe.each(Object.entries(tables))('the table of %s', (name, table) => {
  it('answers any JSON with a draft or a refusal, never with another error', () => {
    const attribute = fc.constantFrom(...Object.keys(table), 'tenant_id', 'bogus', '__proto__');
    fc.assert(
      fc.property(fc.dictionary(attribute, fc.jsonValue()), (body) => {
        for (const settle of [draftForCreate, draftForUpdate]) {
          try {
            settle(table, name, body);
          } catch (error) {
            if (!(error instanceof Fault)) throw error;
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('has defaults that it would accept itself', () => {
    for (const [attribute, { post, fallback, convert, validate }] of Object.entries(table)) {
      if (post !== 'allowed' || fallback === undefined) continue;
      const value = convert === undefined ? fallback : convert(fallback);
      expect({ attribute, reason: validate?.(value) ?? null }).toEqual({ attribute, reason: null });
      expect(value).toEqual(fallback);
    }
  });
});

it("texts are Python's", () => {
  expect(pythonText(['a', null, true, 5, { k: "it's" }])).toBe(`['a', None, True, 5, {'k': "it's"}]`);
});

describe('texts of up to 255 characters', () => {
  const party = '\u{1F389}';
  it.each([
    ['beyond the basic plane', party, 255],
    ['half of such a one', '\ud83c', 255],
    ['of the basic plane', 'é', 255],
  ])('count one for each %s', (_what, character, most) => {
    const name = (length: number) => () =>
      draftForCreate(networkAttributes, 'network', { name: character.repeat(length) });
    expect(name(most)()['name']).toBe(character.repeat(most));
    expect(name(most + 1)).toThrow('exceeds maximum length of 255');
    expect(name(1000)).toThrow('exceeds maximum length of 255');
  });
});
