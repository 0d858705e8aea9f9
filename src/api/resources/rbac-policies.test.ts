import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultProject } from '../identity/caller.ts';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';

let under: UnderTest;
let client: TestClient;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
});
afterEach(() => under.close());

const unknownId = '3b0a6f4e-5d1a-4a53-8f0c-0d9f3ac5a111';
/** Path, what policies call it, and the refusal when it is missing. */
const kinds = [
  ['networks', 'network', 'NetworkNotFound'],
  ['security-groups', 'security_group', 'SecurityGroupNotFound'],
  ['address-groups', 'address_group', 'AddressGroupNotFound'],
] as const;

const policy = (type: string, object: unknown, target: unknown, more: Json = {}): Json => ({
  object_type: type,
  object_id: object,
  target_tenant: target,
  action: 'access_as_shared',
  ...more,
});
const post = (attributes: Json) => client.call('POST', '/v2.0/rbac-policies', { rbac_policy: attributes });
const urlOf = (made: Json) => `/v2.0/rbac-policies/${String(made['id'])}`;
const retarget = (made: Json, target: unknown) =>
  client.call('PUT', urlOf(made), { rbac_policy: { target_tenant: target } });

describe.each(kinds)('policies that share %s', (path, type, missing) => {
  let object: Json;
  /** Makes somebody of the project rely on the object; returns how to undo that. */
  async function use(project: string): Promise<() => Promise<void>> {
    if (type === 'address_group') {
      const group = await client.make('security-groups', { name: 'g' });
      const rule = await client.make('security-group-rules', {
        security_group_id: group['id'],
        direction: 'ingress',
        remote_address_group_id: object['id'],
        project_id: project,
      });
      return () => client.remove('security-group-rules', rule['id']);
    }
    const network = type === 'network' ? object : await client.make('networks', {});
    const port = await client.make('ports', {
      network_id: network['id'],
      project_id: project,
      ...(type === 'network' ? {} : { security_groups: [object['id']] }),
    });
    return () => client.remove('ports', port['id']);
  }
  beforeEach(async () => {
    object = await client.make(path, { name: 'o', project_id: 'owner' });
  });
  const shared = async () => (await client.show(path, object['id']))['shared'];

  it('are made, listed, shown, changed and removed', async () => {
    const made = await client.make('rbac-policies', policy(type.toUpperCase(), object['id'], 'p'));
    expect(made).toEqual({
      id: made['id'],
      project_id: defaultProject,
      tenant_id: defaultProject,
      object_type: type,
      object_id: object['id'],
      action: 'access_as_shared',
      target_tenant: 'p',
    });
    expect(await client.show('rbac-policies', made['id'])).toEqual(made);
    await client.make('rbac-policies', policy(type, object['id'], 'q'));
    const ids = async (query: string) => (await client.list('rbac-policies', query)).map(({ id }) => id);
    expect(await ids(`object_type=${type}&object_id=${String(object['id'])}`)).toHaveLength(2);
    expect(await ids('target_tenant=p')).toEqual([made['id']]);
    expect(await ids('action=access_as_external')).toEqual([]);
    expect((await retarget(made, 'r')).body).toMatchObject({ rbac_policy: { target_tenant: 'r' } });
    expectRefusal(await retarget(made, 'q'), 409, 'DuplicateRbacPolicy');
    for (const attribute of ['object_id', 'object_type', 'action', 'project_id'])
      expectRefusal(
        await client.call('PUT', urlOf(made), { rbac_policy: { [attribute]: made[attribute] } }),
        400,
        'HTTPBadRequest',
      );
    await client.remove('rbac-policies', made['id']);
    expectRefusal(await client.call('GET', urlOf(made)), 404, 'RbacPolicyNotFound');
  });

  it('show in the object, which each of them revises', async () => {
    const revision = async () => (await client.show(path, object['id']))['revision_number'] as number;
    const first = await revision();
    expect(await shared()).toBe(false);
    const other = await client.make('rbac-policies', policy(type, object['id'], 'p'));
    expect(await shared()).toBe(false);
    expect(await revision()).toBe(first + 1);
    await retarget(other, defaultProject);
    expect(await shared()).toBe(true);
    expect((await client.list(path, 'shared=true')).map(({ id }) => id)).toEqual([object['id']]);
    const all = await client.make('rbac-policies', policy(type, object['id'], '*'));
    await client.remove('rbac-policies', other['id']);
    expect(await shared()).toBe(true);
    await client.remove('rbac-policies', all['id']);
    expect(await shared()).toBe(false);
    expect(await revision()).toBe(first + 5);
    expect(await client.list(path, 'shared=true')).toEqual([]);
  });

  it('are made once', async () => {
    const asked = policy(type, object['id'], 'p');
    await client.make('rbac-policies', asked);
    expect(expectRefusal(await post(asked), 409, 'DuplicateRbacPolicy')).toBe(
      'An RBAC policy already exists with those values.',
    );
    const twins = { rbac_policies: [policy(type, object['id'], 'q'), policy(type, object['id'], 'q')] };
    expectRefusal(await client.call('POST', '/v2.0/rbac-policies', twins), 409, 'DuplicateRbacPolicy');
    expect(await client.list('rbac-policies')).toHaveLength(1);
    const two = { rbac_policies: [policy(type, object['id'], 'q'), policy(type, object['id'], 'r')] };
    expect((await client.call('POST', '/v2.0/rbac-policies', two)).status).toBe(201);
  });

  it('need their object and go with it', async () => {
    expectRefusal(await post(policy(type, unknownId, 'p')), 404, missing);
    await client.make('rbac-policies', policy(type, object['id'], 'p'));
    await client.make('rbac-policies', policy(type, object['id'], '*'));
    await client.remove(path, object['id']);
    expect(await client.list('rbac-policies')).toEqual([]);
    expect((await under.content()).filter(([, value]) => value.includes(String(object['id'])))).toEqual([]);
  });

  it('stay while they alone let a user in', async () => {
    const made = await client.make('rbac-policies', policy(type, object['id'], 'p'));
    const undo = await use('p');
    await use('owner');
    const refused = expectRefusal(await client.call('DELETE', urlOf(made)), 409, 'RbacPolicyInUse');
    expect(refused).toContain(String(object['id']));
    expect(refused).toContain('tenant_id=p');
    expectRefusal(await retarget(made, 'q'), 409, 'RbacPolicyInUse');
    // Everybody is more than p alone; back it goes only when another policy lets p in.
    expect((await retarget(made, '*')).status).toBe(200);
    expectRefusal(await retarget(made, 'p'), 409, 'RbacPolicyInUse');
    const own = await client.make('rbac-policies', policy(type, object['id'], 'p'));
    await client.remove('rbac-policies', made['id']);
    const all = await client.make('rbac-policies', policy(type, object['id'], '*'));
    await client.remove('rbac-policies', own['id']);
    expectRefusal(await client.call('DELETE', urlOf(all)), 409, 'RbacPolicyInUse');
    await undo();
    await client.remove('rbac-policies', all['id']);
  });
});

