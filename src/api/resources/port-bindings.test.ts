/** Several bindings of one port, as live migration uses them, and what ports say of how they are plugged. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../../model/keys.ts';
import {
  type Client,
  expectRefusal,
  type Json,
  openUnderTest,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { as, byName, type Person } from '../testing/people.ts';

const unknownId = '3b0a6f4e-5d1a-4a53-8f0c-0d9f3ac5a111';
const server = '7d7b6a44-63a5-4b8a-9a6a-0b7c5f1e2d3c';

let under: UnderTest;
let client: Client;
let network: string;

beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
  network = String((await client.make('networks', {}))['id']);
  await hostIs('one', { bridge: 'br-one', datapath_type: 'netdev' });
  await hostIs('two', { bridge: 'br-two', datapath_type: 'system' });
});
afterEach(() => under.close());

async function settle(): Promise<void> {
  await client.call('GET', '/v1/sync?timeout=0.01');
}

async function hostIs(name: string, of: Json | null): Promise<void> {
  const key = keys.host(name);
  const record = { name, heartbeat: Date.now(), ttl: 1e6, ...of };
  await under.store.txn(
    [],
    [of === null ? { op: 'delete', key } : { op: 'put', key, value: JSON.stringify(record) }],
  );
  await settle();
}

/** What an agent says of the port. */
async function held(port: string, host: string, status: 'ACTIVE' | 'DOWN'): Promise<void> {
  const value = JSON.stringify({ host, status });
  await under.store.txn([], [{ op: 'put', key: keys.binding(network, port), value }]);
  await settle();
}

const computePort = async (more: Json = {}): Promise<string> => {
  const attributes = { network_id: network, device_owner: 'compute:nova', device_id: server, ...more };
  return String((await client.make('ports', attributes))['id']);
};
const at = (port: string, rest = '') => `/v2.0/ports/${port}/bindings${rest}`;
const bind = (port: string, binding: Json) => client.call('POST', at(port), { binding });
const listed = async (port: string, query = ''): Promise<Json[]> => {
  const { status, body } = await client.call('GET', at(port, query));
  expect(status, JSON.stringify(body)).toBe(200);
  return body['bindings'] as Json[];
};
const statuses = async (port: string) => (await listed(port)).map(({ host, status }) => [host, status]);

const atOne = {
  vif_type: 'ovs',
  vif_details: {
    port_filter: true,
    ovs_hybrid_plug: false,
    connectivity: 'l2',
    bridge_name: 'br-one',
    datapath_type: 'netdev',
  },
};
const atTwo = {
  vif_type: 'ovs',
  vif_details: { ...atOne.vif_details, bridge_name: 'br-two', datapath_type: 'system' },
};
const nowhere = { vif_type: 'unbound', vif_details: {} };

