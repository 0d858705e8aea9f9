import { describe, expect, test } from 'vitest';
import { parseCidr } from '../net/cidr.ts';
import { shadowedRules } from './shadow.ts';
import type { AddressGroupId, GroupId, L4Match, Remote, Rule, RuleId } from './world.ts';

const any = { kind: 'any' } as const;
const tcp: L4Match = { kind: 'protocol', protocol: 6 };
const ports = (min: number, max = min, protocol = 6): L4Match => ({ kind: 'ports', protocol, min, max });
const icmp = (type: number, code: number | null = null): L4Match => ({
  kind: 'icmp',
  protocol: 1,
  type,
  code,
});
const from = (text: string): Remote => {
  const prefix = parseCidr(text);
  if (prefix === null) throw new Error(text);
  return { kind: 'prefix', prefix };
};
const group = (id: string): Remote => ({ kind: 'group', group: id as GroupId });
const addresses = (id: string): Remote => ({ kind: 'addresses', group: id as AddressGroupId });
const addressGroups = new Map(
  Object.entries({
    inner: ['10.1.0.0/16', '10.2.3.4', '2001:db8::/32'],
    outer: ['10.0.0.0/8', '192.0.2.0/24'],
    empty: ['2001:db8::/32'],
  }).map(([id, texts]) => [
    id as AddressGroupId,
    { id: id as AddressGroupId, addresses: texts.map(parseCidr).filter((prefix) => prefix !== null) },
  ]),
);

type Said = readonly [id: string, l4: L4Match, remote: Remote, more?: Partial<Rule>];

function shadowed(...said: readonly Said[]): Record<string, readonly string[]> {
  const rules = said.map(
    ([id, l4, remote, more]): Rule => ({
      id: id as RuleId,
      group: 'g' as GroupId,
      direction: 'ingress',
      family: 4,
      l4,
      remote,
      ...more,
    }),
  );
  return Object.fromEntries(shadowedRules(rules, addressGroups));
}

describe('a rule is shadowed', () => {
  test.each<[string, Said, Said]>([
    ['by everything', ['r', ports(22), from('10.0.0.0/8')], ['s', any, any]],
    ['by its protocol', ['r', ports(22), any], ['s', tcp, any]],
    ['by a wider range', ['r', ports(20, 30), any], ['s', ports(10, 30), any]],
    ['by its type with any code', ['r', icmp(3, 4), any], ['s', icmp(3), any]],
    ['by a wider prefix', ['r', tcp, from('10.1.0.0/16')], ['s', tcp, from('10.0.0.0/8')]],
    ['by everybody, of a group', ['r', tcp, group('x')], ['s', tcp, any]],
    ['by the same group', ['r', ports(1), group('x')], ['s', tcp, group('x')]],
    ['by an address group that holds it', ['r', tcp, from('10.1.2.0/24')], ['s', tcp, addresses('inner')]],
    ['by a prefix around its address group', ['r', tcp, addresses('inner')], ['s', tcp, from('10.0.0.0/8')]],
    ['by an address group around its own', ['r', tcp, addresses('inner')], ['s', any, addresses('outer')]],
    ['by the same address group', ['r', tcp, addresses('empty')], ['s', any, addresses('empty')]],
  ])('%s', (_, rule, other) => {
    expect(shadowed(rule, other)).toEqual({ r: ['s'] });
    expect(shadowed(other, rule)).toEqual({ r: ['s'] });
  });

  test('by ranges that together include it', () => {
    const parts: Said[] = [
      ['a', ports(10, 19), any],
      ['b', ports(15, 24), from('10.0.0.0/8')],
      ['c', ports(25, 40), any],
    ];
    expect(shadowed(['r', ports(12, 33), from('10.0.0.0/9')], ...parts)).toEqual({ r: ['a', 'b', 'c'] });
    expect(shadowed(['r', ports(12, 33), any], ...parts)).not.toHaveProperty('r');
  });

  test('as the later of two equal rules', () => {
    expect(shadowed(['a', tcp, any], ['b', tcp, any], ['c', tcp, any])).toEqual({ b: ['a'], c: ['a'] });
  });

  test('by rules that stay, when the rule that covers it is shadowed', () => {
    expect(shadowed(['a', any, any], ['b', tcp, any], ['c', ports(22), any])).toEqual({ b: ['a'], c: ['a'] });
  });
});

describe('a rule is not shadowed', () => {
  test.each<[string, Said, Said]>([
    ['by another protocol', ['r', ports(22), any], ['s', ports(22, 22, 17), any]],
    ['by all of its protocol’s ports', ['r', tcp, any], ['s', ports(0, 65535), any]],
    ['by one code of its type', ['r', icmp(3), any], ['s', icmp(3, 0), any]],
    ['by a prefix beside it', ['r', tcp, from('10.1.0.0/16')], ['s', tcp, from('10.2.0.0/16')]],
    ['by a prefix, of a group', ['r', tcp, group('x')], ['s', tcp, from('0.0.0.0/1')]],
    ['by another group', ['r', tcp, group('x')], ['s', tcp, group('y')]],
    [
      'by a prefix around half of its address group',
      ['r', tcp, addresses('inner')],
      ['s', tcp, from('10.1.0.0/16')],
    ],
    ['because its address group is empty', ['r', tcp, addresses('empty')], ['s', tcp, from('10.1.0.0/16')]],
    ['by another group’s rule', ['r', tcp, any], ['s', any, any, { group: 'h' as GroupId }]],
    ['by the other direction', ['r', tcp, any], ['s', any, any, { direction: 'egress' }]],
    ['by the other family', ['r', tcp, any], ['s', any, any, { family: 6 }]],
  ])('%s', (_, rule, other) => {
    const ids = Object.keys(shadowed(rule, other));
    expect(ids).not.toContain('r');
  });
});

test('thousands of rules of one group are compared quickly', () => {
  const many = Array.from({ length: 4000 }, (_, at): Said => {
    const remote = from(`10.${at % 200}.${Math.floor(at / 200)}.0/24`);
    return [`r${at}`, ports(1 + (at % 7)), remote];
  });
  expect(shadowed(...many)).toEqual({});
  expect(Object.keys(shadowed(...many, ['all', tcp, from('10.0.0.0/9')])).length).toBeGreaterThan(2000);
});
