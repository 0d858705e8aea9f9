/** What ports say of how they are plugged. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { atTwo, Hosts, nowhere } from '../testing/hosts.ts';

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

const hostIs = (name: string, of: Json): Promise<void> => hosts.is(name, of);
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

describe('how a port is plugged', () => {
  it('fails on a host without a mapping for the physical network', async () => {
    const wire = await client.make('networks', {
      'provider:network_type': 'flat',
      'provider:physical_network': 'physnet1',
    });
    await hostIs('mapped', {
      bridge: 'br-mapped',
      datapath_type: 'system',
      bridge_mappings: { physnet1: 'br-ex' },
    });
    await hostIs('other', {
      bridge: 'br-other',
      datapath_type: 'system',
      bridge_mappings: { physnet2: 'br-ex' },
    });
    const port = await computePort({ network_id: wire['id'], 'binding:host_id': 'one' });
    const plug = async () => (await client.show('ports', port))['binding:vif_type'];
    expect(await plug()).toBe('binding_failed');
    await client.change('ports', port, { 'binding:host_id': 'mapped' });
    expect(await plug()).toBe('ovs');
    expectRefusal(await bind(port, { host: 'other' }), 500, 'PortBindingError');
    await hostIs('mapped', { bridge: 'br-mapped', datapath_type: 'system' });
    expect(await plug()).toBe('binding_failed');
  });

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
    await hosts.dies('late');
    expect(await plug()).toMatchObject({ vif_type: 'ovs' });
    await client.change('ports', port, { 'binding:host_id': '' });
    await held(port, 'late', 'DOWN');
    expect(await plug()).toEqual(nowhere);
  });

  it('fails at a host that is dead, until that returns', async () => {
    const known = { bridge: 'br-dead', datapath_type: 'netdev' };
    const plug = async (port: string) => (await client.show('ports', port))['binding:vif_type'];
    const before = await computePort({ 'binding:host_id': 'one' });
    await hostIs('dead', known);
    await hosts.dies('dead');
    const made = await computePort({ 'binding:host_id': 'dead' });
    const moved = await computePort();
    await client.change('ports', moved, { 'binding:host_id': 'dead' });
    const waits = await computePort({ 'binding:host_id': 'two' });
    const text = expectRefusal(await bind(waits, { host: 'dead' }), 500, 'PortBindingError');
    expect(text).toBe(`Binding for port ${waits} on host dead could not be created or updated.`);
    expect(await listed(waits, '?host=dead')).toEqual([]);
    for (const port of [made, moved]) expect(await plug(port)).toBe('binding_failed');
    // Each change is another try.
    await client.change('ports', made, { name: 'again' });
    expect(await plug(made)).toBe('binding_failed');
    // What was bound before its host died stays bound.
    await hosts.dies('one');
    await client.change('ports', before, { name: 'still' });
    expect(await plug(before)).toBe('ovs');

    await hostIs('dead', known);
    for (const port of [made, moved]) expect(await plug(port)).toBe('ovs');
    expect((await bind(waits, { host: 'dead' })).body).toMatchObject({ binding: { vif_type: 'ovs' } });
    expect((await client.call('PUT', at(waits, '/dead/activate'))).body).toMatchObject({
      vif_type: 'ovs',
      status: 'ACTIVE',
    });
    expect(await plug(waits)).toBe('ovs');
    // Nor does anything of that show.
    const shown = Object.keys(await client.show('ports', made));
    expect(shown.filter((name) => /silent|inactive|removed/.test(name))).toEqual([]);
  });

  it('is not told before an agent has met its bridge, and remembered while it is away', async () => {
    const port = await computePort({ 'binding:host_id': 'new' });
    const plug = async () => {
      const shown = await client.show('ports', port);
      return [shown['binding:vif_type'], (shown['binding:vif_details'] as Json)['datapath_type']];
    };
    // Whatever was said instead, somebody would make the bridge so.
    await hostIs('new', { bridge: 'br-new' });
    expect(await plug()).toEqual(['binding_failed', undefined]);
    const waits = await computePort({ 'binding:host_id': 'one' });
    expectRefusal(await bind(waits, { host: 'new' }), 500, 'PortBindingError');
    await hostIs('new', { bridge: 'br-new', datapath_type: 'netdev' });
    expect(await plug()).toEqual(['ovs', 'netdev']);
    expect((await bind(waits, { host: 'new' })).status).toBe(201);
    await held(port, 'new', 'ACTIVE');
    await hosts.dies('new');
    expect(await plug()).toEqual(['ovs', 'netdev']);
    await hostIs('new', { bridge: 'br-new' });
    expect(await plug()).toEqual(['ovs', 'netdev']);
    await hosts.dies('new');
    const [agent] = await client.list('agents', 'host=new');
    expect(agent?.['configurations']).not.toHaveProperty('datapath_type');
    await client.remove('agents', agent?.['id']);
    expect((await under.content()).filter(([key]) => key.endsWith('/new'))).toEqual([]);
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
    const foreign = [
      'macvtap',
      'baremetal',
      'direct-physical',
      'virtio-forwarder',
      'smart-nic',
      'remote-managed',
    ];
    for (const kind of [...foreign, 'accelerator-direct', 'accelerator-direct-physical']) {
      await client.change('ports', port, { 'binding:vnic_type': kind });
      expect(await vifOf(port), kind).toBe('binding_failed');
    }
    for (const kind of ['vdpa', 'normal']) {
      await client.change('ports', port, { 'binding:vnic_type': kind });
      expect(await vifOf(port), kind).toBe('ovs');
    }
    expectRefusal(await bind(port, { host: 'two', vnic_type: 'macvtap' }), 500, 'PortBindingError');
    expect((await bind(port, { host: 'two' })).status).toBe(201);
    const before = await listed(port);
    const put = await client.call('PUT', at(port, '/two'), { binding: { vnic_type: 'macvtap' } });
    expectRefusal(put, 500, 'PortBindingError');
    expect(await listed(port)).toEqual(before);
    // What is plugged is plugged, whatever it was meant to be.
    await held(port, 'one', 'ACTIVE');
    await client.change('ports', port, { 'binding:vnic_type': 'direct' });
    expect(await vifOf(port)).toBe('ovs');
  });

  it('fails when a port is brought to a dead host by activation', async () => {
    const port = await computePort({ 'binding:host_id': 'one' });
    await bind(port, { host: 'two' });
    await client.call('PUT', at(port, '/two/activate'));
    await hosts.dies('one');
    expect((await client.call('PUT', at(port, '/one/activate'))).body).toMatchObject({
      vif_type: 'binding_failed',
    });
    expect(await client.show('ports', port)).toMatchObject({ 'binding:vif_type': 'binding_failed' });
    await held(port, 'one', 'ACTIVE');
    expect(await client.show('ports', port)).toMatchObject({ 'binding:vif_type': 'ovs', status: 'DOWN' });
    await hosts.live('one');
    expect(await client.show('ports', port)).toMatchObject({ 'binding:vif_type': 'ovs', status: 'ACTIVE' });
  });
});
