import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { as, byName } from '../testing/people.ts';

let under: UnderTest;
let admin: TestClient;
let owner: TestClient;
let stranger: TestClient;
beforeEach(async () => {
  under = await openUnderTest('memory');
  const server = await under.server({ authenticator: byName });
  admin = as(server.api, 'admin');
  owner = as(server.api, 'owner');
  stranger = as(server.api, 'stranger');
});
afterEach(() => under.close());

const external = 'router:external';
const asExternal = (network: Json, target: string) => ({
  object_type: 'network',
  object_id: network['id'],
  action: 'access_as_external',
  target_tenant: target,
});
const policiesOf = (network: Json) => admin.list('rbac-policies', `object_id=${String(network['id'])}`);
const put = (client: TestClient, network: Json, attributes: Json) =>
  client.call('PUT', `/v2.0/networks/${String(network['id'])}`, { network: attributes });

describe('external networks', () => {
  it('are known to every project, as a policy says', async () => {
    const inner = await admin.make('networks', { name: 'in' });
    const outer = await admin.make('networks', { name: 'out', [external]: true });
    expect(inner[external]).toBe(false);
    expect(outer).toMatchObject({ [external]: true, shared: false });
    expect(await policiesOf(inner)).toEqual([]);
    expect(await policiesOf(outer)).toMatchObject([
      { action: 'access_as_external', target_tenant: '*', project_id: outer['project_id'] },
    ]);
    expect(await stranger.show('networks', outer['id'])).toMatchObject({ [external]: true, shared: false });
    expect((await stranger.list('networks')).map((network) => network['name'])).toEqual(['out']);
    expect((await admin.list('networks', `${external}=True`)).map((network) => network['name'])).toEqual([
      'out',
    ]);
    expect((await admin.list('networks', `${external}=false`)).map((network) => network['name'])).toEqual([
      'in',
    ]);
    expectRefusal(await put(stranger, outer, { name: 'mine' }), 403, 'PolicyNotAuthorized');
  });

  it('are made by administrators', async () => {
    const body = { network: { [external]: true } };
    expectRefusal(await owner.call('POST', '/v2.0/networks', body), 403, 'PolicyNotAuthorized');
    const own = await owner.make('networks', { [external]: false });
    expectRefusal(await put(owner, own, { [external]: true }), 403, 'PolicyNotAuthorized');
    expect((await put(admin, own, { [external]: true })).status).toBe(200);
    expect((await put(owner, own, { name: 'x' })).body['network']).toMatchObject({ [external]: true });
  });

  it('begin and end with the attribute, which is a revision', async () => {
    const network = await admin.make('networks', {});
    expect(await admin.change('networks', network['id'], { [external]: true })).toMatchObject({
      [external]: true,
      revision_number: 2,
    });
    await admin.change('networks', network['id'], { [external]: true });
    expect(await policiesOf(network)).toHaveLength(1);
    await admin.make('rbac-policies', { ...asExternal(network, 'foreign'), action: 'access_as_shared' });
    const { revision_number: revision } = await admin.show('networks', network['id']);
    expect(await admin.change('networks', network['id'], { [external]: false })).toMatchObject({
      [external]: false,
      revision_number: Number(revision) + 1,
    });
    // Who may use it is another matter.
    expect(await policiesOf(network)).toMatchObject([{ action: 'access_as_shared' }]);
    const text = JSON.stringify(await under.content());
    expect(text).not.toContain('router:external');
  });

  it('begin with the first policy for it and end with the last', async () => {
    const network = await admin.make('networks', {});
    const first = await admin.make('rbac-policies', asExternal(network, 'foreign'));
    expect(await stranger.show('networks', network['id'])).toMatchObject({ [external]: true });
    expectRefusal(await owner.call('GET', `/v2.0/networks/${String(network['id'])}`), 404, 'NetworkNotFound');
    const twin = await admin.call('POST', '/v2.0/rbac-policies', {
      rbac_policy: asExternal(network, 'foreign'),
    });
    expectRefusal(twin, 409, 'DuplicateRbacPolicy');
    const second = await admin.make('rbac-policies', asExternal(network, 'own'));
    await admin.remove('rbac-policies', first['id']);
    expect(await owner.show('networks', network['id'])).toMatchObject({ [external]: true });
    expectRefusal(
      await stranger.call('GET', `/v2.0/networks/${String(network['id'])}`),
      404,
      'NetworkNotFound',
    );
    await admin.change('rbac-policies', second['id'], { target_tenant: 'foreign' });
    expect(await stranger.show('networks', network['id'])).toMatchObject({ [external]: true });
    await admin.remove('rbac-policies', second['id']);
    expect(await admin.show('networks', network['id'])).toMatchObject({ [external]: false });
  });

  it('of several policies at once are external whatever their order', async () => {
    const network = await admin.make('networks', {});
    const bulk = [
      asExternal(network, 'foreign'),
      { ...asExternal(network, 'foreign'), action: 'access_as_shared' },
    ];
    const made = await admin.call('POST', '/v2.0/rbac-policies', { rbac_policies: bulk });
    expect(made.status).toBe(201);
    expect(await admin.show('networks', network['id'])).toMatchObject({ [external]: true });
  });

  it('stay while routers have gateways there', async () => {
    const network = await admin.make('networks', { [external]: true });
    const port = await admin.make('ports', {
      network_id: network['id'],
      device_owner: 'network:router_gateway',
    });
    const text = expectRefusal(await put(admin, network, { [external]: false }), 409, 'ExternalNetworkInUse');
    expect(text).toBe(
      `External network ${String(network['id'])} cannot be updated to be made non-external, ` +
        'since it has existing gateway ports.',
    );
    const [policy] = await policiesOf(network);
    const url = `/v2.0/rbac-policies/${String(policy?.['id'])}`;
    expectRefusal(await admin.call('DELETE', url), 409, 'ExternalNetworkInUse');
    await admin.remove('ports', port['id']);
    expect((await put(admin, network, { [external]: false })).status).toBe(200);
  });

  it('may be the default one, of which there is one', async () => {
    const first = await admin.make('networks', { [external]: true });
    expect(first).toMatchObject({ is_default: false });
    expect(await admin.make('networks', { is_default: true })).not.toHaveProperty('is_default');
    await admin.change('networks', first['id'], { is_default: true });
    expect(await stranger.show('networks', first['id'])).toMatchObject({ is_default: true });
    const body = { network: { [external]: true, is_default: true } };
    const taken = `A default external network already exists: ${String(first['id'])}.`;
    const post = () => admin.call('POST', '/v2.0/networks', body);
    expect(expectRefusal(await post(), 409, 'DefaultExternalNetworkExists')).toBe(taken);
    const second = await admin.make('networks', { [external]: true });
    expectRefusal(await put(admin, second, { is_default: true }), 409, 'DefaultExternalNetworkExists');
    expect(await admin.list('networks', 'is_default=true')).toMatchObject([{ id: first['id'] }]);
    // Everybody must know of it.
    const [policy] = await policiesOf(first);
    const url = `/v2.0/rbac-policies/${String(policy?.['id'])}`;
    const text = expectRefusal(await admin.call('DELETE', url), 409, 'RbacPolicyInUse');
    expect(text).toContain('Default external networks must be shared to everyone');
    const narrowed = await admin.call('PUT', url, { rbac_policy: { target_tenant: 'own' } });
    expectRefusal(narrowed, 409, 'RbacPolicyInUse');
    await admin.change('networks', first['id'], { [external]: false });
    await admin.change('networks', second['id'], { is_default: true });
    await admin.remove('networks', second['id']);
    expect((await post()).status).toBe(201);
    expectRefusal(
      await put(owner, await owner.make('networks', {}), { is_default: true }),
      403,
      'PolicyNotAuthorized',
    );
  });

  it('that race to be the default are not two', async () => {
    const other = as((await under.server({ authenticator: byName })).api, 'admin');
    const replies = await Promise.all(
      Array.from({ length: 8 }, (_, at) =>
        (at % 2 === 0 ? admin : other).call('POST', '/v2.0/networks', {
          network: { [external]: true, is_default: true },
        }),
      ),
    );
    expect(replies.filter((reply) => reply.status === 201)).toHaveLength(1);
    expect(replies.filter((reply) => reply.status === 409)).toHaveLength(7);
  });

  it('take their policies along when they go', async () => {
    const network = await admin.make('networks', { [external]: true });
    await admin.remove('networks', network['id']);
    expect(await admin.list('rbac-policies')).toEqual([]);
  });

  it('are networks only', async () => {
    const group = await admin.make('security-groups', { name: 'web' });
    const body = { ...asExternal(group, '*'), object_type: 'security_group' };
    const refused = await admin.call('POST', '/v2.0/rbac-policies', { rbac_policy: body });
    expect(expectRefusal(refused, 400, 'InvalidActionForType')).toMatch(
      /Invalid action 'access_as_external'/,
    );
  });
});
