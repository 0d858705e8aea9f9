import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { violationsOf } from '../../model/invariants/check.ts';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { as, byName, people } from '../testing/people.ts';
import { poolWords } from '../testing/pools.ts';

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

const { pool, asked, update, deal, network, cut, cutReply } = poolWords(() => owner);

describe('a subnet pool', () => {
  it('has the least prefixes that hold its own, and the lengths of its family', async () => {
    expect(await pool({ prefixes: ['10.0.1.5/24', '10.0.0.0/24', '10.0.0.128/25'] })).toMatchObject({
      prefixes: ['10.0.0.0/23'],
      ip_version: 4,
      min_prefixlen: '8',
      default_prefixlen: '8',
      max_prefixlen: '32',
      default_quota: null,
      address_scope_id: null,
      is_default: false,
      shared: false,
      tags: [],
      project_id: people.owner.project,
    });
    expect(await pool({ prefixes: ['2001:db8::/32'], min_prefixlen: '48', max_prefixlen: 64 })).toMatchObject(
      {
        ip_version: 6,
        min_prefixlen: '48',
        default_prefixlen: '48',
        max_prefixlen: '64',
      },
    );
  });

  it.each([
    [{ prefixes: [] }, 'EmptySubnetPoolPrefixList', 'Empty subnet pool prefix list.'],
    [
      { prefixes: ['10.0.0.0/8', 'fd00::/8'] },
      'PrefixVersionMismatch',
      'Cannot mix IPv4 and IPv6 prefixes in a subnet pool.',
    ],
    [
      { prefixes: ['x'] },
      'HTTPBadRequest',
      "Invalid input for prefixes. Reason: 'x' is not a valid IP subnet.",
    ],
    [{ name: ' ' }, 'HTTPBadRequest', "Invalid input for name. Reason: ' ' Blank strings are not permitted."],
    [
      { min_prefixlen: -1 },
      'HTTPBadRequest',
      "Invalid input for min_prefixlen. Reason: '-1' should be non-negative.",
    ],
    [
      { min_prefixlen: 24, max_prefixlen: 20 },
      'IllegalSubnetPoolPrefixBounds',
      'Illegal prefix bounds: min_prefixlen=24, max_prefixlen=20.',
    ],
    [
      { max_prefixlen: 33 },
      'IllegalSubnetPoolPrefixBounds',
      'Illegal prefix bounds: max_prefixlen=33, ip_version_max=32.',
    ],
    [
      { default_prefixlen: 4 },
      'IllegalSubnetPoolPrefixBounds',
      'Illegal prefix bounds: default_prefixlen=4, min_prefixlen=8.',
    ],
    [
      { default_prefixlen: 30, max_prefixlen: 28 },
      'IllegalSubnetPoolPrefixBounds',
      'Illegal prefix bounds: default_prefixlen=30, max_prefixlen=28.',
    ],
    [{ ip_version: 4 }, 'HTTPBadRequest', "Attribute 'ip_version' not allowed in POST"],
  ])('is refused with %j', async (attributes, type, message) => {
    expect(expectRefusal(await asked(attributes), 400, type)).toBe(message);
  });

  it('grows by updates and never shrinks', async () => {
    const one = await pool({ prefixes: ['10.0.0.0/24'], min_prefixlen: 26 });
    const grown = await owner.change('subnetpools', one['id'], { prefixes: ['10.0.0.0/23'], name: 'n' });
    expect(grown).toMatchObject({ prefixes: ['10.0.0.0/23'], name: 'n', revision_number: 2 });
    const shrunk = await update(one, { prefixes: ['10.0.0.0/24'] });
    expect(expectRefusal(shrunk, 400, 'IllegalSubnetPoolPrefixUpdate')).toBe(
      'Illegal update to prefixes: Existing prefixes must be a subset of the new prefixes.',
    );
    const mixed = await update(one, { prefixes: ['10.0.0.0/23', 'fd00::/8'] });
    expectRefusal(mixed, 400, 'PrefixVersionMismatch');
    expectRefusal(await update(one, { min_prefixlen: 28 }), 400, 'IllegalSubnetPoolPrefixBounds');
    const shared = await update(one, { shared: true });
    expect(expectRefusal(shared, 400, 'HTTPBadRequest')).toBe('Cannot update read-only attribute shared');
  });

  it('takes prefixes one by one, and gives back those that no subnet has', async () => {
    const one = await pool({ prefixes: ['10.0.0.0/24'], min_prefixlen: 26 });
    expect((await deal(one, 'add_prefixes', { prefixes: ['10.8.0.0/24'] })).body).toEqual({
      prefixes: ['10.0.0.0/24', '10.8.0.0/24'],
    });
    await cut(one);
    const used = await deal(one, 'remove_prefixes', { prefixes: ['10.0.0.0/8'] });
    expect(expectRefusal(used, 400, 'IllegalSubnetPoolPrefixUpdate')).toBe(
      'Illegal update to prefixes: One or more the prefixes to be removed is in use by a subnet..',
    );
    expect((await deal(one, 'remove_prefixes', { prefixes: ['10.8.0.0/25', '172.16.0.0/12'] })).body).toEqual(
      {
        prefixes: ['10.0.0.0/24', '10.8.0.128/25'],
      },
    );
    expect(await owner.show('subnetpools', one['id'])).toMatchObject({
      prefixes: ['10.0.0.0/24', '10.8.0.128/25'],
      revision_number: 3,
    });
    for (const action of ['add_prefixes', 'remove_prefixes']) {
      for (const body of [{}, { prefixes: [] }, { prefixes: 'x' }])
        expectRefusal(await deal(one, action, body), 400, 'HTTPBadRequest');
      const wrong = await deal(one, action, { prefixes: ['x'] });
      expect(expectRefusal(wrong, 400, 'AddrFormatError')).toBe('invalid IPNetwork x');
    }
    const family = await deal(one, 'add_prefixes', { prefixes: ['fd00::/8'] });
    expectRefusal(family, 400, 'PrefixVersionMismatch');
  });

  it('stays while subnets are of it', async () => {
    const one = await pool({ min_prefixlen: 24 });
    const subnet = await cut(one);
    const kept = await owner.call('DELETE', `/v2.0/subnetpools/${String(one['id'])}`);
    expect(expectRefusal(kept, 400, 'SubnetPoolDeleteError')).toBe(
      'Unable to delete subnet pool: Subnet pool has existing allocations.',
    );
    await owner.remove('networks', subnet['network_id']);
    await owner.remove('subnetpools', one['id']);
    const gone = await owner.call('GET', `/v2.0/subnetpools/${String(one['id'])}`);
    expectRefusal(gone, 404, 'SubnetPoolNotFound');
  });

  it('is the default for its family once', async () => {
    const refused = await asked({ is_default: true });
    expect(expectRefusal(refused, 403, 'PolicyNotAuthorized')).toBe(
      '(rule:create_subnetpool and rule:create_subnetpool:is_default) is disallowed by policy',
    );
    const first = await pool({ is_default: true, shared: true, min_prefixlen: 24 }, admin);
    const second = await asked({ is_default: true }, admin);
    expect(expectRefusal(second, 400, 'InvalidInput')).toContain('Only one default may exist per IP family');
    await pool({ is_default: true, prefixes: ['fd00::/8'] }, admin);
    const usual = await owner.make('subnets', {
      network_id: await network(),
      ip_version: 4,
      use_default_subnetpool: true,
    });
    expect(usual).toMatchObject({ subnetpool_id: first['id'], cidr: '10.9.0.0/24' });
    // The other family's default pool is nobody's but the administrators'.
    const unseen = await cutReply({ ip_version: 6, use_default_subnetpool: true });
    expect(expectRefusal(unseen, 400, 'BadRequest')).toBe(
      'Bad subnets request: No default subnetpool found for IPv6.',
    );
    await admin.change('subnetpools', first['id'], { is_default: false });
    await pool({ is_default: true }, admin);
    expectRefusal(await update(first, { is_default: true }, admin), 400, 'InvalidInput');
  });

  it('is counted', async () => {
    await admin.call('PUT', `/v2.0/quotas/${people.owner.project}`, { quota: { subnetpool: 1 } });
    await pool();
    expectRefusal(await asked({}), 409, 'OverQuota');
  });
});

