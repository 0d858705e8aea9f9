import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { Hosts } from '../testing/hosts.ts';
import { as, byName } from '../testing/people.ts';

let under: UnderTest;
let client: TestClient;
let network: Json;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
  network = await client.make('networks', {});
});
afterEach(() => under.close());

const inside = (more: Json = {}): Json => ({ network_id: network['id'], ...more });
const post = (attributes: Json) => client.call('POST', '/v2.0/ports', { port: inside(attributes) });
const put = (port: Json, attributes: Json) =>
  client.call('PUT', `/v2.0/ports/${String(port['id'])}`, { port: attributes });
const option = (opt_name: string, opt_value: string | null, ip_version = 4) => ({
  opt_name,
  opt_value,
  ip_version,
});

describe('extra DHCP options', () => {
  it('are none, or those that were sent, of IPv4 unless they say otherwise', async () => {
    expect((await client.make('ports', inside()))['extra_dhcp_opts']).toEqual([]);
    expect((await client.make('ports', inside({ extra_dhcp_opts: null })))['extra_dhcp_opts']).toEqual([]);
    const sent = [
      { opt_name: 'bootfile-name', opt_value: 'pxelinux.0' },
      { opt_name: 'tftp-server', opt_value: '2001:db8::1', ip_version: '6' },
      { opt_name: 'router', opt_value: '' },
      { opt_name: 'nothing', opt_value: null },
    ];
    const port = await client.make('ports', inside({ extra_dhcp_opts: sent }));
    expect(port['extra_dhcp_opts']).toEqual([
      option('bootfile-name', 'pxelinux.0'),
      option('tftp-server', '2001:db8::1', 6),
      option('router', ''),
    ]);
    expect((await client.show('ports', port['id']))['extra_dhcp_opts']).toEqual(port['extra_dhcp_opts']);
  });

  it('are added, changed and taken away one by one', async () => {
    const first = [option('a', '1'), option('b', '2'), option('b', '6', 6)];
    const port = await client.make('ports', inside({ extra_dhcp_opts: first }));
    const set = async (extra_dhcp_opts: unknown) =>
      (await client.change('ports', port['id'], { extra_dhcp_opts }))['extra_dhcp_opts'];
    expect(await set([option('b', null), option('c', '3'), option('a', 'one')])).toEqual([
      option('a', 'one'),
      option('b', '6', 6),
      option('c', '3'),
    ]);
    const { revision_number: revision } = await client.show('ports', port['id']);
    for (const same of [null, [], [option('a', 'one')], [option('z', null)]])
      expect(await set(same)).toHaveLength(3);
    expect((await client.show('ports', port['id']))['revision_number']).toBe(revision);
    expect(await set([option('a', null), option('b', null, 6), option('c', null)])).toEqual([]);
    expect((await client.change('ports', port['id'], { name: 'p' }))['extra_dhcp_opts']).toEqual([]);
  });

  it('are of one line, and of nothing that is not known', async () => {
    for (const wrong of [
      'a',
      [7],
      [{}],
      [{ opt_name: 'a' }],
      [{ opt_value: 'a' }],
      [{ ...option('a', '1'), more: 1 }],
      [option('', '1')],
      [option('a', '')],
      [option(' ', '1')],
      [option('a', 'x\ndhcp-script=/bin/sh')],
      [option('a', 'x\r')],
      [option('a\n', '1')],
      [option('a', 'x\u2028y')],
      [option('n'.repeat(65), '1')],
      [option('a', 'v'.repeat(256))],
      [option('a', '1', 5)],
      [{ opt_name: 'a', opt_value: 1 }],
    ]) {
      expectRefusal(await post({ extra_dhcp_opts: wrong }), 400, 'InvalidInput');
    }
    expect(await client.list('ports')).toEqual([]);
  });
});

