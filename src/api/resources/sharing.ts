/**
 * The sharing of objects by their RBAC policies, as the view has them. `model/sharing.ts` has the rule itself.
 */
import { keys } from '../../model/keys.ts';
import { newRbacPolicy, type SharedType } from '../../model/rbac-policy.ts';
import type { RbacPolicyRecord } from '../../model/records.ts';
import { grantsAccessTo } from '../../model/sharing.ts';
import type { Owned } from '../../model/standard-attributes.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';

export const policiesOf = (state: State, object: string): readonly RbacPolicyRecord[] =>
  [...state.rbacPolicies.by('object', object)].map((row) => row.record);

/**
 * Whether the object is open to a project by its own attribute or by a policy. The project's members see this as `shared`.
 */
export function isOpenTo(state: State, object: Owned, project: string): boolean {
  if ('shared' in object && object.shared === true) return true;
  for (const { record } of state.rbacPolicies.by('object', object.id))
    if (grantsAccessTo(record, project)) return true;
  return false;
}

/** Whether one of an object's policies lets every project in. */
export const isForAll = (policies: Iterable<RbacPolicyRecord>): boolean =>
  [...policies].some(({ action, target_tenant: target }) => action === 'access_as_shared' && target === '*');

/**
 * Adds the policy that an object's own `shared` means. The change writes the object too, so two requests cannot both add
 * it.
 */
export function shareWithAll(
  change: Change,
  { view, newId }: { readonly view: { readonly state: State }; readonly newId: () => string },
  type: SharedType,
  object: Owned,
): void {
  if (isForAll(policiesOf(view.state, object.id))) return;
  const policy = newRbacPolicy(newId(), object.project_id, {
    object_type: type,
    object_id: object.id,
    target_tenant: '*',
    action: 'access_as_shared',
  });
  change.put(keys.rbacPolicy(policy.id), policy);
}

/** The object with its own `shared` changed where the policies after the change say otherwise. */
export function sharedAs<R extends Owned>(
  object: R,
  before: Iterable<RbacPolicyRecord>,
  after: Iterable<RbacPolicyRecord>,
): R {
  const open = isForAll(after);
  return 'shared' in object && open !== isForAll(before) ? { ...object, shared: open } : object;
}

/** Removes the policies of a deleted object. That the object is unchanged is already a condition. */
export function removePolicies(change: Change, state: State, object: string): void {
  for (const row of state.rbacPolicies.by('object', object)) change.remove(row.key);
}
