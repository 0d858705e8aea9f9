/**
 * A whole live migration: one store, an API, two hypervisors with a switch and an agent each, and a compute
 * service that receives the events.
 */
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Agent } from '../../src/agent/agent.ts';
import { Notifier } from '../../src/api/nova/notifier.ts';
import { NovaClient } from '../../src/api/nova/nova-client.ts';
import { ComputeService } from '../../src/api/nova/testing/compute-service.ts';
import { createApi } from '../../src/api/server.ts';
import { clientOf, type Json, type TestClient } from '../../src/api/testing/api-under-test.ts';
import { keys } from '../../src/model/keys.ts';
import type { Store } from '../../src/store/contract.ts';
import { ip, mac, udpFrame } from '../lib/frames.ts';
import { startSwitch } from '../lib/switch.ts';
import { until } from '../lib/wait.ts';
import { Lab, startLab } from './lab.ts';

const server = '7d7b6a44-63a5-4b8a-9a6a-0b7c5f1e2d3c';
const guestMac = '02:00:00:00:00:01';
const peerMac = { here: '02:00:00:00:00:0a', there: '02:00:00:00:00:0b' } as const;
type Host = keyof typeof peerMac;

let labs: Readonly<Record<Host, Lab>>;
let agents: Record<Host, Agent>;
let client: TestClient;
let nova: ComputeService;
let guest: string;
let closers: (() => Promise<unknown>)[];
/** Holds back a host's writes to the store. */
let gate: Promise<void> | null;

/** A store that can hold back the report of a host that releases a port. */
const slow = (store: Store): Store =>
  new Proxy(store, {
    get: (target, name) => {
      const method = (Reflect.get(target, name) as (...args: unknown[]) => unknown).bind(target);
      if (name !== 'txn') return method;
      return async (...args: unknown[]) => {
        if (gate !== null && JSON.stringify(args).includes('DOWN')) await gate;
        return method(...args);
      };
    },
  });

async function agentAt(host: Host): Promise<Agent> {
  const { switch: made, bridge } = labs[host];
  const agent = new Agent({
    store: slow(labs.here.store),
    log: pino({ level: 'silent' }),
    host,
    ovsdb: made.dbTarget,
    openflow: made.mgmt(bridge),
    rundir: made.dir,
    bridge,
    datapathType: made.datapathType,
  });
  await agent.start();
  await agent.firstApplied;
  return agent;
}

beforeEach(async () => {
  closers = [];
  gate = null;
  const here = await startLab({ dummy: true });
  closers.push(() => here.stop());
  const there = new Lab(await startSwitch({ dummy: true }), { dummy: true });
  closers.push(() => there.stop());
  labs = { here, there };
  const api = createApi({
    store: here.store,
    log: pino({ level: 'silent' }),
    listen: { host: '127.0.0.1', port: 0 },
  });
  closers.push(() => api.close());
  await api.ready();
  client = clientOf(api);
  nova = new ComputeService();
  await nova.open();
  closers.push(() => nova.close());
  const notifier = new Notifier({
    store: here.store,
    log: pino({ level: 'silent' }),
    client: new NovaClient({ url: nova.url, tokens: null, timeout: 5000 }),
    interval: 50,
  });
  closers.push(() => notifier.stop());
  notifier.start();
  agents = { here: await agentAt('here'), there: await agentAt('there') };
  closers.push(() => Promise.all([agents.here.stop(), agents.there.stop()]));

  const network = String((await client.make('networks', {}))['id']);
  await client.make('subnets', { network_id: network, ip_version: 4, cidr: '10.0.0.0/24' });
  const port = async (last: number, mac_address: string, more: Json) => {
    const fixed_ips = [{ ip_address: `10.0.0.${last}` }];
    const made = await client.make('ports', { network_id: network, mac_address, fixed_ips, ...more });
    return String(made['id']);
  };
  const ofServer = { device_owner: 'compute:nova', device_id: server };
  guest = await port(11, guestMac, { ...ofServer, 'binding:host_id': 'here' });
  for (const [host, last] of [
    ['here', 21],
    ['there', 22],
  ] as const) {
    const peer = await port(last, peerMac[host], { 'binding:host_id': host });
    await labs[host].plug(peer, 'peer');
    await active(peer, host);
  }
  await labs.here.plug(guest, 'guest');
  await active(guest, 'here');
});
afterEach(async () => {
  for (const close of closers.reverse()) await close();
});

async function active(port: string, host: Host): Promise<void> {
  await until(
    async () => {
      const shown = await client.show('ports', port);
      return shown['status'] === 'ACTIVE' && shown['binding:host_id'] === host;
    },
    { what: `${port} is ACTIVE at ${host}` },
  );
}

