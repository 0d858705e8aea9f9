import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultProject } from '../identity/caller.ts';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { as, byName } from '../testing/people.ts';

let under: UnderTest;
let client: TestClient;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
});
afterEach(() => under.close());

const path = 'security-groups-default-statefulness';
const name = 'security_groups_default_statefulness';
const post = (attributes: Json | Json[]) => client.call('POST', `/v2.0/${path}`, { [name]: attributes });
const group = (attributes: Json = {}) => client.make('security-groups', { name: 'group', ...attributes });
const isStateful = async (attributes: Json = {}) => (await group(attributes))['stateful'];

describe('the default statefulness', () => {
  it('is a setting of the caller’s project, of another or of all', async () => {
    const own = await client.make(path, { stateful: false });
    expect(own).toEqual({
      id: own['id'],
      project_id: defaultProject,
      tenant_id: defaultProject,
      stateful: false,
    });
    const other = await client.make(path, { project_id: 'other' });
    expect(other).toMatchObject({ project_id: 'other', stateful: true });
    const all = await client.make(path, { project_id: null, stateful: 'no' });
    expect(all).toEqual({ id: all['id'], project_id: null, tenant_id: null, stateful: false });
    expect(await client.show(path, all['id'])).toEqual(all);
    expect(await client.list(path)).toEqual([own, other, all]);
    expect(await client.list(path, 'stateful=True')).toEqual([other]);
    expect(await client.list(path, 'project_id=other')).toEqual([other]);
  });

  it('is set once for each', async () => {
    await client.make(path, { stateful: false });
    await client.make(path, { project_id: null });
    const exists = 'SecurityGroupDefaultStatefulnessAlreadyExists';
    expect(expectRefusal(await post({ stateful: true }), 409, exists)).toContain(`'${defaultProject}'`);
    expect(expectRefusal(await post({ project_id: null }), 409, exists)).toContain("'system-wide'");
    expectRefusal(await post([{ project_id: 'a' }, { project_id: 'a' }]), 409, exists);
    expect(await client.list(path)).toHaveLength(2);
    const racing = await Promise.all(Array.from({ length: 8 }, () => post({ project_id: 'raced' })));
    expect(racing.map(({ status }) => status).toSorted()).toEqual([201, ...Array<number>(7).fill(409)]);
  });

  it('comes in lists too, though one and several have the same name', async () => {
    const made = await post([{ project_id: 'a', stateful: false }, { project_id: 'b' }]);
    expect(made.status).toBe(201);
    expect(made.body[name]).toMatchObject([{ project_id: 'a' }, { project_id: 'b' }]);
  });

  it('changes and goes', async () => {
    const made = await client.make(path, { stateful: false });
    const url = `/v2.0/${path}/${String(made['id'])}`;
    const put = (attributes: Json | Json[]) => client.call('PUT', url, { [name]: attributes });
    expect((await put({ stateful: true })).body[name]).toEqual({ ...made, stateful: true });
    expectRefusal(await put({ project_id: 'other' }), 400, 'HTTPBadRequest');
    expectRefusal(await put([{ stateful: true }]), 400, 'HTTPBadRequest');
    await client.remove(path, made['id']);
    const gone = expectRefusal(
      await client.call('GET', url),
      404,
      'SecurityGroupDefaultStatefulnessNotFound',
    );
    expect(gone).toBe(`Security group default statefulness ${String(made['id'])} could not be found.`);
    expect(await client.make(path, {})).toMatchObject({ stateful: true });
  });

  it('is what groups are of which nobody said it: the project’s own before that of all', async () => {
    expect(await isStateful()).toBe(true);
    const all = await client.make(path, { project_id: null, stateful: false });
    expect(await isStateful()).toBe(false);
    expect(await isStateful({ stateful: true })).toBe(true);
    const own = await client.make(path, { stateful: true });
    expect(await isStateful()).toBe(true);
    expect(await isStateful({ stateful: false })).toBe(false);
    expect(await isStateful({ project_id: 'other' })).toBe(false);
    await client.remove(path, own['id']);
    expect(await isStateful()).toBe(false);
    await client.remove(path, all['id']);
    expect(await isStateful()).toBe(true);
  });

  it('is what default groups are made with, and groups that exist do not follow', async () => {
    await client.make(path, { project_id: 'quiet', stateful: false });
    await group({ project_id: 'quiet' });
    await client.make(path, { project_id: null, stateful: false });
    await group({ project_id: 'later' });
    const ofProject = async (project: string) =>
      (await client.list('security-groups', `project_id=${project}`)).map((one) => one['stateful']);
    expect(await ofProject('quiet')).toEqual([false, false]);
    expect(await ofProject('later')).toEqual([false, false]);
    expect(await ofProject(defaultProject)).toEqual([false]);
    await group({ project_id: 'later', stateful: true });
    expect(await ofProject('later')).toEqual([false, false, true]);
  });
});

describe('settings of the default statefulness', () => {
  it('are seen and made by managers of their project, and those of all by administrators alone', async () => {
    const { api } = await under.server({ authenticator: byName });
    const admin = as(api, 'admin');
    const all = await admin.make(path, { project_id: null });
    const foreign = await admin.make(path, { project_id: 'other' });
    const manager = as(api, 'manager');
    const made = await manager.make(path, { stateful: false });
    expect(made).toMatchObject({ project_id: 'own' });
    expect(await manager.list(path)).toEqual([made]);
    expect(await as(api, 'reader').list(path)).toEqual([made]);
    for (const setting of [all, foreign]) {
      const url = `/v2.0/${path}/${String(setting['id'])}`;
      expectRefusal(await manager.call('GET', url), 404, 'SecurityGroupDefaultStatefulnessNotFound');
      expectRefusal(await manager.call('DELETE', url), 404, 'SecurityGroupDefaultStatefulnessNotFound');
    }
    await manager.remove(path, made['id']);
    for (const project of [null, ''])
      expectRefusal(
        await manager.call('POST', `/v2.0/${path}`, { [name]: { project_id: project } }),
        400,
        'HTTPBadRequest',
      );
    expectRefusal(
      await as(api, 'owner').call('POST', `/v2.0/${path}`, { [name]: {} }),
      403,
      'PolicyNotAuthorized',
    );
  });
});
