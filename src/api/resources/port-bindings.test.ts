/** Several bindings of one port, as live migration uses them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { atOne, atTwo, Hosts, nowhere } from '../testing/hosts.ts';
import { as, byName, type Person } from '../testing/people.ts';

const unknownId = '3b0a6f4e-5d1a-4a53-8f0c-0d9f3ac5a111';
const server = '7d7b6a44-63a5-4b8a-9a6a-0b7c5f1e2d3c';

let under: UnderTest;
let client: TestClient;
let network: string;
let hosts: Hosts;

beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
  network = String((await client.make('networks', {}))['id']);
  hosts = await Hosts.oneAndTwo(under, client);
});
afterEach(() => under.close());

const held = (port: string, host: string, status: 'ACTIVE' | 'DOWN'): Promise<void> =>
  hosts.hold(network, port, host, status);

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
    await hosts.live('three', 'four', 'five');
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
    const nobody = await put('two', { host: 'three' });
    expect(expectRefusal(nobody, 500, 'PortBindingError')).toBe(
      `Binding for port ${port} on host three could not be created or updated.`,
    );
    await hosts.live('three');
    expect((await put('two', { host: 'three' })).body).toMatchObject({
      binding: { host: 'three', vif_type: 'ovs', vif_details: { bridge_name: 'br-three' } },
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
    await hosts.live('three');
    await bind(port, { host: 'two' });
    await bind(port, { host: 'three', vnic_type: 'vdpa' });
    expect(await listed(port, '?status=ACTIVE&fields=host')).toEqual([{ host: 'one' }]);
    expect(await listed(port, '?vnic_type=vdpa&fields=host&fields=status')).toEqual([
      { host: 'three', status: 'INACTIVE' },
    ]);
    expect(await listed(port, '?host=nobody')).toEqual([]);
    const names = async (query: string) => (await listed(port, query)).map(({ host }) => host);
    expect(await names('?sort_key=host&sort_dir=desc')).toEqual(['two', 'three', 'one']);
    expect(await names('?sort_key=host&sort_dir=asc&limit=1&marker=one')).toEqual(['three']);
    expectRefusal(await client.call('GET', at(port, '?color=red')), 400, 'HTTPBadRequest');
    expect((await client.call('GET', at(port, '/one?fields=status'))).body).toEqual({
      binding: { status: 'ACTIVE' },
    });
  });

  it("follow the port: none where it now is, none when it is nobody's", async () => {
    const port = await computePort({ 'binding:host_id': 'one' });
    await hosts.live('three');
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
    for (let i = 0; i < 64; i++) {
      await hosts.live(`h${i}`);
      expect((await bind(port, { host: `h${i}` })).status).toBe(201);
    }
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
