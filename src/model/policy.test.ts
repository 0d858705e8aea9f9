import { describe, expect, it } from 'vitest';
import { type AccessTarget, allows, disallowed, type Persona } from './policy.ts';

const nobody: Persona = {
  project: 'p',
  admin: false,
  service: false,
  manager: false,
  member: false,
  reader: false,
};
const reader: Persona = { ...nobody, reader: true };
const member: Persona = { ...reader, member: true };
const admin: Persona = { ...member, manager: true, admin: true };
const target = (more: Partial<AccessTarget> = {}): AccessTarget => ({
  project: 'other',
  parent: null,
  shared: false,
  external: false,
  ...more,
});

describe('a rule', () => {
  it.each([
    ['member', member, target({ project: 'p' }), true],
    ['member', reader, target({ project: 'p' }), false],
    ['member', member, target(), false],
    ['reader', reader, target({ project: 'p' }), true],
    ['reader', nobody, target({ project: 'p' }), false],
    ['parent-member', member, target({ parent: 'p' }), true],
    ['parent-member', member, target({ project: 'p', parent: 'q' }), false],
    ['parent-reader', reader, target({ parent: 'p' }), true],
    ['parent-reader', member, target(), false],
    ['shared', nobody, target({ shared: true }), true],
    ['shared', member, target(), false],
    ['admin', member, target({ project: 'p' }), false],
    ['admin', admin, target(), true],
    ['service', admin, target(), false],
    ['service', { ...nobody, service: true }, target(), true],
  ] as const)('that wants %s is kept', (standing, persona, of, kept) => {
    expect(allows([standing], persona, of)).toBe(kept);
  });

  it('that names nobody is satisfied by nobody, one of many is enough', () => {
    expect(allows([], admin, target())).toBe(false);
    expect(allows(['service', 'reader', 'admin'], admin, target())).toBe(true);
  });
});

describe('a request', () => {
  const onlyAdmins = { create: ['admin'], update: ['admin'] } as const;
  const plain = { post: 'allowed', put: true } as const;
  const resource = {
    name: 'thing',
    verbs: { create: ['member'], read: ['reader'], update: ['member'], delete: [] },
    table: {
      free: plain,
      shared: { ...plain, fallback: false, rights: onlyAdmins },
      rate: { ...plain, rights: { ...onlyAdmins, values: (value: unknown) => Number(value) > 5 } },
      parts: {
        ...plain,
        rights: {
          create: ['member'],
          update: ['member'],
          items: { a: onlyAdmins, b: { create: ['member'], update: ['member'] } },
        },
      },
    },
  } as const;
  const own = target({ project: 'p' });
  const asked = (draft: Record<string, unknown>, persona = member, verb: 'create' | 'update' = 'create') =>
    disallowed(resource, verb, persona, own, draft);

  it('is allowed when all rules that it falls under are kept', () => {
    expect(asked({})).toBeNull();
    expect(asked({ free: 1, shared: false, rate: 5 })).toBeNull();
    expect(asked({ parts: [{ b: 1 }] })).toBeNull();
    expect(asked({ shared: true, rate: 6, parts: [{ a: 1 }] }, { ...admin, project: 'p' })).toBeNull();
    // Of what nobody knows there is no rule: the table refuses it.
    expect(asked({ toString: 1 })).toBeNull();
  });

  it('is refused with their names otherwise', () => {
    expect(asked({}, reader)).toBe('rule:create_thing');
    expect(asked({ shared: true })).toBe('(rule:create_thing and rule:create_thing:shared)');
    expect(asked({ rate: 6 }, member, 'update')).toBe('(rule:update_thing and rule:update_thing:rate)');
    expect(asked({ parts: [{ b: 1 }, { a: 1 }], rate: 9 })).toBe(
      '((rule:create_thing and (rule:create_thing:parts and (rule:create_thing:parts:a and ' +
        'rule:create_thing:parts:b))) and rule:create_thing:rate)',
    );
    expect(disallowed(resource, 'delete', admin, own)).toBe('rule:delete_thing');
    expect(disallowed(resource, 'read', nobody, own)).toBe('rule:get_thing');
  });

  it('that changes a value to what new ones have is a change all the same', () => {
    expect(asked({ shared: false }, member, 'update')).toContain('update_thing:shared');
  });
});
