/** The vocabulary of access rules; `policy.ts` evaluates them. */

/**
 * How a caller may stand to a target. `manager`, `member` and `reader` are roles in the target's own project.
 * `parent-…` are roles in the project of the target's parent (a port's network, a rule's group). `shared`:
 * the target or its parent is shared with the caller's project. `sharing-member`: a role in such a project.
 * `external`: the target is an external network that the caller sees. `anybody` has a role in some project.
 */
export type Standing =
  | 'admin'
  | 'service'
  | 'anybody'
  | 'manager'
  | 'member'
  | 'reader'
  | 'parent-manager'
  | 'parent-member'
  | 'parent-reader'
  | 'shared'
  | 'sharing-member'
  | 'external';

/** Any one of them will do. */
export type AccessRule = readonly Standing[];
