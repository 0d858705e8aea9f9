/**
 * The check of a store: walks a snapshot and lists every contradiction in it. The rules stand here, apart from the code that
 * keeps them.
 */

import { isObject } from '../checks.ts';
import { allKinds } from '../keys.ts';
import { groupInvariants } from './groups.ts';
import type { Invariant, RequiredMark, Violation } from './invariant.ts';
import { networkInvariants } from './networks.ts';
import { poolInvariants } from './pools.ts';
import { portInvariants } from './ports.ts';
import { routerInvariants } from './routers.ts';
import { sharingInvariants } from './sharing.ts';
import { SortedSnapshot, type StoredEntry } from './snapshot.ts';
import { commonProblems } from './stamps.ts';

const invariants: readonly Invariant[] = [
  ...networkInvariants,
  ...poolInvariants,
  ...portInvariants,
  ...groupInvariants,
  ...sharingInvariants,
  ...routerInvariants,
];

function* recordViolations(snapshot: SortedSnapshot): Iterable<Violation> {
  for (const kind of allKinds) {
    if (kind.holds !== 'record') continue;
    for (const { key, parts, record } of snapshot.all(kind))
      if (isObject(record)) for (const problem of commonProblems(record, parts['id'])) yield { key, problem };
  }
  for (const invariant of invariants) yield* invariant.violations(snapshot);
}

/** Each mark has a record that requires it, and each record its marks. Two records cannot require the same mark. */
function* markViolations(snapshot: SortedSnapshot): Iterable<Violation> {
  const required = new Map<string, RequiredMark>();
  for (const invariant of invariants) {
    for (const mark of invariant.marks(snapshot)) {
      const other = required.get(mark.key);
      if (other !== undefined)
        yield { key: mark.key, problem: `${other.by} and ${mark.by} both lay claim to it` };
      required.set(mark.key, mark);
    }
  }
  for (const kind of allKinds) {
    if (kind.holds !== 'mark') continue;
    for (const { key, record: value } of snapshot.all(kind)) {
      const mark = required.get(key);
      required.delete(key);
      if (mark === undefined) yield { key, problem: 'nothing asks for it' };
      else if (mark.value !== value)
        yield { key, problem: `it says '${String(value)}' and ${mark.by} '${mark.value}'` };
    }
  }
  for (const { key, by } of required.values()) yield { key, problem: `it is missing: ${by} asks for it` };
}

/** Empty for a store that is whole. `entries` are all of one snapshot. */
export function violationsOf(entries: Iterable<StoredEntry>): readonly Violation[] {
  const snapshot = new SortedSnapshot(entries);
  return [...snapshot.strange, ...recordViolations(snapshot), ...markViolations(snapshot)];
}