describe('a port that moves', () => {
  it('waits at the other host, moves on activation, and is given up where it was', async () => {
    const port = await computePort({ 'binding:host_id': 'one' });
    await held(port, 'one', 'ACTIVE');
    expect(await listed(port)).toEqual([
      { host: 'one', ...atOne, vnic_type: 'normal', profile: {}, status: 'ACTIVE' },
    ]);
    const made = await bind(port, { host: 'two', vnic_type: 'vdpa', profile: { migrating_to: 'two' } });
    expect(made.status).toBe(201);
    const waiting = { host: 'two', ...atTwo, vnic_type: 'vdpa', profile: { migrating_to: 'two' } };
    expect(made.body).toEqual({ binding: { ...waiting, status: 'INACTIVE' } });
    expect((await client.call('GET', at(port, '/two'))).body).toEqual(made.body);
    expect(await client.show('ports', port)).toMatchObject({
      status: 'ACTIVE',
      'binding:host_id': 'one',
      'binding:vnic_type': 'normal',
    });

    const activated = await client.call('PUT', at(port, '/two/activate'));
    // Neutron does not wrap this one, and its SDK takes it as it comes.
    expect(activated).toEqual({ status: 200, body: { ...waiting, status: 'ACTIVE' } });
    expect(await listed(port)).toEqual([
      { ...waiting, status: 'ACTIVE' },
      { host: 'one', ...nowhere, vnic_type: 'normal', profile: {}, status: 'INACTIVE' },
    ]);
    // The host where it was has yet to notice; that it holds the port counts no more.
    expect(await client.show('ports', port)).toMatchObject({
      status: 'DOWN',
      'binding:host_id': 'two',
      'binding:vif_type': 'ovs',
      'binding:vif_details': { ...atTwo.vif_details, bound_drivers: { '0': 'openvswitch' } },
      'binding:vnic_type': 'vdpa',
      'binding:profile': { migrating_to: 'two' },
    });
    await held(port, 'two', 'ACTIVE');
    expect(await client.show('ports', port)).toMatchObject({ status: 'ACTIVE' });
    expect((await client.call('DELETE', at(port, '/one'))).status).toBe(204);
    expect(await statuses(port)).toEqual([['two', 'ACTIVE']]);
  });

  it('goes back when the move fails', async () => {
    const port = await computePort({ 'binding:host_id': 'one' });
    await bind(port, { host: 'two' });
    await client.call('PUT', at(port, '/two/activate'));
    await client.call('PUT', at(port, '/one/activate'));
    expect(await statuses(port)).toEqual([
      ['one', 'ACTIVE'],
      ['two', 'INACTIVE'],
    ]);
    expect(await client.show('ports', port)).toMatchObject({ 'binding:vif_type': 'ovs' });
    await client.call('DELETE', at(port, '/two'));
    expect(await statuses(port)).toEqual([['one', 'ACTIVE']]);
  });

  it('has exactly one active binding, whoever activates at once', async () => {
    const second = await under.server();
    const port = await computePort({ 'binding:host_id': 'one' });
    const others = ['two', 'three', 'four', 'five'];
    for (const host of others) expect((await bind(port, { host })).status).toBe(201);
    const answers = await Promise.all(
      ['one', ...others, ...others].map((host, i) =>
        (i % 2 === 0 ? client : second).call('PUT', at(port, `/${host}/activate`)),
      ),
    );
    for (const { status } of answers) expect([200, 409]).toContain(status);
    const after = await listed(port);
    expect(after.filter(({ status }) => status === 'ACTIVE')).toHaveLength(1);
    expect(after.map(({ host }) => host).toSorted()).toEqual(['one', ...others].toSorted());
    const shown = await client.show('ports', port);
    expect(shown['binding:host_id']).toBe(after.find(({ status }) => status === 'ACTIVE')?.['host']);
  });

  it('is pinned where it is held, even if nobody had asked for a host', async () => {
    const port = await computePort();
    await held(port, 'one', 'ACTIVE');
    expect(await statuses(port)).toEqual([['one', 'ACTIVE']]);
    expectRefusal(await bind(port, { host: 'one' }), 409, 'PortBindingAlreadyExists');
    await bind(port, { host: 'two' });
    await held(port, 'one', 'DOWN');
    expect(await statuses(port)).toEqual([
      ['one', 'ACTIVE'],
      ['two', 'INACTIVE'],
    ]);
  });

  it('is one revision on with each change, and none without one', async () => {
    const port = await computePort({ 'binding:host_id': 'one' });
    const revision = async () => (await client.show('ports', port))['revision_number'];
    const first = Number(await revision());
    await bind(port, { host: 'two' });
    expect(await revision()).toBe(first + 1);
    await client.call('PUT', at(port, '/two'), { binding: {} });
    await client.call('PUT', at(port, '/two'), { binding: { vnic_type: 'normal' } });
    expect(await revision()).toBe(first + 1);
    await client.call('PUT', at(port, '/two/activate'));
    expect(await revision()).toBe(first + 2);
    await client.call('PUT', `/v2.0/ports/${port}/tags/blue`);
    const tagged = await revision();
    await client.change('ports', port, { name: '', 'binding:host_id': 'two' });
    expect(await revision()).toBe(tagged);
  });
});

