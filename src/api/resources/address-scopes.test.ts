import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { violationsOf } from '../../model/invariants/check.ts';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type TestReply,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { as, byName, people } from '../testing/people.ts';

let under: UnderTest;
let admin: TestClient;
let owner: TestClient;
let guest: TestClient;
beforeEach(async () => {
  under = await openUnderTest('memory');
  const server = await under.server({ authenticator: byName });
  admin = as(server.api, 'admin');
  owner = as(server.api, 'owner');
  guest = as(server.api, 'guest');
});
afterEach(async () => {
  const { entries } = await under.store.snapshot(['']);
  await under.close();
  expect(violationsOf(entries)).toEqual([]);
});

const scope = (attributes: Json = {}, client: TestClient = owner): Promise<Json> =>
  client.make('address-scopes', { name: 's', ip_version: 4, ...attributes });
const pool = (attributes: Json, client: TestClient = owner): Promise<TestReply> =>
  client.call('POST', '/v2.0/subnetpools', {
    subnetpool: { name: 'p', prefixes: ['10.0.0.0/16'], min_prefixlen: 24, ...attributes },
  });
const made = async (attributes: Json, client: TestClient = owner): Promise<Json> =>
  client.make('subnetpools', { name: 'p', prefixes: ['10.0.0.0/16'], min_prefixlen: 24, ...attributes });
const change = (path: string, { id }: Json, name: string, attributes: Json, client: TestClient = owner) =>
  client.call('PUT', `/v2.0/${path}/${String(id)}`, { [name]: attributes });
const share = (type: string, { id }: Json, project: string, client: TestClient = owner): Promise<TestReply> =>
  client.call('POST', '/v2.0/rbac-policies', {
    rbac_policy: {
      object_type: type,
      object_id: id,
      action: 'access_as_shared',
      target_tenant: project,
    },
  });

describe('an address scope', () => {
  it('has a name, a family and an owner, and no stamps', async () => {
    const one = await scope();
    expect(one).toEqual({
      id: one['id'],
      name: 's',
      ip_version: 4,
      shared: false,
      project_id: people.owner.project,
      tenant_id: people.owner.project,
    });
    expect(await owner.change('address-scopes', one['id'], { name: 't' })).toEqual({ ...one, name: 't' });
    expect(await owner.list('address-scopes', 'name=t&ip_version=4&shared=False')).toHaveLength(1);
    expect(await owner.list('address-scopes', 'ip_version=6')).toEqual([]);
    const family = await change('address-scopes', one, 'address_scope', { ip_version: 6 });
    expectRefusal(family, 400, 'HTTPBadRequest');
    expectRefusal(
      await guest.call('GET', `/v2.0/address-scopes/${String(one['id'])}`),
      404,
      'AddressScopeNotFound',
    );
    await owner.remove('address-scopes', one['id']);
  });

  it('is shared by administrators alone, and then for good', async () => {
    const refused = await owner.call('POST', '/v2.0/address-scopes', {
      address_scope: { ip_version: 4, shared: true },
    });
    expectRefusal(refused, 403, 'PolicyNotAuthorized');
    const one = await scope();
    for (const shared of [true, false]) {
      const reply = await change('address-scopes', one, 'address_scope', { shared });
      expectRefusal(reply, 403, 'PolicyNotAuthorized');
    }
    await admin.change('address-scopes', one['id'], { shared: true });
    expect(await guest.show('address-scopes', one['id'])).toMatchObject({ shared: true });
    const back = await change('address-scopes', one, 'address_scope', { shared: false }, admin);
    expect(expectRefusal(back, 400, 'AddressScopeUpdateError')).toBe(
      `Unable to update address scope ${String(one['id'])} : Shared address scope can't be unshared.`,
    );
  });

  it('stays while it has pools', async () => {
    const one = await scope();
    const inside = await made({ address_scope_id: one['id'] });
    const kept = await owner.call('DELETE', `/v2.0/address-scopes/${String(one['id'])}`);
    expectRefusal(kept, 409, 'AddressScopeInUse');
    await owner.change('subnetpools', inside['id'], { address_scope_id: null });
    await owner.remove('address-scopes', one['id']);
  });
});

