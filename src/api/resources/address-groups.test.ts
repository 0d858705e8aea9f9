import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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
const act = (action: 'add_addresses' | 'remove_addresses', id: unknown, addresses: unknown) =>
  client.call('PUT', `/v2.0/address-groups/${String(id)}/${action}`, { address_group: { addresses } });
const make = (...addresses: string[]) => client.make('address-groups', { name: 'ag', addresses });

describe('address groups', () => {
  it('hold prefixes of both families, each once and without host bits', async () => {
    const group = await make('10.1.2.3/8', '10.0.0.0/8', '192.0.2.1/32', 'FD00:0::1/64', '0.0.0.0/0');
    expect(group).toMatchObject({
      name: 'ag',
      description: '',
      addresses: ['10.0.0.0/8', '192.0.2.1/32', 'fd00::/64', '0.0.0.0/0'],
      shared: false,
      revision_number: 1,
      tenant_id: group['project_id'],
    });
    expect(await client.show('address-groups', group['id'])).toEqual(group);
    expect(await client.make('address-groups', {})).toMatchObject({ name: '', addresses: [] });
    expect(await client.make('address-groups', { addresses: null })).toMatchObject({ addresses: [] });
  });

  it('are found by name, owner and whether they are shared', async () => {
    const group = await make();
    await client.make('address-groups', { name: 'other', project_id: 'p' });
    const ids = async (query: string) => (await client.list('address-groups', query)).map(({ id }) => id);
    expect(await ids('name=ag')).toEqual([group['id']]);
    expect(await ids(`id=${String(group['id'])}`)).toEqual([group['id']]);
    expect(await ids('project_id=p')).toHaveLength(1);
    expect(await ids('shared=false')).toHaveLength(2);
    expect(await ids('shared=true')).toEqual([]);
    expect(await ids('sort_key=name&sort_dir=desc&limit=1')).toHaveLength(1);
    expectRefusal(await client.call('GET', '/v2.0/address-groups?addresses=x'), 400, 'HTTPBadRequest');
  });

  it('are renamed, but their addresses are added and removed', async () => {
    const group = await make('10.0.0.0/8');
    const renamed = await client.change('address-groups', group['id'], { name: 'n', description: 'd' });
    expect(renamed).toMatchObject({ name: 'n', description: 'd', revision_number: 2 });
    const put = await client.call('PUT', `/v2.0/address-groups/${String(group['id'])}`, {
      address_group: { addresses: [] },
    });
    expect(expectRefusal(put, 400, 'HTTPBadRequest')).toContain('addresses');
    const added = await act('add_addresses', group['id'], ['192.0.2.9/24', 'fd00::1/128']);
    expect(added).toMatchObject({
      status: 200,
      body: {
        address_group: { addresses: ['10.0.0.0/8', '192.0.2.0/24', 'fd00::1/128'], revision_number: 3 },
      },
    });
    const removed = await act('remove_addresses', group['id'], ['10.9.9.9/8', 'fd00::1/128']);
    expect(removed.body).toMatchObject({
      address_group: { addresses: ['192.0.2.0/24'], revision_number: 4 },
    });
    // The openstack client does not wrap them.
    const bare = await client.call('PUT', `/v2.0/address-groups/${String(group['id'])}/add_addresses`, {
      addresses: ['198.51.100.0/24'],
    });
    expect(bare.body).toMatchObject({ address_group: { addresses: ['192.0.2.0/24', '198.51.100.0/24'] } });
    expect((await act('add_addresses', group['id'], [])).body).toMatchObject({
      address_group: { revision_number: 5 },
    });
  });

  it('take single addresses in their actions', async () => {
    const group = await client.make('address-groups', { addresses: ['192.0.2.1/32'] });
    const act = (action: string, ...addresses: string[]) =>
      client.call('PUT', `/v2.0/address-groups/${String(group['id'])}/${action}`, { addresses });
    expectRefusal(await act('remove_addresses', '192.0.2.2'), 404, 'AddressesNotFound');
    const added = await act('add_addresses', '192.0.2.3', '2001:db8::1');
    expect(added.body['address_group']).toMatchObject({
      addresses: ['192.0.2.1/32', '192.0.2.3/32', '2001:db8::1/128'],
    });
    const removed = await act('remove_addresses', '192.0.2.1');
    expect(removed.body['address_group']).toMatchObject({
      addresses: ['192.0.2.3/32', '2001:db8::1/128'],
    });
    expectRefusal(await act('add_addresses', 'nothing of the kind'), 400, 'HTTPBadRequest');
  });

  it('refuse what they have or lack, and then change nothing', async () => {
    const group = await make('10.0.0.0/8', 'fd00::/64');
    const before = await under.content();
    const present = await act('add_addresses', group['id'], ['192.0.2.0/24', '10.1.0.0/8']);
    expect(expectRefusal(present, 400, 'AddressesAlreadyExist')).toBe(
      `Addresses ['10.0.0.0/8'] already exist in the address group ${String(group['id'])}.`,
    );
    const absent = await act('remove_addresses', group['id'], ['10.0.0.0/8', '192.0.2.0/24']);
    expect(expectRefusal(absent, 404, 'AddressesNotFound')).toBe(
      `Addresses ['192.0.2.0/24'] not found in the address group ${String(group['id'])}.`,
    );
    expectRefusal(await act('add_addresses', unknownId, ['10.0.0.0/8']), 404, 'AddressGroupNotFound');
    expect(await under.content()).toEqual(before);
  });

  const bad: readonly [string, unknown, string][] = [
    ['no list', '10.0.0.0/8', 'is not a list'],
    ['no addresses at all', undefined, 'addresses'],
    ['a word', ['x'], "'x' is not a valid IP subnet"],
    ['a length that is none', ['10.0.0.0/33'], 'is not a valid IP subnet'],
    ['a number', [5], 'is not a valid IP subnet'],
    ['one twice', ['10.0.0.0/8', '10.0.0.0/8'], 'Duplicate items'],
  ];
  it.each(bad)('refuse %s', async (_, addresses, part) => {
    const group = await make('192.0.2.0/24');
    const before = await under.content();
    for (const action of ['add_addresses', 'remove_addresses'] as const)
      expect(expectRefusal(await act(action, group['id'], addresses), 400, 'HTTPBadRequest')).toContain(part);
    if (addresses !== undefined) {
      const reply = await client.call('POST', '/v2.0/address-groups', { address_group: { addresses } });
      expect(expectRefusal(reply, 400, 'HTTPBadRequest')).toContain(part);
    }
    expect(await under.content()).toEqual(before);
  });

  it('refuse bodies of their actions that say anything else, and other verbs', async () => {
    const group = await make();
    const url = `/v2.0/address-groups/${String(group['id'])}/add_addresses`;
    for (const body of [{}, { address_group: 'x' }, { address_group: { addresses: [], name: 'x' } }])
      expectRefusal(await client.call('PUT', url, body), 400, 'HTTPBadRequest');
    expectRefusal(await client.call('POST', url, { address_group: {} }), 405, 'HTTPMethodNotAllowed');
    const stale = await client.call(
      'PUT',
      url,
      { address_group: { addresses: ['10.0.0.0/8'] } },
      {
        'if-match': 'revision_number=9',
      },
    );
    expectRefusal(stale, 412, 'RevisionNumberConstraintFailed');
    const shared = await client.call('POST', '/v2.0/address-groups', { address_group: { shared: true } });
    expectRefusal(shared, 400, 'HTTPBadRequest');
  });

  it('stay while a rule names them', async () => {
    const group = await make('10.0.0.0/8');
    const web = await client.make('security-groups', { name: 'web' });
    const about = { security_group_id: web['id'], direction: 'ingress', protocol: 'tcp' };
    const rule = await client.make('security-group-rules', {
      ...about,
      remote_address_group_id: group['id'],
    });
    expect(rule).toMatchObject({
      remote_address_group_id: group['id'],
      remote_group_id: null,
      remote_ip_prefix: null,
    });
    const by = `remote_address_group_id=${String(group['id'])}`;
    expect(await client.list('security-group-rules', by)).toEqual([rule]);
    expect((await client.show('security-groups', web['id']))['security_group_rules']).toContainEqual(rule);
    const again = await client.call('POST', '/v2.0/security-group-rules', {
      security_group_rule: { ...about, protocol: 6, remote_address_group_id: group['id'] },
    });
    expectRefusal(again, 409, 'SecurityGroupRuleExists');
    // Another remote, or none, says something else.
    const other = await make();
    await client.make('security-group-rules', { ...about, remote_address_group_id: other['id'] });
    await client.make('security-group-rules', about);
    const url = `/v2.0/address-groups/${String(group['id'])}`;
    expect(expectRefusal(await client.call('DELETE', url), 409, 'AddressGroupInUse')).toBe(
      `Address group ${String(group['id'])} is in use on one or more security group rules.`,
    );
    await client.remove('security-group-rules', rule['id']);
    await client.remove('address-groups', group['id']);
    // The other goes free with the whole security group.
    await client.remove('security-groups', web['id']);
    await client.remove('address-groups', other['id']);
    const left = (await under.content()).map(([key]) => key);
    expect(left.filter((key) => key.includes('address-groups'))).toEqual([]);
  });

  it('that do not exist are not found', async () => {
    const url = `/v2.0/address-groups/${unknownId}`;
    for (const reply of [await client.call('GET', url), await client.call('DELETE', url)])
      expect(expectRefusal(reply, 404, 'AddressGroupNotFound')).toBe(
        `Address group ${unknownId} could not be found.`,
      );
  });

  it('of before address groups there were none: old rules say so', async () => {
    const web = await client.make('security-groups', { name: 'web' });
    const [key = '', text = ''] =
      (await under.content()).find(([one]) => one.startsWith(`rules/${String(web['id'])}/`)) ?? [];
    const old = JSON.parse(text) as Json;
    delete old['remote_address_group_id'];
    await under.store.txn([], [{ op: 'put', key, value: JSON.stringify(old) }]);
    const reader = await under.server();
    expect(await reader.show('security-group-rules', old['id'])).toMatchObject({
      remote_address_group_id: null,
    });
    const twin = { security_group_id: web['id'], direction: old['direction'], ethertype: old['ethertype'] };
    const again = await reader.call('POST', '/v2.0/security-group-rules', { security_group_rule: twin });
    expectRefusal(again, 409, 'SecurityGroupRuleExists');
  });
});
