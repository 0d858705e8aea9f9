import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { violationsOf } from '../../model/invariants/check.ts';
import { expectRefusal, openUnderTest, type TestClient, type UnderTest } from '../testing/api-under-test.ts';
import { as, byName } from '../testing/people.ts';
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

const { pool, deal, network, cut, cutReply } = poolWords(() => owner);

describe('subnets of a pool', () => {
  it('get the first prefix that is free, of the length that they ask for', async () => {
    const one = await pool({ prefixes: ['10.9.0.0/24'], min_prefixlen: 26 });
    const first = await cut(one);
    expect(first).toMatchObject({
      cidr: '10.9.0.0/26',
      gateway_ip: '10.9.0.1',
      allocation_pools: [{ start: '10.9.0.2', end: '10.9.0.62' }],
      subnetpool_id: one['id'],
    });
    expect(Object.keys(first)).not.toContain('prefixlen');
    // Small ones do not break up what large ones need.
    expect(await cut(one, { prefixlen: 28 })).toMatchObject({ cidr: '10.9.0.64/28' });
    expect(await cut(one, { prefixlen: 27 })).toMatchObject({ cidr: '10.9.0.96/27' });
    expect(await cut(one, { cidr: '10.9.0.192/26' })).toMatchObject({ cidr: '10.9.0.192/26' });
    expect(await cut(one, { gateway_ip: '10.9.0.141', prefixlen: 30 })).toMatchObject({
      cidr: '10.9.0.140/30',
    });
    await owner.remove('subnets', first['id']);
    expect(await cut(one)).toMatchObject({ cidr: '10.9.0.0/26' });
    const full = await cutReply({ subnetpool_id: one['id'] });
    expect(expectRefusal(full, 409, 'SubnetAllocationError')).toBe(
      'Failed to allocate subnet: Insufficient prefix space to allocate subnet size /26.',
    );
  });

  it('have a gateway, unless they want none', async () => {
    const six = await pool({ prefixes: ['2001:db8::/48'] });
    expect(await cut(six)).toMatchObject({ cidr: '2001:db8::/64', gateway_ip: '2001:db8::1' });
    expect(await cut(six, { gateway_ip: null })).toMatchObject({
      cidr: '2001:db8:0:1::/64',
      gateway_ip: null,
    });
  });

  it.each([
    [{ prefixlen: 24 }, 400, 'MinPrefixSubnetAllocationError', 'minimum allowed prefix is 26.'],
    [{ prefixlen: 31 }, 400, 'MaxPrefixSubnetAllocationError', 'maximum allowed prefix is 30.'],
    [
      { prefixlen: 27, cidr: '10.9.0.0/27' },
      400,
      'BadRequest',
      'Bad subnets request: cidr and prefixlen must not be supplied together.',
    ],
    [
      { ip_version: 6 },
      400,
      'BadRequest',
      'Bad subnets request: Cannot allocate IPv6 subnet from IPv4 subnet pool.',
    ],
    [
      { allocation_pools: [{ start: '10.9.0.3', end: '10.9.0.4' }] },
      400,
      'BadRequest',
      'Bad subnets request: allocation_pools allowed only for specific subnet requests..',
    ],
    [
      { cidr: '10.10.0.0/27' },
      409,
      'SubnetAllocationError',
      'Cannot allocate requested subnet from the available set of prefixes.',
    ],
    [
      { use_default_subnetpool: true },
      400,
      'BadRequest',
      'Bad subnets request: subnetpool_id and use_default_subnetpool cannot both be specified.',
    ],
    [
      { subnetpool_id: '9d63d1b0-efdb-4976-b8c5-e5e1af808100' },
      404,
      'SubnetPoolNotFound',
      'Subnet pool 9d63d1b0-efdb-4976-b8c5-e5e1af808100 could not be found.',
    ],
    [
      { subnetpool_id: null },
      400,
      'BadRequest',
      'Bad subnets request: a subnetpool must be specified in the absence of a cidr.',
    ],
  ])('are refused with %j', async (body, status, type, message) => {
    const one = await pool({ prefixes: ['10.9.0.0/24'], min_prefixlen: 26, max_prefixlen: 30 });
    const net = await network();
    const before = await under.content();
    const reply = await cutReply({ network_id: net, subnetpool_id: one['id'], ...body });
    expect(expectRefusal(reply, status, type)).toContain(message);
    expect(await under.content()).toEqual(before);
  });

  it('are as many as a project may have, counted in addresses', async () => {
    const four = await pool({ min_prefixlen: 24, default_quota: 300, shared: true }, admin);
    await cut(four, { prefixlen: 24 });
    const over = await cutReply({ subnetpool_id: four['id'], prefixlen: 26 });
    expect(expectRefusal(over, 409, 'SubnetPoolQuotaExceeded')).toBe(
      'Per-tenant subnet pool prefix quota exceeded.',
    );
    await cut(four, { prefixlen: 27 });
    // Another project has its own share.
    await cut(four, { prefixlen: 24 }, guest);
    const six = await pool({ prefixes: ['fd00::/8'], default_quota: 2 });
    await cut(six, { prefixlen: 64 });
    await cut(six, { prefixlen: 64 });
    const another = await cutReply({ ip_version: 6, subnetpool_id: six['id'], prefixlen: 127 });
    expectRefusal(another, 409, 'SubnetPoolQuotaExceeded');
  });

  it('are the only ones of their family on a network', async () => {
    const one = await pool({ min_prefixlen: 24 });
    const other = await pool({ min_prefixlen: 24, prefixes: ['10.20.0.0/16'] });
    const net = await network();
    await cut(one, { network_id: net });
    await cut(one, { network_id: net });
    for (const body of [{ cidr: '10.77.0.0/24' }, { subnetpool_id: other['id'] }]) {
      const reply = await cutReply({ network_id: net, ...body });
      expectRefusal(reply, 400, 'NetworkSubnetPoolAffinityError');
    }
    await owner.make('subnets', { network_id: net, ip_version: 6, cidr: 'fd00::/64' });
    const plain = await network();
    await owner.make('subnets', { network_id: plain, ip_version: 4, cidr: '10.77.0.0/24' });
    const late = await cutReply({ network_id: plain, subnetpool_id: one['id'] });
    expectRefusal(late, 400, 'NetworkSubnetPoolAffinityError');
  });

  it('are made of subnets that were there before', async () => {
    const one = await pool({ prefixes: ['10.0.0.0/24'], min_prefixlen: 26 });
    const net = await network();
    const subnet = await owner.make('subnets', { network_id: net, ip_version: 4, cidr: '10.77.0.0/24' });
    const six = await owner.make('subnets', { network_id: net, ip_version: 6, cidr: 'fd00::/64' });
    const reply = await deal(one, 'onboard_network_subnets', { network_id: net });
    expect(reply).toEqual({ status: 200, body: [{ id: subnet['id'], cidr: '10.77.0.0/24' }] });
    expect(await owner.show('subnetpools', one['id'])).toMatchObject({
      prefixes: ['10.0.0.0/24', '10.77.0.0/24'],
    });
    expect(await owner.show('subnets', subnet['id'])).toMatchObject({
      subnetpool_id: one['id'],
      revision_number: Number(subnet['revision_number']) + 1,
    });
    expect(await owner.show('subnets', six['id'])).toEqual(six);
    const again = await deal(one, 'onboard_network_subnets', { network_id: net });
    expect(expectRefusal(again, 400, 'IllegalSubnetPoolUpdate')).toContain(
      'conflicts with allocated prefixes',
    );
    // From one pool to another.
    const other = await pool({ prefixes: ['10.55.0.0/24'] });
    expect((await deal(other, 'onboard_network_subnets', { network_id: net })).status).toBe(200);
    await owner.remove('subnetpools', one['id']);
    expect(await owner.list('subnets', `subnetpool_id=${String(other['id'])}`)).toMatchObject([
      { id: subnet['id'] },
    ]);
  });

  it('are not taken from networks of others', async () => {
    const foreign = await admin.make('networks', { shared: true });
    const one = await pool();
    const reply = await deal(one, 'onboard_network_subnets', { network_id: foreign['id'] });
    expect(expectRefusal(reply, 403, 'NotAuthorized')).toBe('Not authorized.');
    const missing = await deal(one, 'onboard_network_subnets', { network_id: 'x' });
    expectRefusal(missing, 404, 'NetworkNotFound');
    expectRefusal(await deal(one, 'onboard_network_subnets', {}), 400, 'InvalidInput');
  });
});