describe('a MAC of null', () => {
  it('asks for a new one, and addresses that follow from it', async () => {
    await client.make('subnets', inside({ ip_version: 4, cidr: '10.0.0.0/24' }));
    const slaac = { ipv6_ra_mode: 'slaac', ipv6_address_mode: 'slaac' };
    await client.make('subnets', inside({ ip_version: 6, cidr: '2001:db8::/64', ...slaac }));
    const port = await client.make('ports', inside({ mac_address: null }));
    expect(port['mac_address']).toMatch(/^fa:16:3e:/);
    const after = await client.change('ports', port['id'], { mac_address: null });
    expect(after['mac_address']).toMatch(/^fa:16:3e:/);
    expect(after['mac_address']).not.toBe(port['mac_address']);
    const [before4, before6] = port['fixed_ips'] as Json[];
    const [after4, after6] = after['fixed_ips'] as Json[];
    expect(after4).toEqual(before4);
    expect(after6?.['subnet_id']).toBe(before6?.['subnet_id']);
    expect(after6?.['ip_address']).not.toBe(before6?.['ip_address']);
    // The old one is free again.
    await client.make('ports', inside({ mac_address: port['mac_address'] }));
  });

  it('is refused where a MAC stays: on a port that a host has', async () => {
    await (await Hosts.oneAndTwo(under, client)).live('host1');
    const port = await client.make('ports', inside({ 'binding:host_id': 'host1' }));
    expectRefusal(await put(port, { mac_address: null }), 409, 'PortBound');
    expect((await client.show('ports', port['id']))['mac_address']).toBe(port['mac_address']);
  });
});

describe('ip_allocation', () => {
  it('is none for ports that were made without addresses on purpose', async () => {
    const bare = await client.make('ports', inside());
    expect(bare).toMatchObject({ fixed_ips: [], ip_allocation: 'immediate' });
    const subnet = await client.make('subnets', inside({ ip_version: 4, cidr: '10.0.0.0/24' }));
    expect(await client.make('ports', inside())).toMatchObject({ ip_allocation: 'immediate' });
    const none = await client.make('ports', inside({ fixed_ips: [] }));
    expect(none).toMatchObject({ fixed_ips: [], ip_allocation: 'none' });
    expect((await client.list('ports', 'ip_allocation=none')).map((port) => port['id'])).toEqual([
      none['id'],
    ]);
    expect(
      await client.list('ports', 'ip_allocation=immediate&sort_key=ip_allocation&sort_dir=asc'),
    ).toHaveLength(2);
    await client.change('ports', none['id'], { fixed_ips: [{ subnet_id: subnet['id'] }] });
    expectRefusal(await post({ ip_allocation: 'none' }), 400, 'HTTPBadRequest');
  });
});

describe('notes of others', () => {
  it('are kept and shown', async () => {
    const none = { numa_affinity_policy: null, device_profile: null, data_plane_status: null };
    const plain = await client.make('ports', inside());
    expect(plain).toMatchObject(none);
    const noted = await client.make(
      'ports',
      inside({ numa_affinity_policy: 'required', device_profile: 'fpga' }),
    );
    expect(noted).toMatchObject({ ...none, numa_affinity_policy: 'required', device_profile: 'fpga' });
    const changed = { numa_affinity_policy: 'legacy', data_plane_status: 'DOWN' };
    expect(await client.change('ports', noted['id'], changed)).toMatchObject({
      ...changed,
      device_profile: 'fpga',
      status: 'DOWN',
    });
    const cleared = { numa_affinity_policy: null, data_plane_status: null };
    expect(await client.change('ports', noted['id'], cleared)).toMatchObject(cleared);
  });

  it('are of their words alone, each at its time', async () => {
    const port = await client.make('ports', inside());
    for (const wrong of [
      { numa_affinity_policy: 'near' },
      { device_profile: 'x'.repeat(256) },
      { data_plane_status: 'ACTIVE' },
    ])
      expectRefusal(await post(wrong), 400, 'HTTPBadRequest');
    for (const wrong of [{ device_profile: 'fpga' }, { data_plane_status: 'UP' }])
      expectRefusal(await put(port, wrong), 400, 'HTTPBadRequest');
  });
});

