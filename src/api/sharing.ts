/**
 * What the view knows of sharing: the policies of an object, whether readers see it as shared, and who relies on
 * being let in. The rule itself is the model's.
 */
import type { RbacPolicyRecord } from '../model/records.ts';
import { isSharedWith } from '../model/sharing.ts';
import { unauthenticatedCaller } from './caller.ts';
import type { Change } from './change.ts';
import type { State } from './state.ts';

export const policiesOf = (state: State, object: string): readonly RbacPolicyRecord[] =>
  [...state.rbacPolicies.by('object', object)].map((row) => row.record);

/** `shared` as readers see it: whether a policy lets the reader's project in. All readers are of one project yet. */
export const shownShared = (state: State, object: string): boolean =>
  isSharedWith(unauthenticatedCaller.project, policiesOf(state, object));

/** The policies of an object that goes, go too. The object's being unchanged is already a condition. */
export function removePolicies(change: Change, state: State, object: string): void {
  for (const row of state.rbacPolicies.by('object', object)) change.remove(row.key);
}
