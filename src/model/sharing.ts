/**
 * Who may see and use objects of other projects. Lists, references of ports and rules, and the removal of policies all use
 * this one rule.
 */
import type { RbacPolicyRecord } from './records.ts';

/** Whether a policy lets the project in; the object's owner does not matter. */
export const grantsAccessTo = (policy: RbacPolicyRecord, project: string): boolean =>
  policy.action === 'access_as_shared' && (policy.target_tenant === '*' || policy.target_tenant === project);

/** Whether the object is shared with the project by one of the object's policies. */
export function isSharedWith(project: string, policies: Iterable<RbacPolicyRecord>): boolean {
  for (const policy of policies) if (grantsAccessTo(policy, project)) return true;
  return false;
}

/** Whether the caller sees the object and may refer to it; `policies` are those of the object. */
export const isVisibleTo = (
  caller: { readonly project: string; readonly admin: boolean },
  object: { readonly project_id: string },
  policies: Iterable<RbacPolicyRecord>,
): boolean => caller.admin || caller.project === object.project_id || isSharedWith(caller.project, policies);

/** The first user that sees the object by `before` but no more by `after`; null when nobody is shut out. */
export function shutOut(
  owner: string,
  users: Iterable<string>,
  before: Iterable<RbacPolicyRecord>,
  after: Iterable<RbacPolicyRecord>,
): string | null {
  const held = [...before];
  const kept = [...after];
  for (const user of new Set(users)) {
    if (user !== owner && isSharedWith(user, held) && !isSharedWith(user, kept)) return user;
  }
  return null;
}
