/**
 * Who asks. Without authentication every request comes from an administrator of one fixed project; a token check
 * would make other callers, and nothing below this file would change.
 */
export interface Caller {
  readonly project: string;
  readonly admin: boolean;
}

/** The project that owns what unauthenticated requests create, unless they name another. */
export const defaultProject = '00000000000000000000000000000001';

export const unauthenticatedCaller: Caller = { project: defaultProject, admin: true };
