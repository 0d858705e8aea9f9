/**
 * A caller: a project, a user, and what their roles amount to. `model/policy.ts` says what a caller may do.
 */
import type { Persona } from '../../model/policy.ts';

export interface Caller extends Persona {
  readonly user: string;
  /** The domain of the project; empty where nothing knows one. */
  readonly domain: string;
  /** In lower case. */
  readonly roles: ReadonlySet<string>;
}

/** The project that owns what unauthenticated requests create, unless they name another. */
export const defaultProject = '00000000000000000000000000000001';

/** From the highest; each has the rights of those after it. */
const ranks = ['admin', 'manager', 'member', 'reader'];

export function newCaller(of: {
  readonly project: string;
  readonly user: string;
  readonly domain?: string;
  readonly roles: readonly string[];
}): Caller {
  const roles = new Set(of.roles.map((role) => role.toLowerCase()));
  const atLeast = (rank: string): boolean =>
    ranks.slice(0, ranks.indexOf(rank) + 1).some((role) => roles.has(role));
  return {
    project: of.project,
    user: of.user,
    domain: of.domain ?? '',
    roles,
    admin: atLeast('admin'),
    service: roles.has('service'),
    manager: atLeast('manager'),
    member: atLeast('member'),
    reader: atLeast('reader'),
  };
}

/** The caller of every request without authentication: an administrator. */
export const unauthenticatedCaller: Caller = newCaller({
  project: defaultProject,
  user: '',
  roles: ['admin'],
});
