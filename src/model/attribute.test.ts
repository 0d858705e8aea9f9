import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fault } from '../base/errors.ts';
import {
  type AttributeTable,
  type DraftOf,
  draftForCreate,
  draftForUpdate,
  type PatchOf,
} from './attribute.ts';
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

describe('drafts have the types that their table states, so these do not compile:', () => {
  type Port = DraftOf<typeof portAttributes>;
  type Subnet = DraftOf<typeof subnetAttributes>;
  const body = { network_id: '0b2eae0e-6b5f-4b1e-8f0e-0d3a9f5f3f11' };
  const port: Port = draftForCreate(portAttributes, 'port', body);
  const subnet: Pick<Subnet, 'enable_dhcp' | 'name'> = { enable_dhcp: true, name: '' };

  it('a value that the check of its attribute refuses', () => {
    // @ts-expect-error The state is a boolean.
    const state: Port = { ...port, admin_state_up: 'yes' };
    // @ts-expect-error A name is a text.
    const name: Port = { ...port, name: 5 };
    // @ts-expect-error The groups are ids, in a list.
    const groups: Port = { ...port, security_groups: 'web' };
    // @ts-expect-error Null is no answer to whether there is DHCP.
    const dhcp: typeof subnet = { ...subnet, enable_dhcp: null };
    expect([state, name, groups, dhcp]).toHaveLength(4);
  });

  it('a draft without what its creation requires or has a default for', () => {
    const { network_id, ...homeless } = port;
    // @ts-expect-error Every port has a network.
    const noNetwork: Port = homeless;
    const { admin_state_up, ...stateless } = port;
    // @ts-expect-error The default is in the draft.
    const noState: Port = stateless;
    expect([network_id, admin_state_up, noNetwork, noState]).toHaveLength(4);
  });

  it('what a client may not set', () => {
    // @ts-expect-error The server states it.
    const status = (draft: Port) => draft.status;
    // @ts-expect-error No attribute has this name.
    const unknown = (draft: Port) => draft.securityGroups;
    // @ts-expect-error A port stays on its network.
    const moved = (patch: PatchOf<typeof portAttributes>) => patch.network_id;
    expect([status(port), unknown(port), moved({})]).toEqual([undefined, undefined, undefined]);
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
