/**
 * What the view knows of sharing: the policies of an object, whether readers see it as shared, and who relies on
 * being let in. The rule itself is the model's.
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
 * Whether the object is open to a project by its own attribute or by a policy, and so what the project's members see as
 * `shared`.
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
 * The policy that an object's own `shared` stands for. The object's being written in the same change keeps two requests
 * from adding it.
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

/** The object with its own `shared` as the policies that it is going to have say, where those change it. */
export function sharedAs<R extends Owned>(
  object: R,
  before: Iterable<RbacPolicyRecord>,
  after: Iterable<RbacPolicyRecord>,
): R {
  const open = isForAll(after);
  return 'shared' in object && open !== isForAll(before) ? { ...object, shared: open } : object;
}

/** The policies of an object that goes, go too. The object's being unchanged is already a condition. */
export function removePolicies(change: Change, state: State, object: string): void {
  for (const row of state.rbacPolicies.by('object', object)) change.remove(row.key);
}