describe('pools and other projects', () => {
  it('know nothing of each other', async () => {
    const one = await pool();
    expectRefusal(
      await guest.call('GET', `/v2.0/subnetpools/${String(one['id'])}`),
      404,
      'SubnetPoolNotFound',
    );
    expect(await guest.list('subnetpools')).toEqual([]);
    expectRefusal(await cutReply({ subnetpool_id: one['id'] }, guest), 404, 'SubnetPoolNotFound');
    expectRefusal(
      await deal(one, 'add_prefixes', { prefixes: ['11.0.0.0/8'] }, guest),
      404,
      'SubnetPoolNotFound',
    );
  });

  it('use what is shared with all, and change nothing of it', async () => {
    expectRefusal(await asked({ shared: true }), 403, 'PolicyNotAuthorized');
    const one = await pool({ shared: true, min_prefixlen: 24 }, admin);
    expect(await guest.show('subnetpools', one['id'])).toMatchObject({ shared: true });
    expect(await guest.list('subnetpools', 'shared=True&fields=id')).toEqual([{ id: one['id'] }]);
    await cut(one, {}, guest);
    expectRefusal(await update(one, { name: 'x' }, guest), 403, 'PolicyNotAuthorized');
    expectRefusal(
      await deal(one, 'add_prefixes', { prefixes: ['11.0.0.0/8'] }, guest),
      403,
      'PolicyNotAuthorized',
    );
  });

  it('use what a policy shares with them, which stays while they do', async () => {
    const one = await pool({ min_prefixlen: 24 });
    const policy = await owner.make('rbac-policies', {
      object_type: 'subnetpool',
      object_id: one['id'],
      action: 'access_as_shared',
      target_tenant: people.guest.project,
    });
    const subnet = await cut(one, {}, guest);
    const kept = await owner.call('DELETE', `/v2.0/rbac-policies/${String(policy['id'])}`);
    expectRefusal(kept, 409, 'RbacPolicyInUse');
    await guest.remove('subnets', subnet['id']);
    await owner.remove('rbac-policies', policy['id']);
    expectRefusal(await cutReply({ subnetpool_id: one['id'] }, guest), 404, 'SubnetPoolNotFound');
  });
});

