import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../../model/keys.ts';
import type { AskRecord } from '../../model/records.ts';
import { startAnsweringAgent, startSyncingAgent } from '../testing/answering-agent.ts';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { death, livingHost } from '../testing/hosts.ts';
import { as, byName, type Person } from '../testing/people.ts';

let under: UnderTest;
let client: TestClient;
let stops: (() => void)[];
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
  stops = [];
});
afterEach(async () => {
  for (const stop of stops) stop();
  await under.close();
});

const put = (key: string, value: unknown) =>
  under.store.txn([], [{ op: 'put', key, value: JSON.stringify(value) }]);
const host = (name: string) => under.store.txn([], livingHost(name));

const agent = (name: string, answer: (question: AskRecord) => Json): void => {
  stops.push(startAnsweringAgent(under.store, name, answer));
};

const syncing = (name: string, cutTotal?: () => number): void => {
  stops.push(startSyncingAgent(under.store, name, cutTotal));
};

/** A sync has set its target, and hosts have not reached it. */
const isWaiting = () => expect.poll(() => under.store.get(keys.syncTarget())).not.toBe(null);

const leftovers = async () => (await under.content()).filter(([key]) => /^(asks|answers)\//.test(key));

describe('sync', () => {
  it('is done at once without hosts', async () => {
    const { status, body } = await client.call('GET', '/v1/sync');
    expect({ status, hosts: body['hosts'] }).toEqual({ status: 200, hosts: [] });
  });

  it('waits for every live host', async () => {
    await host('h1');
    await host('h2');
    await host('dead');
    await under.store.txn([], [death('dead')]);
    syncing('h1');
    syncing('h2');
    const { status, body } = await client.call('GET', '/v1/sync?timeout=10');
    expect(status).toBe(200);
    expect((body['hosts'] as string[]).toSorted()).toEqual(['h1', 'h2']);
    expect(body['revision']).toBeGreaterThan(2);
  });

  it.each([-3_600_000, 3_600_000])(
    'waits for a host whose clock is off by %d ms, and calls it alive',
    async (off) => {
      await under.store.txn([], livingHost('skewed', { started: Date.now() + off }));
      const hosts = async () => (await client.call('GET', '/v1/hosts')).body['hosts'];
      await expect.poll(hosts).toMatchObject([{ name: 'skewed', live: true }]);
      const { status, body } = await client.call('GET', '/v1/sync?timeout=0.2');
      expect({ status, late: body['late'] }).toEqual({ status: 504, late: ['skewed'] });
    },
  );

  it('names those that are late', async () => {
    await host('h1');
    await host('mute');
    syncing('h1');
    const { status, body } = await client.call('GET', '/v1/sync?timeout=0.2');
    expect(expectRefusal({ status, body }, 504, 'HTTPGatewayTimeout')).toBe(
      'These hosts did not answer in time: mute.',
    );
    expect(body).toMatchObject({ late: ['mute'], hosts: ['h1'] });
  });

  it('does not wait for a host that goes', async () => {
    await host('h1');
    const reply = client.call('GET', '/v1/sync?timeout=30');
    await isWaiting();
    await under.store.txn([], [death('h1')]);
    expect((await reply).status).toBe(200);
  });

  it('is not done by what a host reached before', async () => {
    await host('h1');
    await put(keys.applied('h1'), { revision: await under.store.revision(), cut_total: 0 });
    const { status, body } = await client.call('GET', '/v1/sync?timeout=0.2');
    expect({ status, late: body['late'] }).toEqual({ status: 504, late: ['h1'] });
  });

  it('counts the connections that were cut since the sync before', async () => {
    await host('h1');
    await host('h2');
    let cut = 3;
    syncing('h1', () => cut);
    syncing('h2', () => 1);
    const counts = async () => {
      const { body } = await client.call('GET', '/v1/sync');
      return [body['cut'], body['cut_total']];
    };
    expect(await counts()).toEqual([4, 4]);
    expect(await counts()).toEqual([0, 4]);
    cut = 5;
    expect(await counts()).toEqual([2, 6]);
    // Its agent has started again.
    cut = 1;
    expect(await counts()).toEqual([1, 2]);
  });

  it('costs each host one write, however many wait at once', async () => {
    await host('h1');
    let writes = 0;
    syncing('h1', () => ++writes);
    const replies = await Promise.all(Array.from({ length: 20 }, () => client.call('GET', '/v1/sync')));
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
    expect(writes).toBeLessThanOrEqual(3);
  });

  it('does not hold up the end of the server', async () => {
    await host('mute');
    const closing = await under.server();
    const reply = closing.call('GET', '/v1/sync?timeout=3600');
    await isWaiting();
    await closing.api.close();
    expect((await reply).status).toBe(504);
  });

  it('refuses times that are none', async () => {
    for (const timeout of ['0', 'x', '-1', '1e9']) {
      expectRefusal(await client.call('GET', `/v1/sync?timeout=${timeout}`), 400, 'HTTPBadRequest');
    }
  });
});

describe('counters', () => {
  it('come from the host that holds the port', async () => {
    const network = await client.make('networks', {});
    const port = await client.make('ports', { network_id: network['id'] });
    const url = `/v1/ports/${String(port['id'])}/counters`;
    expectRefusal(await client.call('GET', '/v1/ports/x/counters'), 404, 'PortNotFound');
    expectRefusal(await client.call('GET', url), 409, 'PortNotBound');
    await host('h1');
    await put(keys.binding(String(network['id']), String(port['id'])), { host: 'h1', status: 'ACTIVE' });
    await expect.poll(async () => (await client.show('ports', port['id']))['status']).toBe('ACTIVE');
    expectRefusal(await client.call('GET', `${url}?timeout=0.1`), 503, 'HostSilent');
    const drops = [{ reason: 'arp-spoof', direction: 'egress', packets: 3, bytes: 126 }];
    agent('h1', (question) =>
      question.kind === 'counters' && question.port === port['id'] ? { drops } : {},
    );
    expect((await client.call('GET', url)).body).toEqual({ port: port['id'], drops });
    expect(await leftovers()).toEqual([]);
    const hosts = await client.call('GET', '/v1/hosts');
    expect(hosts.body).toMatchObject({ hosts: [{ name: 'h1', live: true, ports: 1 }] });
  });

  it('that belong to no port come from the named host', async () => {
    const url = '/v1/hosts/h1/counters';
    expectRefusal(await client.call('GET', url), 404, 'HostNotFound');
    await host('h1');
    await expect.poll(async () => (await client.call('GET', `${url}?timeout=0.1`)).status).toBe(503);
    const drops = [{ reason: 'unknown-port', direction: 'egress', packets: 3, bytes: 126 }];
    agent('h1', (question) => (question.kind === 'host-counters' && question.host === 'h1' ? { drops } : {}));
    expect((await client.call('GET', url)).body).toEqual({ host: 'h1', drops });
    expect(await leftovers()).toEqual([]);
  });

  it('of a port that has been unplugged are not asked for, those of one that is set down are', async () => {
    await host('h1');
    const network = await client.make('networks', {});
    const held = async (admin_state_up: boolean) => {
      const port = await client.make('ports', { network_id: network['id'], admin_state_up });
      const bind = (status: string) =>
        put(keys.binding(String(network['id']), String(port['id'])), { host: 'h1', status });
      const status = async () => (await client.show('ports', port['id']))['status'];
      const ask = async () =>
        (await client.call('GET', `/v1/ports/${String(port['id'])}/counters?timeout=0.1`)).status;
      return { bind, status, ask };
    };
    const unplugged = await held(true);
    await unplugged.bind('ACTIVE');
    await expect.poll(unplugged.status).toBe('ACTIVE');
    await unplugged.bind('DOWN');
    await expect.poll(unplugged.status).toBe('DOWN');
    expect(await unplugged.ask()).toBe(409);
    const down = await held(false);
    await down.bind('DOWN');
    await expect.poll(down.ask).toBe(503);
  });
});

describe('a tenant', () => {
  it('may ask for the counters of what it sees, and is told nothing of hosts', async () => {
    const { api } = await under.server({ authenticator: byName });
    const network = await as(api, 'owner').make('networks', {});
    const port = await as(api, 'owner').make('ports', { network_id: network['id'] });
    await host('h1');
    await put(keys.binding(String(network['id']), String(port['id'])), { host: 'h1', status: 'ACTIVE' });
    const counters = (name: Person) =>
      as(api, name).call('GET', `/v1/ports/${String(port['id'])}/counters?timeout=0.1`);
    await expect.poll(async () => (await counters('owner')).status).toBe(503);
    const said = async (name: Person) => expectRefusal(await counters(name), 503, 'HostSilent');
    expect(await said('owner')).toBe('The host did not answer in time.');
    expect(await said('reader')).toBe('The host did not answer in time.');
    expect(await said('admin')).toBe('Host h1 did not answer in time.');
    expectRefusal(await counters('stranger'), 404, 'PortNotFound');
    for (const url of ['/v1/hosts', '/v1/sync', '/v1/security-group-rules/usage'])
      expectRefusal(await as(api, 'owner').call('GET', url), 403, 'PolicyNotAuthorized');
  });
});

it('metrics are whatever the server is given', async () => {
  expectRefusal(await client.call('GET', '/metrics'), 404, 'HTTPNotFound');
  const measured = await under.server({ metrics: async () => 'up 1\n' });
  const response = await measured.api.app.inject({ url: '/metrics', headers: { host: 'localhost' } });
  expect(response.body).toBe('up 1\n');
});
