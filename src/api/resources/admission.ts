/**
 * The use of another project's shared object. The policy that shares it becomes a condition of the change, so that it still
 * exists when the change succeeds. The owner needs no policy.
 */
import type { RbacPolicyRecord } from '../../model/records.ts';
import { grantsAccessTo } from '../../model/sharing.ts';
import type { Owned } from '../../model/standard-attributes.ts';
import type { Parent } from '../http/resource.ts';
import { requireSeen } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { Row } from '../state/table.ts';

/** Throws the object's `missing` fault where the caller does not see it. */
export function admit(change: Change, state: State, caller: Caller, type: Parent['type'], id: string): void {
  const row = requireSeen(state, caller, type, id);
  if (caller.admin || caller.service || row.record.project_id === caller.project) return;
  change.requireUnchanged(doorOf(state, row, caller.project) ?? row);
}

/** The policy that lets the project in; null when the object itself is open to all. */
function doorOf(state: State, { record }: Row<Owned>, project: string): Row<RbacPolicyRecord> | null {
  for (const row of state.rbacPolicies.by('object', record.id))
    if (grantsAccessTo(row.record, project)) return row;
  return null;
}
