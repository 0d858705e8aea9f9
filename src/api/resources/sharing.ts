/**
 * What the view knows of sharing: the policies of an object, whether readers see it as shared, and who relies on
 * being let in. The rule itself is the model's.
 */
import type { RbacPolicyRecord } from '../../model/records.ts';
import { admits } from '../../model/sharing.ts';
import type { Owned } from '../../model/standard-attributes.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';

export const policiesOf = (state: State, object: string): readonly RbacPolicyRecord[] =>
  [...state.rbacPolicies.by('object', object)].map((row) => row.record);

/**
 * Whether the object is open to a project by its own attribute or by a policy, and so what the project's members see as
 * `shared`.
 */
export function isOpenTo(state: State, object: Owned, project: string): boolean {
  if ('shared' in object && object.shared === true) return true;
  for (const { record } of state.rbacPolicies.by('object', object.id))
    if (admits(record, project)) return true;
  return false;
}

/** The policies of an object that goes, go too. The object's being unchanged is already a condition. */
export function removePolicies(change: Change, state: State, object: string): void {
  for (const row of state.rbacPolicies.by('object', object)) change.remove(row.key);
}
