import { describe, expect, it } from 'vitest';
import type { RbacPolicyRecord } from './records.ts';
import { isSharedWith, isVisibleTo, shutOut } from './sharing.ts';

const to = (target: string, action: RbacPolicyRecord['action'] = 'access_as_shared'): RbacPolicyRecord => ({
  id: target,
  project_id: 'owner',
  object_type: 'security_group',
  object_id: 'object',
  action,
  target_tenant: target,
});

describe('sharing', () => {
  it('is with the projects that a policy names, or with all', () => {
    expect(isSharedWith('p', [])).toBe(false);
    expect(isSharedWith('p', [to('q')])).toBe(false);
    expect(isSharedWith('p', [to('q'), to('p')])).toBe(true);
    expect(isSharedWith('p', [to('*')])).toBe(true);
    expect(isSharedWith('p', [to('*', 'access_as_external')])).toBe(false);
  });

  it('lets owners, administrators and those it names see', () => {
    const object = { project_id: 'owner' };
    const sees = (project: string, admin: boolean, ...policies: RbacPolicyRecord[]) =>
      isVisibleTo({ project, admin }, object, policies);
    expect(sees('owner', false)).toBe(true);
    expect(sees('p', false)).toBe(false);
    expect(sees('p', true)).toBe(true);
    expect(sees('p', false, to('p'))).toBe(true);
    expect(sees('p', false, to('q'))).toBe(false);
    // A project of that name is not everybody.
    expect(sees('*', false, to('p'))).toBe(false);
  });

  it('shuts out who was in and is no more, never the owner', () => {
    expect(shutOut('owner', ['p', 'owner'], [to('p')], [])).toBe('p');
    expect(shutOut('owner', ['p'], [to('p'), to('*')], [to('*')])).toBe(null);
    expect(shutOut('owner', ['p', 'q'], [to('*')], [to('p')])).toBe('q');
    expect(shutOut('owner', ['owner'], [to('owner')], [])).toBe(null);
    // Who had come in otherwise (an administrator's doing) relies on no policy.
    expect(shutOut('owner', ['r'], [to('p')], [])).toBe(null);
  });
});