describe('bindings', () => {
  it('of a port that is nowhere are one that is unbound', async () => {
    const port = await computePort();
    const empty = { host: '', ...nowhere, vnic_type: 'normal', profile: {}, status: 'ACTIVE' };
    expect(await listed(port)).toEqual([empty]);
    expect((await bind(port, { host: 'one' })).body).toMatchObject({ binding: { status: 'INACTIVE' } });
    await client.call('PUT', at(port, '/one/activate'));
    expect(await listed(port)).toEqual([
      { host: 'one', ...atOne, vnic_type: 'normal', profile: {}, status: 'ACTIVE' },
      { ...empty, status: 'INACTIVE' },
    ]);
  });

  it('can all be deleted; the next one is active', async () => {
    const port = await computePort({ 'binding:host_id': 'one' });
    expect((await client.call('DELETE', at(port, '/one'))).status).toBe(204);
    expect(await listed(port)).toEqual([]);
    expect(await client.show('ports', port)).toMatchObject({
      'binding:host_id': '',
      'binding:vif_type': 'unbound',
    });
    expect((await bind(port, { host: 'two' })).body).toMatchObject({ binding: { status: 'ACTIVE' } });
    expect(await client.show('ports', port)).toMatchObject({ 'binding:host_id': 'two' });
    expect(await statuses(port)).toEqual([['two', 'ACTIVE']]);
  });

  it('are changed one by one', async () => {
    const port = await computePort({ 'binding:host_id': 'one', 'binding:profile': { a: 1 } });
    await bind(port, { host: 'two', profile: { b: 1 } });
    const put = (host: string, binding: Json) => client.call('PUT', at(port, `/${host}`), { binding });
    expect((await put('two', { vnic_type: 'vdpa' })).body).toMatchObject({
      binding: { host: 'two', vnic_type: 'vdpa', profile: { b: 1 }, status: 'INACTIVE' },
    });
    expect((await put('two', { profile: null })).body).toMatchObject({ binding: { profile: {} } });
    expect((await put('two', { host: 'three' })).body).toMatchObject({
      binding: { host: 'three', vif_type: 'binding_failed', vif_details: {} },
    });
    expect((await put('one', { profile: { a: 2 } })).body).toMatchObject({ binding: { status: 'ACTIVE' } });
    expect(await client.show('ports', port)).toMatchObject({ 'binding:profile': { a: 2 } });
    expectRefusal(await put('three', { host: 'one' }), 409, 'PortBindingAlreadyExists');
    expect(await statuses(port)).toEqual([
      ['one', 'ACTIVE'],
      ['three', 'INACTIVE'],
    ]);
  });

  it('are filtered, sorted, paged and cut to fields', async () => {
    const port = await computePort({ 'binding:host_id': 'one' });
    await bind(port, { host: 'two' });
    await bind(port, { host: 'three', vnic_type: 'vdpa' });
    expect(await listed(port, '?status=ACTIVE&fields=host')).toEqual([{ host: 'one' }]);
    expect(await listed(port, '?vnic_type=vdpa&fields=host&fields=status')).toEqual([
      { host: 'three', status: 'INACTIVE' },
    ]);
    expect(await listed(port, '?host=nobody')).toEqual([]);
    const hosts = async (query: string) => (await listed(port, query)).map(({ host }) => host);
    expect(await hosts('?sort_key=host&sort_dir=desc')).toEqual(['two', 'three', 'one']);
    expect(await hosts('?sort_key=host&sort_dir=asc&limit=1&marker=one')).toEqual(['three']);
    expectRefusal(await client.call('GET', at(port, '?color=red')), 400, 'HTTPBadRequest');
    expect((await client.call('GET', at(port, '/one?fields=status'))).body).toEqual({
      binding: { status: 'ACTIVE' },
    });
  });

  it("follow the port: none where it now is, none when it is nobody's", async () => {
    const port = await computePort({ 'binding:host_id': 'one' });
    await bind(port, { host: 'two' });
    await bind(port, { host: 'three' });
    await client.change('ports', port, { 'binding:host_id': 'two' });
    expect(await statuses(port)).toEqual([
      ['two', 'ACTIVE'],
      ['three', 'INACTIVE'],
    ]);
    await client.change('ports', port, { device_id: '', device_owner: '', 'binding:host_id': null });
    await client.change('ports', port, { device_owner: 'compute:nova' });
    expect(await statuses(port)).toEqual([['', 'ACTIVE']]);
    await client.remove('ports', port);
    expect((await under.content()).filter(([key]) => key.startsWith('ports/'))).toEqual([]);
  });

  it("are refused in Neutron's words", async () => {
    const port = await computePort({ 'binding:host_id': 'one' });
    await bind(port, { host: 'two' });
    const plain = String((await client.make('ports', { network_id: network }))['id']);
    const before = await under.content();
    for (const [method, rest, body] of [
      ['GET', '', undefined],
      ['POST', '', { binding: { host: 'one' } }],
      ['GET', '/one', undefined],
      ['PUT', '/one', { binding: {} }],
      ['PUT', '/one/activate', undefined],
      ['DELETE', '/one', undefined],
    ] as const) {
      const notCompute = await client.call(method, at(plain, rest), body);
      expect(expectRefusal(notCompute, 400, 'BadRequest')).toBe(
        `Bad port request: Invalid port ${plain}. Operation only valid on compute ports.`,
      );
      expectRefusal(await client.call(method, at(unknownId, rest), body), 404, 'PortNotFound');
      if (rest === '') continue;
      const nobody = await client.call(method, at(port, rest.replace('one', 'nobody')), body);
      expect(expectRefusal(nobody, 404, 'PortBindingNotFound')).toBe(
        `Binding for port ${port} for host nobody could not be found.`,
      );
    }
    const exists = expectRefusal(await bind(port, { host: 'two' }), 409, 'PortBindingAlreadyExists');
    expect(exists).toBe(`Binding for port ${port} on host two already exists.`);
    const active = await client.call('PUT', at(port, '/one/activate'));
    expect(expectRefusal(active, 409, 'PortBindingAlreadyActive')).toBe(
      `Binding for port ${port} on host one is already active.`,
    );
    for (const binding of [
      {},
      { host: 5 },
      { host: null },
      { host: 'x'.repeat(256) },
      { host: 'h', vnic_type: 'x' },
      { host: 'h', profile: 'x' },
      { host: 'h', vif_type: 'ovs' },
      { host: 'h', status: 'ACTIVE' },
      { host: 'h', color: 'red' },
    ])
      expectRefusal(await bind(port, binding), 400, 'HTTPBadRequest');
    const several = await client.call('POST', at(port), { bindings: [{ host: 'a' }, { host: 'b' }] });
    expect(expectRefusal(several, 400, 'HTTPBadRequest')).toBe('Bulk operation not supported');
    for (const [method, rest] of [
      ['PUT', ''],
      ['DELETE', ''],
      ['POST', '/one'],
      ['GET', '/one/activate'],
      ['DELETE', '/one/activate'],
    ] as const)
      expectRefusal(await client.call(method, at(port, rest)), 405, 'HTTPMethodNotAllowed');
    expect(await under.content()).toEqual(before);
  });

  it('are bounded', async () => {
    const port = await computePort({ 'binding:host_id': 'one' });
    for (let i = 0; i < 64; i++) expect((await bind(port, { host: `h${i}` })).status).toBe(201);
    expectRefusal(await bind(port, { host: 'one more' }), 400, 'HTTPBadRequest');
    expect(await listed(port)).toHaveLength(65);
  });

  it('are for administrators and services', async () => {
    const { api } = await under.server({ authenticator: byName });
    const person = (name: Person) => as(api, name);
    const net = await person('owner').make('networks', {});
    const made = await person('owner').make('ports', {
      network_id: net['id'],
      device_owner: 'compute:nova',
      device_id: server,
    });
    const port = String(made['id']);
    for (const [method, rest, body] of [
      ['POST', '', { binding: { host: 'one' } }],
      ['GET', '', undefined],
      ['GET', '/one', undefined],
      ['PUT', '/one', { binding: {} }],
      ['PUT', '/one/activate', undefined],
      ['DELETE', '/one', undefined],
    ] as const) {
      for (const name of ['owner', 'reader'] as const)
        expectRefusal(await person(name).call(method, at(port, rest), body), 403, 'PolicyNotAuthorized');
      expectRefusal(await person('stranger').call(method, at(port, rest), body), 404, 'PortNotFound');
      const { status } = await person('service').call(method, at(port, rest), body);
      expect(status, `${method} ${rest}`).toBeLessThan(300);
    }
    const shown = await person('owner').show('ports', port);
    expect(Object.keys(shown).filter((key) => key.includes('binding'))).toEqual(['binding:vnic_type']);
  });
});

