/** The vocabulary of access rules; `policy.ts` evaluates them. */

/**
 * How a caller may stand to a target. `manager`, `member` and `reader` are roles in the target's own project, `parent-…`
 * in the project of what the target hangs on (a port's network, a rule's group); `shared` means that the target, or what
 * it hangs on, is shared with the caller's project, `sharing-member` a role in such a project, `external` that it is a
 * network of the outside world to it. `anybody` has a role somewhere.
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