describe('policies that are refused', () => {
  it.each([
    [
      'an unknown kind',
      'InvalidInput',
      "'router' is not a valid RBAC object type",
      { object_type: 'router' },
    ],
    [
      'another action',
      'InvalidActionForType',
      "Invalid action 'access_as_external'",
      { action: 'access_as_external' },
    ],
    ['an object that is no id', 'HTTPBadRequest', "'x' is not a valid UUID", { object_id: 'x' }],
    ['no target', 'HTTPBadRequest', 'target_tenant', { target_tenant: null }],
    ['a target that is too long', 'HTTPBadRequest', 'target_tenant', { target_tenant: 'x'.repeat(256) }],
    ['a description', 'HTTPBadRequest', 'description', { description: '' }],
  ] as const)('for %s', async (_, error, part, more) => {
    const group = await client.make('security-groups', { name: 'g' });
    const before = await under.content();
    const reply = await post(policy('security_group', group['id'], 'p', more));
    expect(expectRefusal(reply, 400, error)).toContain(part);
    expect(await under.content()).toEqual(before);
  });
});

describe('what is shared by its own attribute', () => {
  it.each([
    ['network', 'networks'],
    ['qos_policy', 'qos/policies'],
  ])('has the policy that says so: %s', async (type, path) => {
    const shared = async (made: Json) => (await client.show(path, made['id']))['shared'];
    const policiesOf = (made: Json) => client.list('rbac-policies', `object_id=${String(made['id'])}`);
    const made = await client.make(path, { shared: true, project_id: 'owner' });
    const later = await client.make(path, { project_id: 'owner' });
    await client.change(path, later['id'], { shared: true });
    for (const object of [made, later]) {
      const [policy, ...more] = await policiesOf(object);
      expect(more).toEqual([]);
      expect(policy).toMatchObject({
        object_type: type,
        action: 'access_as_shared',
        target_tenant: '*',
        project_id: 'owner',
      });
      await client.remove('rbac-policies', policy?.['id']);
      expect(await shared(object)).toBe(false);
      await client.change(path, object['id'], { shared: true });
      await client.change(path, object['id'], { shared: false });
      expect(await policiesOf(object)).toEqual([]);
      expect(await shared(object)).toBe(false);
    }
  });
});

describe('networks that are shared', () => {
  const unshare = (network: Json) =>
    client.call('PUT', `/v2.0/networks/${String(network['id'])}`, { network: { shared: false } });

  it('by attribute need no policy', async () => {
    const network = await client.make('networks', { shared: true, project_id: 'owner' });
    const made = await client.make('rbac-policies', policy('network', network['id'], 'p'));
    await client.make('ports', { network_id: network['id'], project_id: 'p' });
    expect((await unshare(network)).body).toMatchObject({ network: { shared: false } });
    expectRefusal(await client.call('DELETE', urlOf(made)), 409, 'RbacPolicyInUse');
    await client.change('networks', network['id'], { shared: true });
    await client.remove('rbac-policies', made['id']);
    expectRefusal(await unshare(network), 409, 'InvalidSharedSetting');
  });

  it('with all by a policy lose it with the attribute', async () => {
    const network = await client.make('networks', { project_id: 'owner' });
    await client.make('rbac-policies', policy('network', network['id'], '*'));
    await client.make('rbac-policies', policy('network', network['id'], 'p'));
    const port = await client.make('ports', { network_id: network['id'], project_id: 'q' });
    expect((await client.show('networks', network['id']))['shared']).toBe(true);
    expectRefusal(await unshare(network), 409, 'InvalidSharedSetting');
    await client.remove('ports', port['id']);
    expect((await unshare(network)).body).toMatchObject({ network: { shared: false } });
    expect((await client.list('rbac-policies')).map((one) => one['target_tenant'])).toEqual(['p']);
  });
});
