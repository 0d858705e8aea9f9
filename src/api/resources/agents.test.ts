import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostRecord } from '../../model/records.ts';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { death, livingHost } from '../testing/hosts.ts';
import { as, byName } from '../testing/people.ts';

let under: UnderTest;
let admin: TestClient;
let owner: TestClient;
beforeEach(async () => {
  under = await openUnderTest('memory');
  await host('one');
  const server = await under.server({ authenticator: byName });
  admin = as(server.api, 'admin');
  owner = as(server.api, 'owner');
});
afterEach(() => under.close());

async function host(name: string, more: Partial<HostRecord> = {}): Promise<void> {
  const started = Date.parse('2026-01-02T03:04:05Z');
  await under.store.txn([], livingHost(name, { started, bridge: 'br-x', ...more }));
}

/** The agents once there are so many: hosts speak to the store, not to the server. */
async function agents(count: number, query = ''): Promise<Json[]> {
  await expect.poll(async () => (await admin.list('agents')).length).toBe(count);
  return admin.list('agents', query);
}

describe('agents', () => {
  it('are the hosts', async () => {
    const [agent] = await agents(1);
    expect(agent).toMatchObject({
      agent_type: 'Open vSwitch agent',
      binary: 'neutron-openvswitch-agent',
      host: 'one',
      admin_state_up: true,
      alive: true,
      created_at: '2026-01-02 03:04:05',
      started_at: '2026-01-02 03:04:05',
      configurations: { integration_bridge: 'br-x', devices: 0 },
      description: null,
    });
    expect(agent?.['id']).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(agent?.['heartbeat_timestamp']).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    expect(await admin.show('agents', agent?.['id'])).toEqual(agent);
    const unknown = '3b0a6f4e-5d1a-4a53-8f0c-0d9f3ac5a111';
    const missing = await admin.call('GET', `/v2.0/agents/${unknown}`);
    expect(expectRefusal(missing, 404, 'AgentNotFound')).toBe(`Agent ${unknown} could not be found.`);
  });

  it('are found by what they are, and by whether they live', async () => {
    await host('two');
    await under.store.txn([], [death('two')]);
    await agents(2);
    const names = async (query: string) => (await admin.list('agents', query)).map((agent) => agent['host']);
    expect(await names('host=two')).toEqual(['two']);
    expect(await names('host=three')).toEqual([]);
    expect(await names('alive=False')).toEqual(['two']);
    expect(await names('alive=true&agent_type=Open%20vSwitch%20agent')).toEqual(['one']);
    expect(await names('binary=neutron-dhcp-agent')).toEqual([]);
    expect(await names('sort_key=host&sort_dir=desc&fields=host')).toEqual(['two', 'one']);
  });

  it('keep what administrators note of them over signs of life', async () => {
    const [agent] = await agents(1);
    const noted = await admin.change('agents', agent?.['id'], { description: 'old', admin_state_up: false });
    expect(noted).toMatchObject({ description: 'old', admin_state_up: false, host: 'one' });
    await host('one', { datapath_type: 'netdev' });
    await expect
      .poll(async () => (await admin.show('agents', agent?.['id']))['configurations'])
      .toMatchObject({ datapath_type: 'netdev' });
    expect(await admin.show('agents', agent?.['id'])).toMatchObject({
      description: 'old',
      admin_state_up: false,
    });
    expect(await admin.change('agents', agent?.['id'], { description: null })).toMatchObject({
      description: null,
    });
    for (const attributes of [{ host: 'x' }, { alive: false }, { description: 'x'.repeat(256) }]) {
      const url = `/v2.0/agents/${String(agent?.['id'])}`;
      expectRefusal(await admin.call('PUT', url, { agent: attributes }), 400, 'HTTPBadRequest');
    }
  });

  it('are forgotten until they show signs of life again', async () => {
    const [agent] = await agents(1);
    await admin.change('agents', agent?.['id'], { description: 'old' });
    await admin.remove('agents', agent?.['id']);
    expect(await admin.list('agents')).toEqual([]);
    await host('one');
    expect(await agents(1)).toMatchObject([{ id: agent?.['id'], description: null }]);
  });

  it('are not made by requests', async () => {
    expectRefusal(await admin.call('POST', '/v2.0/agents', { agent: {} }), 400, 'HTTPBadRequest');
  });

  it('are for administrators', async () => {
    const [agent] = await agents(1);
    expect(await owner.list('agents')).toEqual([]);
    const url = `/v2.0/agents/${String(agent?.['id'])}`;
    expectRefusal(await owner.call('GET', url), 404, 'AgentNotFound');
    expectRefusal(await owner.call('PUT', url, { agent: { description: 'x' } }), 404, 'AgentNotFound');
    expectRefusal(await owner.call('DELETE', url), 404, 'AgentNotFound');
  });
});
