/**
 * Finds superfluous rules: other rules of the same group, direction and family together admit all that they admit.
 * The proof reads rules only; it claims nothing that depends on other facts, such as who is in a group. All the rules
 * that it names may be deleted at once.
 */
import { type Cidr, cidr, contains, type Family } from '../net/cidr.ts';
import type { AddressGroup, AddressGroupId, L4Match, Remote, Rule, RuleId } from './world.ts';

type AddressGroups = ReadonlyMap<AddressGroupId, AddressGroup>;
type Ports = Extract<L4Match, { readonly kind: 'ports' }>;

/** The prefixes of a remote; null when the rules alone do not say them. */
function prefixesOf(remote: Remote, family: Family, groups: AddressGroups) {
  if (remote.kind === 'prefix') return [remote.prefix];
  if (remote.kind !== 'addresses') return null;
  const addresses = groups.get(remote.group)?.addresses ?? [];
  return addresses.filter((address) => address.family === family);
}

/** Whether every peer of `inner` is one of `outer`. */
function remoteCovers(outer: Remote, inner: Remote, family: Family, groups: AddressGroups): boolean {
  if (outer.kind === 'any') return true;
  if ('group' in outer && 'group' in inner && outer.kind === inner.kind && outer.group === inner.group)
    return true;
  const wide = prefixesOf(outer, family, groups);
  const narrow = prefixesOf(inner, family, groups);
  // A group that is empty now may be filled later, so an empty group makes no rule superfluous.
  if (wide === null || narrow === null || narrow.length === 0) return false;
  return narrow.every((prefix) => wide.some((one) => contains(one, prefix)));
}

/** Whether one L4 match includes another. Ports never make up a whole protocol, because fragments show no ports. */
function l4MatchCovers(outer: L4Match, inner: L4Match): boolean {
  if (outer.kind === 'any') return true;
  if (inner.kind === 'any' || outer.protocol !== inner.protocol) return false;
  if (outer.kind === 'protocol') return true;
  if (outer.kind === 'icmp' && inner.kind === 'icmp')
    return outer.type === inner.type && (outer.code === null || outer.code === inner.code);
  return outer.kind === 'ports' && inner.kind === 'ports' && outer.min <= inner.min && outer.max >= inner.max;
}

/** Few of `rules` that together include a range of ports; null when they leave a gap. */
function rangesOver({ protocol, min, max }: Ports, rules: readonly Rule[]): Rule[] | null {
  const ranges = rules.flatMap((rule) =>
    rule.l4.kind === 'ports' && rule.l4.protocol === protocol
      ? [{ rule, min: rule.l4.min, max: rule.l4.max }]
      : [],
  );
  const chosen: Rule[] = [];
  for (let next = min; next <= max; ) {
    let best: (typeof ranges)[number] | undefined;
    for (const range of ranges)
      if (range.min <= next && range.max >= next && range.max > (best?.max ?? -1)) best = range;
    if (best === undefined) return null;
    chosen.push(best.rule);
    next = best.max + 1;
  }
  return chosen;
}

/** Indexes the rules of one side by their remotes, so that thousands need no comparison of all pairs. */
class ByRemote {
  readonly #rules = new Map<string, Set<Rule>>();
  readonly #lengths = new Set<number>();

  constructor(rules: readonly Rule[]) {
    for (const rule of rules) this.add(rule);
  }

  add(rule: Rule): void {
    const key = this.#keyOf(rule.remote);
    if (rule.remote.kind === 'prefix') this.#lengths.add(rule.remote.prefix.length);
    const rules = this.#rules.get(key);
    if (rules === undefined) this.#rules.set(key, new Set([rule]));
    else rules.add(rule);
  }

  remove(rule: Rule): void {
    this.#rules.get(this.#keyOf(rule.remote))?.delete(rule);
  }

  #keyOf(remote: Remote): string {
    if (remote.kind === 'prefix') return keyOfPrefix(remote.prefix);
    return remote.kind === 'group' ? `group ${remote.group}` : remote.kind;
  }

  /** The rules whose remotes may include a rule's remote; the rule itself is among them. */
  *near({ remote }: Rule): Generator<Rule> {
    yield* this.#of('any');
    if (remote.kind === 'group') yield* this.#of(`group ${remote.group}`);
    if (remote.kind === 'prefix' || remote.kind === 'addresses') yield* this.#of('addresses');
    for (const length of this.#lengths) {
      if (remote.kind === 'prefix' && length <= remote.prefix.length)
        yield* this.#of(keyOfPrefix(cidr(remote.prefix.family, remote.prefix.bits, length)));
    }
    if (remote.kind === 'addresses')
      for (const [key, rules] of this.#rules) if (key.startsWith('prefix')) yield* rules;
  }

  #of(key: string): Iterable<Rule> {
    return this.#rules.get(key) ?? [];
  }
}

const keyOfPrefix = ({ bits, length }: Cidr): string => `prefix ${bits.toString(36)}/${length}`;

/** Other rules that together admit all that `rule` admits; null when that is not proven. */
function coverOf(rule: Rule, all: ByRemote, groups: AddressGroups): readonly Rule[] | null {
  const { l4, remote, family } = rule;
  const able = [...all.near(rule)].filter(
    (other) => other !== rule && remoteCovers(other.remote, remote, family, groups),
  );
  const alone = able.find((other) => l4MatchCovers(other.l4, l4));
  if (alone !== undefined) return [alone];
  return l4.kind === 'ports' ? rangesOver(l4, able) : null;
}

const sideOf = ({ group, direction, family }: Rule): string => `${group}|${direction}|${family}`;

/** `rules` of one side in their order. Later rules go first, so of two equal rules the earlier one stays. */
function shadowedOn(rules: readonly Rule[], groups: AddressGroups): Map<RuleId, readonly RuleId[]> {
  const kept = new ByRemote(rules);
  const gone: Rule[] = [];
  for (const rule of rules.toReversed()) {
    if (coverOf(rule, kept, groups) === null) continue;
    kept.remove(rule);
    gone.push(rule);
  }
  // Covering is transitive: what covered a superfluous rule is itself covered by the rules that stay.
  return new Map(gone.map((rule) => [rule.id, (coverOf(rule, kept, groups) ?? []).map(({ id }) => id)]));
}

/** The shadowed rules, each with the rules that admit all of it. `rules` are in the order of their creation. */
export function shadowedRules(
  rules: Iterable<Rule>,
  groups: AddressGroups,
): ReadonlyMap<RuleId, readonly RuleId[]> {
  const sides = new Map<string, Rule[]>();
  for (const rule of rules) {
    const side = sides.get(sideOf(rule));
    if (side === undefined) sides.set(sideOf(rule), [rule]);
    else side.push(rule);
  }
  const shadowed = new Map<RuleId, readonly RuleId[]>();
  for (const side of sides.values()) {
    for (const [rule, by] of shadowedOn(side, groups)) shadowed.set(rule, by);
  }
  return shadowed;
}