describe('what compute services read of a port', () => {
  const hints = { openvswitch: { other_config: { 'tx-steering': 'hash' } } };

  it('is nothing at first, and what administrators say', async () => {
    const none = { trusted: null, hints: null, propagate_uplink_status: true };
    expect(await client.make('ports', inside())).toMatchObject(none);
    const said = { trusted: true, hints, propagate_uplink_status: false };
    const port = await client.make('ports', inside({ ...said, 'binding:profile': { a: 1 } }));
    expect(port).toMatchObject({ ...said, 'binding:profile': { a: 1, trusted: true } });
    const changed = { trusted: 'False', hints: {}, propagate_uplink_status: 'yes' };
    expect(await client.change('ports', port['id'], changed)).toMatchObject({
      trusted: false,
      hints: null,
      propagate_uplink_status: true,
      'binding:profile': { a: 1, trusted: false },
    });
    expect(await client.change('ports', port['id'], { 'binding:profile': {} })).toMatchObject({
      'binding:profile': { trusted: false },
    });
  });

  it('is in the profiles of bindings', async () => {
    const hosts = await Hosts.oneAndTwo(under, client);
    await hosts.live('three');
    const of = { device_owner: 'compute:nova', 'binding:host_id': 'one', trusted: true };
    const port = await client.make('ports', inside(of));
    const url = `/v2.0/ports/${String(port['id'])}/bindings`;
    const made = await client.call('POST', url, { binding: { host: 'two', profile: { b: 2 } } });
    expect(made.body).toMatchObject({ binding: { profile: { b: 2, trusted: true } } });
    const { body } = await client.call('GET', `${url}?fields=profile`);
    expect(body['bindings']).toEqual([{ profile: { trusted: true } }, { profile: { b: 2, trusted: true } }]);
  });

  it('is of its words alone', async () => {
    const port = await client.make('ports', inside());
    for (const [wrong, text] of [
      [{ hints: 'a' }, "Invalid input for hints. Reason: 'a' is not a dictionary."],
      [{ hints: { ovn: {} } }, 'Invalid input for hints. Reason: Unexpected keys supplied: ovn.'],
      [
        { hints: { openvswitch: { other_config: { 'tx-steering': 'x' } } } },
        'Invalid input for hints. Reason: x is not in valid_values.',
      ],
      [{ hints: { openvswitch: null } }, "Invalid input for hints. Reason: 'None' is not a dictionary."],
    ] as const)
      for (const reply of [await post(wrong), await put(port, wrong)])
        expect(expectRefusal(reply, 400, 'HTTPBadRequest')).toBe(text);
    for (const wrong of [{ trusted: null }, { trusted: 'x' }, { propagate_uplink_status: null }])
      expectRefusal(await post(wrong), 400, 'InvalidInput');
  });

  it('is for administrators, but for the uplink', async () => {
    const server = await under.server({ authenticator: byName });
    const [admin, owner, service] = [
      as(server.api, 'admin'),
      as(server.api, 'owner'),
      as(server.api, 'service'),
    ];
    const own = await owner.make('networks', {});
    for (const said of [{ trusted: true }, { trusted: false }, { hints }])
      for (const person of [owner, service]) {
        const reply = await person.call('POST', '/v2.0/ports', { port: { network_id: own['id'], ...said } });
        expectRefusal(reply, 403, 'PolicyNotAuthorized');
      }
    const port = await owner.make('ports', {
      network_id: own['id'],
      hints: null,
      propagate_uplink_status: false,
    });
    expect(port).toMatchObject({ propagate_uplink_status: false });
    await admin.change('ports', port['id'], { trusted: true, hints });
    for (const person of [owner, service]) {
      const shown = await person.show('ports', port['id']);
      expect(Object.keys(shown).filter((name) => ['trusted', 'hints'].includes(name))).toEqual([]);
    }
  });
});
