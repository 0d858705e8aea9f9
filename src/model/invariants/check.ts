/**
 * Whether a store is whole: walks a snapshot and lists everything in it that contradicts the rest. What requests must
 * keep true stands here apart from the code that keeps it.
 */

import {
  addressGroupInvariant,
  defaultGroupRuleInvariant,
  defaultStatefulnessInvariant,
  groupInvariant,
  ruleInvariant,
} from './groups.ts';
import type { AnyInvariant, Invariant } from './invariant.ts';
import { Image, type Kind, type StoredEntry } from './kind.ts';
import { allKinds, derivedMarks } from './kinds.ts';
import { networkInvariant, subnetInvariant } from './networks.ts';
import { pooledSubnetInvariant, subnetPoolInvariant } from './pools.ts';
import { bindingInvariant, linkLocalInvariant, portInvariant } from './ports.ts';
import { routerInvariant } from './routers.ts';
import { qosPolicyInvariant, quotaInvariant, quotaUseInvariant, rbacPolicyInvariant } from './sharing.ts';
import { commonProblems } from './stamps.ts';

export interface Violation {
  readonly key: string;
  /** What is wrong, as a sentence about what lies at the key. */
  readonly problem: string;
}

const erased = <R>(invariant: Invariant<R>): AnyInvariant => invariant as unknown as AnyInvariant;

const invariants: readonly AnyInvariant[] = [
  erased(networkInvariant),
  erased(subnetInvariant),
  erased(pooledSubnetInvariant),
  erased(subnetPoolInvariant),
  erased(portInvariant),
  erased(bindingInvariant),
  erased(linkLocalInvariant),
  erased(groupInvariant),
  erased(ruleInvariant),
  erased(addressGroupInvariant),
  erased(defaultGroupRuleInvariant),
  erased(defaultStatefulnessInvariant),
  erased(rbacPolicyInvariant),
  erased(qosPolicyInvariant),
  erased(routerInvariant),
  erased(quotaInvariant),
  erased(quotaUseInvariant),
];

function* recordViolations(image: Image): Iterable<Violation> {
  for (const kind of allKinds) {
    if (kind.is === 'mark') continue;
    for (const { key, parts, record } of image.all(kind as Kind<Readonly<Record<string, unknown>>>))
      for (const problem of commonProblems(record, parts['id'])) yield { key, problem };
  }
  for (const { kind, problems, together } of invariants) {
    const all = image.all(kind);
    for (const found of all)
      for (const problem of problems?.(found, image) ?? []) yield { key: found.key, problem };
    for (const [key, problem] of together?.(all, image) ?? []) yield { key, problem };
  }
}

/** Every mark has a record that wants it, and every record its marks; two cannot have the same one. */
function* markViolations(image: Image): Iterable<Violation> {
  const wanted = new Map<string, { readonly value: string; readonly by: string }>();
  for (const { kind, marks } of invariants) {
    for (const { key: by, record } of image.all(kind)) {
      for (const [key, value] of marks?.(record) ?? []) {
        const other = wanted.get(key);
        if (other !== undefined) yield { key, problem: `${other.by} and ${by} both lay claim to it` };
        wanted.set(key, { value, by });
      }
    }
  }
  for (const kind of derivedMarks) {
    for (const { key, record: value } of image.all(kind)) {
      const mark = wanted.get(key);
      wanted.delete(key);
      if (mark === undefined) yield { key, problem: 'nothing asks for it' };
      else if (mark.value !== value)
        yield { key, problem: `it says '${value}' and ${mark.by} '${mark.value}'` };
    }
  }
  for (const [key, { by }] of wanted) yield { key, problem: `it is missing: ${by} asks for it` };
}

/** Empty for a store that is whole. `entries` are all of one snapshot. */
export function violationsOf(entries: Iterable<StoredEntry>): readonly Violation[] {
  const image = new Image(allKinds, entries);
  return [...image.strange, ...recordViolations(image), ...markViolations(image)];
}

/** Whether keys like this one are looked at. */
export const isKnownKey = (key: string): boolean => Image.knows(allKinds, key);