const sync = async () => expect((await client.call('GET', '/v1/sync?timeout=20')).status).toBe(200);
const at = (rest = '') => `/v2.0/ports/${guest}/bindings${rest}`;
const statuses = async () => {
  const { body } = await client.call('GET', at());
  return (body['bindings'] as Json[]).map(({ host, status, vif_type }) => [host, status, vif_type].join(' '));
};
/** What lets the guest send. That a host answers who asks for its address is no matter of where it is. */
const flowsOf = async (host: Host) =>
  (await labs[host].flows()).filter((line) => line.includes(`dl_src=${guestMac}`));

/** The number of the guest's datagrams that reach the peer on a host, when they come out of the guest's tap there. */
async function reach(host: Host): Promise<number> {
  const last = host === 'here' ? 21 : 22;
  const frame = udpFrame(
    { from: mac(guestMac), to: mac(peerMac[host]), src: ip('10.0.0.11'), dst: ip(`10.0.0.${last}`) },
    5000,
    9,
    Buffer.alloc(20),
  );
  const capture = labs[host].switch.capture('peer');
  capture.take();
  await labs[host].switch.inject('guest', [frame, frame, frame]);
  return capture.take().length;
}

test('a guest moves: it has no traffic on the new host before the activation', async () => {
  await sync();
  expect(await flowsOf('here')).not.toEqual([]);
  expect(await reach('here')).toBe(3);
  const made = await client.call('POST', at(), { binding: { host: 'there' } });
  expect(made.status).toBe(201);
  expect(made.body).toMatchObject({
    binding: {
      status: 'INACTIVE',
      vif_type: 'ovs',
      vif_details: { bridge_name: labs.there.bridge, datapath_type: 'dummy', ovs_hybrid_plug: false },
    },
  });
  await labs.there.plug(guest, 'guest');
  await labs.there.ofport('guest');
  await sync();
  // Its flows are there before it comes, and let nothing out.
  expect(await flowsOf('there')).not.toEqual([]);
  expect(await reach('there')).toBe(0);
  expect(await reach('here')).toBe(3);
  expect(await statuses()).toEqual(['here ACTIVE ovs', 'there INACTIVE ovs']);
  expect(nova.saidOf(guest)).not.toContain('network-vif-unplugged');

  const before = nova.saidOf(guest).length;
  expect((await client.call('PUT', at('/there/activate'))).status).toBe(200);
  await active(guest, 'there');
  await sync();
  expect(await reach('there')).toBe(3);
  expect(await flowsOf('here')).toEqual([]);
  expect(await reach('here')).toBe(0);
  const told = () =>
    nova
      .saidOf(guest)
      .slice(before)
      .filter((name) => name !== 'network-changed');
  await until(() => told().length === 2, { what: 'the compute service knows' });
  expect(told()).toEqual(['network-vif-unplugged', 'network-vif-plugged']);

  await labs.here.unplug('guest');
  expect((await client.call('DELETE', at('/here'))).status).toBe(204);
  await sync();
  expect(await statuses()).toEqual(['there ACTIVE ovs']);
  await active(guest, 'there');
  expect(told()).toHaveLength(2);
});

test('a move that fails leaves everything as it was', async () => {
  await client.call('POST', at(), { binding: { host: 'there' } });
  await labs.there.plug(guest, 'guest');
  await client.call('PUT', at('/there/activate'));
  await active(guest, 'there');
  await client.call('PUT', at('/here/activate'));
  await active(guest, 'here');
  await labs.there.unplug('guest');
  await client.call('DELETE', at('/there'));
  await sync();
  expect(await statuses()).toEqual(['here ACTIVE ovs']);
  expect(await flowsOf('there')).toEqual([]);
  expect(await reach('here')).toBe(3);
});

test('a host whose agent is away does not delay a move, and releases the port when it is back', async () => {
  await client.call('POST', at(), { binding: { host: 'there' } });
  await labs.there.plug(guest, 'guest');
  await agents.here.stop();
  await client.call('PUT', at('/there/activate'));
  await active(guest, 'there');
  await sync();
  expect(await reach('there')).toBe(3);
  agents.here = await agentAt('here');
  await sync();
  expect(await flowsOf('here')).toEqual([]);
  await active(guest, 'there');
});

test('a host that releases a port late does not take it from the other', async () => {
  await client.call('POST', at(), { binding: { host: 'there' } });
  await labs.there.plug(guest, 'guest');
  let release = (): void => undefined;
  gate = new Promise((resolve) => {
    release = resolve;
  });
  await client.call('PUT', at('/there/activate'));
  await active(guest, 'there');
  const key = keys.binding(String((await client.show('ports', guest))['network_id']), guest);
  const before = await labs.here.store.get(key);
  release();
  await sync();
  expect(await labs.here.store.get(key)).toEqual(before);
  await active(guest, 'there');
});