describe('requests at the same time', () => {
  it('never cut the same addresses, of whichever server they ask', async () => {
    const other = as((await under.server({ authenticator: byName })).api, 'owner');
    const one = await pool({ prefixes: ['10.0.0.0/27'], min_prefixlen: 28, max_prefixlen: 31 });
    const nets = await Promise.all(Array.from({ length: 24 }, () => network()));
    const replies = await Promise.all(
      nets.map((net, at) =>
        cutReply(
          { network_id: net, subnetpool_id: one['id'], prefixlen: 30, enable_dhcp: false },
          at % 2 === 0 ? owner : other,
        ),
      ),
    );
    const made = replies.filter(({ status }) => status === 201);
    expect(made).toHaveLength(8);
    for (const reply of replies) if (reply.status !== 201) expectRefusal(reply, 409, 'SubnetAllocationError');
    expect(new Set(made.map(({ body }) => (body['subnet'] as Json)['cidr'])).size).toBe(8);
  });

  it('leave no subnet behind in a pool that goes, and no default beside another', async () => {
    const other = as((await under.server({ authenticator: byName })).api, 'admin');
    for (let round = 0; round < 8; round++) {
      const one = await pool({ min_prefixlen: 24 });
      const net = await network();
      const [made, removed] = await Promise.all([
        cutReply({ network_id: net, subnetpool_id: one['id'] }),
        other.call('DELETE', `/v2.0/subnetpools/${String(one['id'])}`),
      ]);
      expect([made.status, removed.status].sort()).toEqual(removed.status === 204 ? [204, 404] : [201, 400]);
    }
    const defaults = await Promise.all(
      [admin, other, admin, other].map((client) => asked({ is_default: true }, client)),
    );
    expect(defaults.filter(({ status }) => status === 201)).toHaveLength(1);
  });
});