describe('pools of a scope', () => {
  it('have no address in common', async () => {
    const one = await scope();
    const id = one['id'];
    const first = await made({ address_scope_id: id });
    expectRefusal(
      await pool({ address_scope_id: id, prefixes: ['10.0.7.0/24'] }),
      409,
      'AddressScopePrefixConflict',
    );
    const second = await made({ address_scope_id: id, prefixes: ['10.1.0.0/16'] });
    const grown = await change('subnetpools', first, 'subnetpool', { prefixes: ['10.0.0.0/15'] });
    expectRefusal(grown, 409, 'AddressScopePrefixConflict');
    const added = await owner.call('PUT', `/v2.0/subnetpools/${String(second['id'])}/add_prefixes`, {
      prefixes: ['10.0.9.0/24'],
    });
    expectRefusal(added, 409, 'AddressScopePrefixConflict');
    const bulk = await owner.call('POST', '/v2.0/subnetpools', {
      subnetpools: ['10.5.0.0/16', '10.5.1.0/24'].map((prefix) => ({
        name: 'b',
        prefixes: [prefix],
        address_scope_id: id,
      })),
    });
    expectRefusal(bulk, 409, 'AddressScopePrefixConflict');
    // Out of the scope, anything goes.
    await made({});
  });

  it('are of its family, and of who may use it', async () => {
    const six = await scope({ ip_version: 6 });
    const family = await pool({ address_scope_id: six['id'] });
    expectRefusal(family, 400, 'IllegalSubnetPoolIpVersionAssociationToAddressScope');
    const foreign = await scope({}, admin);
    expectRefusal(await pool({ address_scope_id: foreign['id'] }), 404, 'AddressScopeNotFound');
    const mine = await made({});
    const moved = await change('subnetpools', mine, 'subnetpool', { address_scope_id: foreign['id'] });
    expectRefusal(moved, 404, 'AddressScopeNotFound');
  });

  it("are not for their owner to change in another's scope", async () => {
    const shared = await scope({ shared: true }, admin);
    const one = await made({ address_scope_id: shared['id'] });
    const reply = await change('subnetpools', one, 'subnetpool', { name: 'x' });
    expect(expectRefusal(reply, 400, 'IllegalSubnetPoolUpdate')).toBe(
      `Illegal subnetpool update : subnetpool ${String(one['id'])} cannot be updated when associated with ` +
        `shared address scope ${String(shared['id'])}.`,
    );
    await admin.change('subnetpools', one['id'], { prefixes: ['10.0.0.0/15'] });
    await owner.remove('subnetpools', one['id']);
  });

  it('may lie on one network together, and none other', async () => {
    const one = await scope();
    const [a, b] = [
      await made({ address_scope_id: one['id'] }),
      await made({ address_scope_id: one['id'], prefixes: ['10.1.0.0/16'] }),
    ];
    const outside = await made({ prefixes: ['10.2.0.0/16'] });
    const network = (await owner.make('networks', {}))['id'];
    const shown = async () => (await owner.show('networks', network))['ipv4_address_scope'];
    expect(await shown()).toBeNull();
    const subnet = { network_id: network, ip_version: 4 };
    await owner.make('subnets', { ...subnet, subnetpool_id: a['id'] });
    await owner.make('subnets', { ...subnet, subnetpool_id: b['id'] });
    expect(await shown()).toBe(one['id']);
    expect(await owner.show('networks', network)).toMatchObject({ ipv6_address_scope: null });
    const late = await owner.call('POST', '/v2.0/subnets', {
      subnet: { ...subnet, subnetpool_id: outside['id'] },
    });
    expectRefusal(late, 400, 'NetworkAddressScopeAffinityError');
    const another = await scope();
    for (const id of [another['id'], null]) {
      const reply = await change('subnetpools', a, 'subnetpool', { address_scope_id: id });
      expectRefusal(reply, 400, 'NetworkAddressScopeAffinityError');
    }
  });

  it('take their networks along to another scope', async () => {
    const [one, another] = [await scope(), await scope()];
    const inside = await made({ address_scope_id: one['id'] });
    const network = (await owner.make('networks', {}))['id'];
    await owner.make('subnets', { network_id: network, ip_version: 4, subnetpool_id: inside['id'] });
    await owner.change('subnetpools', inside['id'], { address_scope_id: another['id'] });
    expect(await owner.show('networks', network)).toMatchObject({ ipv4_address_scope: another['id'] });
    await owner.remove('address-scopes', one['id']);
  });

  it('are shared with those alone who may use the scope', async () => {
    const one = await scope();
    const inside = await made({ address_scope_id: one['id'] });
    const blind = await share('subnetpool', inside, people.guest.project);
    expect(expectRefusal(blind, 400, 'InvalidInput')).toContain(
      "target project doesn't have access to associated address scope",
    );
    expect((await share('address_scope', one, people.guest.project)).status).toBe(201);
    expect((await share('subnetpool', inside, people.guest.project)).status).toBe(201);
    const theirs = await made({ address_scope_id: one['id'], prefixes: ['10.1.0.0/16'] }, guest);
    const [policy] = await owner.list('rbac-policies', 'object_type=address_scope');
    const kept = await owner.call('DELETE', `/v2.0/rbac-policies/${String(policy?.['id'])}`);
    expectRefusal(kept, 409, 'RbacPolicyInUse');
    await guest.remove('subnetpools', theirs['id']);
    await owner.remove('rbac-policies', policy?.['id']);
  });

  it('never meet, however many come at the same time', async () => {
    const other = as((await under.server({ authenticator: byName })).api, 'owner');
    const one = await scope();
    const replies = await Promise.all(
      Array.from({ length: 12 }, (_, at) =>
        pool(
          { address_scope_id: one['id'], prefixes: [`10.${at % 4}.0.0/16`] },
          at % 2 === 0 ? owner : other,
        ),
      ),
    );
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(4);
    for (const reply of replies)
      if (reply.status !== 201) expectRefusal(reply, 409, 'AddressScopePrefixConflict');
  });
});