describe('how a port is plugged', () => {
  it('follows from the host that has it', async () => {
    const port = await computePort({ 'binding:host_id': 'late' });
    const plug = async () => {
      const shown = await client.show('ports', port);
      return { vif_type: shown['binding:vif_type'], vif_details: shown['binding:vif_details'] };
    };
    // No agent there: compute services take that as "try another host".
    expect(await plug()).toEqual({ vif_type: 'binding_failed', vif_details: {} });
    expect(await client.list('ports', 'binding:vif_type=binding_failed')).toHaveLength(1);
    // What is plugged nowhere may change its MAC.
    await client.change('ports', port, { mac_address: 'fa:16:3e:00:00:01' });
    await hostIs('late', { bridge: 'br-late', datapath_type: 'system' });
    const bound = {
      vif_type: 'ovs',
      vif_details: {
        ...atTwo.vif_details,
        bridge_name: 'br-late',
        bound_drivers: { '0': 'openvswitch' },
      },
    };
    expect(await plug()).toEqual(bound);
    // An agent that is started again is away for a moment, and its ports stay where they are.
    await held(port, 'late', 'ACTIVE');
    await hostIs('late', null);
    expect(await plug()).toMatchObject({ vif_type: 'ovs' });
    await client.change('ports', port, { 'binding:host_id': '' });
    await held(port, 'late', 'DOWN');
    expect(await plug()).toEqual(nowhere);
  });

  it('fails at a host that is silent, until that is heard again', async () => {
    const overdue = {
      heartbeat: Date.now() - 60_000,
      ttl: 30_000,
      bridge: 'br-dead',
      datapath_type: 'netdev',
    };
    const plug = async (port: string) => (await client.show('ports', port))['binding:vif_type'];
    const before = await computePort({ 'binding:host_id': 'one' });
    await hostIs('dead', overdue);
    const made = await computePort({ 'binding:host_id': 'dead' });
    const moved = await computePort();
    await client.change('ports', moved, { 'binding:host_id': 'dead' });
    const waits = await computePort({ 'binding:host_id': 'two' });
    const waiting = await bind(waits, { host: 'dead' });
    expect(waiting.body).toMatchObject({ binding: { vif_type: 'binding_failed', vif_details: {} } });
    for (const port of [made, moved]) expect(await plug(port)).toBe('binding_failed');
    // Each change is another try.
    await client.change('ports', made, { name: 'again' });
    await client.call('PUT', at(waits, '/dead'), { binding: { vnic_type: 'vdpa' } });
    expect(await plug(made)).toBe('binding_failed');
    expect((await listed(waits, '?host=dead'))[0]).toMatchObject({ vif_type: 'binding_failed' });
    // What was bound before its host fell silent stays bound.
    await hostIs('one', { ...overdue, bridge: 'br-one' });
    await client.change('ports', before, { name: 'still' });
    expect(await plug(before)).toBe('ovs');

    await hostIs('dead', { ...overdue, heartbeat: Date.now() });
    for (const port of [made, moved]) expect(await plug(port)).toBe('ovs');
    expect((await listed(waits, '?host=dead'))[0]).toMatchObject({ vif_type: 'ovs' });
    expect((await client.call('PUT', at(waits, '/dead/activate'))).body).toMatchObject({
      vif_type: 'ovs',
      status: 'ACTIVE',
    });
    expect(await plug(waits)).toBe('ovs');
    // Nor does anything of that show.
    const shown = Object.keys(await client.show('ports', made));
    expect(shown.filter((name) => /silent|inactive|removed/.test(name))).toEqual([]);
  });

  it('fails for devices that a virtual switch does not have', async () => {
    const vifOf = async (port: string) => (await client.show('ports', port))['binding:vif_type'];
    const port = await computePort({ 'binding:host_id': 'one', 'binding:vnic_type': 'direct' });
    expect(await client.show('ports', port)).toMatchObject({
      'binding:vif_type': 'binding_failed',
      'binding:vif_details': {},
    });
    // A function of a card that leaves its frames to the switch is plugged into it.
    await client.change('ports', port, { 'binding:profile': { capabilities: ['switchdev'] } });
    expect(await vifOf(port)).toBe('ovs');
    for (const kind of ['macvtap', 'baremetal', 'direct-physical', 'virtio-forwarder', 'smart-nic']) {
      await client.change('ports', port, { 'binding:vnic_type': kind });
      expect(await vifOf(port), kind).toBe('binding_failed');
    }
    for (const kind of ['vdpa', 'normal']) {
      await client.change('ports', port, { 'binding:vnic_type': kind });
      expect(await vifOf(port), kind).toBe('ovs');
    }
    const waiting = await bind(port, { host: 'two', vnic_type: 'macvtap' });
    expect(waiting.body).toMatchObject({ binding: { vif_type: 'binding_failed', vif_details: {} } });
    // What is plugged is plugged, whatever it was meant to be.
    await held(port, 'one', 'ACTIVE');
    await client.change('ports', port, { 'binding:vnic_type': 'direct' });
    expect(await vifOf(port)).toBe('ovs');
  });

  it('fails when a port is brought to a silent host by activation', async () => {
    const port = await computePort({ 'binding:host_id': 'one' });
    await bind(port, { host: 'two' });
    await client.call('PUT', at(port, '/two/activate'));
    await hostIs('one', { heartbeat: Date.now() - 60_000, ttl: 30_000, bridge: 'br-one' });
    expect((await client.call('PUT', at(port, '/one/activate'))).body).toMatchObject({
      vif_type: 'binding_failed',
    });
    expect(await client.show('ports', port)).toMatchObject({ 'binding:vif_type': 'binding_failed' });
    await held(port, 'one', 'ACTIVE');
    expect(await client.show('ports', port)).toMatchObject({ 'binding:vif_type': 'ovs', status: 'ACTIVE' });
  });
});
