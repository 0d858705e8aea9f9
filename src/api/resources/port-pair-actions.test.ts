/** Adding and removing single pairs of a port, while others do the same. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectRefusal, type Json, openUnderTest, type UnderTest } from '../testing/api-under-test.ts';
import { as, byName, type Person } from '../testing/people.ts';

type Action = 'add' | 'remove';
type Pair = { readonly ip_address: string; readonly mac_address?: string };

let under: UnderTest;
let port: Json;
let by: (name: Person) => ReturnType<typeof as>;
beforeEach(async () => {
  under = await openUnderTest('memory');
  const server = await under.server({ authenticator: byName });
  by = (name) => as(server.api, name);
  const network = await by('owner').make('networks', {});
  await by('owner').make('subnets', { network_id: network['id'], ip_version: 4, cidr: '10.0.0.0/24' });
  await by('owner').make('rbac-policies', {
    object_type: 'network',
    object_id: network['id'],
    action: 'access_as_shared',
    target_tenant: 'shared',
  });
  port = await by('owner').make('ports', {
    network_id: network['id'],
    mac_address: '02:00:00:00:00:01',
    allowed_address_pairs: [{ ip_address: '10.0.0.100' }],
  });
});
afterEach(() => under.close());

const urlOf = (action: Action): string => `/v2.0/ports/${String(port['id'])}/${action}_allowed_address_pairs`;
const act = (action: Action, pairs: readonly Pair[], client = by('owner')) =>
  client.call('PUT', urlOf(action), { port: { allowed_address_pairs: pairs } });
const textsOf = (shown: Json): string[] =>
  (shown['allowed_address_pairs'] as Required<Pair>[]).map(
    (pair) => `${pair.ip_address} ${pair.mac_address}`,
  );
const after = async (action: Action, ...pairs: readonly Pair[]): Promise<string[]> => {
  const { status, body } = await act(action, pairs);
  expect(status, JSON.stringify(body)).toBe(200);
  return textsOf(body['port'] as Json);
};
const own = '02:00:00:00:00:01';
const vrrp = '00:00:5e:00:01:07';

describe('pairs of a port', () => {
  it('are added and removed one by one, and others stay', async () => {
    expect(await after('add', { ip_address: '10.0.0.101' })).toEqual([
      `10.0.0.100 ${own}`,
      `10.0.0.101 ${own}`,
    ]);
    const both = [{ ip_address: '10.0.0.100', mac_address: vrrp }, { ip_address: 'fd00::7' }];
    expect(await after('add', ...both)).toEqual([
      `10.0.0.100 ${own}`,
      `10.0.0.101 ${own}`,
      `10.0.0.100 ${vrrp}`,
      `fd00::7 ${own}`,
    ]);
    expect(await after('remove', { ip_address: '10.0.0.100' }, { ip_address: 'fd00::7' })).toEqual([
      `10.0.0.101 ${own}`,
      `10.0.0.100 ${vrrp}`,
    ]);
  });

  it('are not changed by what is so already, whatever its spelling', async () => {
    await after('add', { ip_address: 'FD00:0::7' });
    const held = [`10.0.0.100 ${own}`, `FD00:0::7 ${own}`];
    expect(await after('add', { ip_address: '10.0.0.100', mac_address: own })).toEqual(held);
    expect(await after('add', { ip_address: '10.0.0.100/32' }, { ip_address: 'fd00::7' })).toEqual(held);
    expect(await after('remove', { ip_address: '10.0.0.9' }, { ip_address: 'fd00::8' })).toEqual(held);
    expect(await after('remove', { ip_address: 'fd00::0:7' })).toEqual([`10.0.0.100 ${own}`]);
    expect(await after('add')).toEqual([`10.0.0.100 ${own}`]);
  });

  it('are checked as those of a whole list', async () => {
    const subnetBroadcast = [{ ip_address: '10.0.0.255' }];
    expectRefusal(await act('add', subnetBroadcast), 400, 'InvalidInput');
    expectRefusal(await act('add', [{ ip_address: '10.0.0.1' }]), 400, 'AddressPairReserved');
    expectRefusal(
      await act('add', [{ ip_address: '10.0.0.7' }, { ip_address: '10.0.0.7' }]),
      400,
      'DuplicateAddressPairInRequest',
    );
    const nine = Array.from({ length: 9 }, (_, at) => ({ ip_address: `10.0.0.${20 + at}` }));
    await after('add', ...nine);
    expectRefusal(await act('add', [{ ip_address: '10.0.0.7' }]), 400, 'AllowedAddressPairExhausted');
    for (const body of [
      {},
      { allowed_address_pairs: 'x' },
      { allowed_address_pairs: [], name: 'x' },
      [],
      'x',
    ])
      expectRefusal(await by('owner').call('PUT', urlOf('add'), { port: body }), 400, 'HTTPBadRequest');
    await act('remove', [{ ip_address: '10.0.0.100' }, ...nine]);
    await by('owner').call('PUT', `/v2.0/ports/${String(port['id'])}`, {
      port: { port_security_enabled: false, security_groups: [] },
    });
    expectRefusal(await act('add', [{ ip_address: '10.0.0.7' }]), 409, 'AddressPairAndPortSecurityRequired');
  });

  it('are changed by those alone who may update the list', async () => {
    const mine = await by('guest').make('ports', { network_id: port['network_id'] });
    const url = `/v2.0/ports/${String(mine['id'])}/add_allowed_address_pairs`;
    const body = { port: { allowed_address_pairs: [{ ip_address: '10.0.0.7' }] } };
    expect(expectRefusal(await by('guest').call('PUT', url, body), 403, 'PolicyNotAuthorized')).toContain(
      'rule:add_allowed_address_pairs',
    );
    expectRefusal(await by('owner').call('PUT', url, body), 403, 'PolicyNotAuthorized');
    expect((await by('service').call('PUT', url, body)).status).toBe(200);
  });

  it('are none lost when 64 writers change one port through two servers', async () => {
    const second = await under.server({ authenticator: byName });
    const writers = Array.from({ length: 64 }, (_, at) => ({
      client: at % 2 === 0 ? by('owner') : as(second.api, 'owner'),
      pair: { ip_address: `10.0.0.${30 + (at % 8)}`, mac_address: `02:00:00:00:01:0${at % 8}` },
      action: at < 8 || at >= 56 ? ('add' as const) : ('remove' as const),
    }));
    const kept = { ip_address: '10.0.0.40' };
    const replies = await Promise.all([
      act('add', [kept]),
      ...writers.map(({ client, pair, action }) => act(action, [pair], client)),
    ]);
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
    // Eight pairs end as their last writers left them; four of these add, four remove.
    const last = await Promise.all(
      writers.slice(0, 8).map(({ client, pair }, at) => act(at % 2 === 0 ? 'add' : 'remove', [pair], client)),
    );
    expect(last.map(({ status }) => status)).toEqual(last.map(() => 200));
    const shown = await by('owner').call('GET', `/v2.0/ports/${String(port['id'])}`);
    const expected = [0, 2, 4, 6].map((at) => `10.0.0.${30 + at} 02:00:00:00:01:0${at}`);
    expect(textsOf(shown.body['port'] as Json).sort()).toEqual(
      [`10.0.0.100 ${own}`, `10.0.0.40 ${own}`, ...expected].sort(),
    );
  });
});
