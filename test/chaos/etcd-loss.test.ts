/**
 * What a cloud's users and guests notice while etcd fails: of one member nothing that a retry would not hide, of all of it
 * that writes are refused. Afterwards every part goes on by itself. The same for agents that were away meanwhile.
 */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keys } from '../../src/model/keys.ts';
import { type Json, type Reply, Wire } from '../api/races/wire.ts';
import { hasEtcd } from '../lib/etcd.ts';
import { ip, mac, udpFrame } from '../lib/frames.ts';
import { until } from '../lib/wait.ts';
import { bridge, Cloud, type Host } from './cloud.ts';

/** `npm run test:chaos` takes the times of the requirements. */
const isLong = process.env['CHAOS_SECONDS'] !== undefined;
/** Milliseconds without etcd. */
const outage = isLong ? 60_000 : 2000;
/** More than the milliseconds of an agent's lease, and of etcd's extension of it by a new leader. */
const standstill = 22_000;

let cloud: Cloud;
let wires: readonly Wire[];
let network: string;
/** Two on the first host, one on the second. */
let ports: readonly Json[];

beforeAll(async () => {
  if (!hasEtcd) return;
  cloud = await Cloud.start(2);
  wires = cloud.servers.map(({ endpoint }) => new Wire(endpoint));
  network = String((await wire(0).made('networks', 'network', { name: 'n' }))['id']);
  await wire(0).made('subnets', 'subnet', { network_id: network, ip_version: 4, cidr: '10.0.0.0/16' });
  const made: Json[] = [];
  for (const at of [0, 0, 1]) {
    const port = await wire(0).made('ports', 'port', { network_id: network });
    const plug = { name: `tap${made.length}`, externalIds: { 'iface-id': String(port['id']) } };
    await host(at).at.addDummyPorts(bridge, [plug]);
    made.push(port);
  }
  ports = made;
  await until(async () => (await shown(ports[2]))['status'] === 'ACTIVE', { timeout: 20_000 });
  await cloud.synced();
}, 120_000);
afterAll(async () => {
  for (const each of wires ?? []) each.close();
  await cloud?.stop();
});

const wire = (at: number): Wire => wires[at % wires.length] ?? expect.unreachable();
const host = (at: number): Host => cloud.hosts[at] ?? expect.unreachable();
const rename = (name: string, at = 0): Promise<Reply> =>
  wire(at).call('PUT', `ports/${String(ports[0]?.['id'])}`, { port: { name } });

async function shown(port: Json | undefined, at = 0): Promise<Json> {
  const { body } = await wire(at).call('GET', `ports/${String(port?.['id'])}`);
  return body['port'] as Json;
}

const addressOf = (port: Json | undefined): string =>
  (port?.['fixed_ips'] as readonly { readonly ip_address: string }[] | undefined)?.[0]?.ip_address ?? '';

/** Sends a datagram between the ports of the first host every 20 ms until `stop`, which gives how many were lost. */
function stream(): { stop(): Promise<{ readonly sent: number; readonly lost: number }> } {
  const [from, to] = ports;
  const tail = host(0).at.capture('tap1');
  tail.take();
  const link = {
    from: mac(String(from?.['mac_address'])),
    to: mac(String(to?.['mac_address'])),
    src: ip(addressOf(from)),
    dst: ip(addressOf(to)),
  };
  const frame = udpFrame(link, 4000, 5000, Buffer.from('stream of the outage test'));
  const over = new AbortController();
  let sent = 0;
  let arrived = 0;
  const take = (): void => {
    arrived += tail.take().filter((each) => each.equals(frame)).length;
  };
  const sending = (async () => {
    while (!over.signal.aborted) {
      await host(0).at.inject('tap0', [frame]);
      sent++;
      take();
      await delay(20);
    }
  })();
  // A test that fails ends the switch first.
  sending.catch(() => undefined);
  return {
    stop: async () => {
      over.abort();
      await sending;
      await until(() => (take(), arrived >= sent), { timeout: 2000 }).catch(() => undefined);
      return { sent, lost: sent - arrived };
    },
  };
}

/** Flows of the host, and those that its agent gives an empty switch. */
async function expectFreshFlows(of: Host): Promise<void> {
  const before = await cloud.flows(of);
  await of.process.end('SIGTERM');
  await of.at.ofctl('del-flows', of.at.mgmt(bridge));
  of.process.start();
  await of.process.ready();
  await cloud.synced();
  expect(await cloud.flows(of)).toEqual(before);
}

describe.skipIf(!hasEtcd)('etcd fails (needs etcd-server)', () => {
  test('a member dies: one retry hides all that users see, and no packet is lost', async () => {
    const packets = stream();
    const failures: unknown[] = [];
    const over = new AbortController();
    const users = Array.from({ length: 8 }, async (_, user) => {
      for (let n = 0; !over.signal.aborted; n++) {
        const body = { network: { name: `${user}-${n}` } };
        const first = await wire(user).call('POST', 'networks', body);
        const answer = first.status === 201 ? first : await wire(user).call('POST', 'networks', body);
        if (answer.status !== 201) failures.push(answer);
        await delay(20);
      }
    });
    for (const member of isLong ? cloud.etcd.members : cloud.etcd.members.slice(0, 1)) {
      await member.kill();
      await delay(1500);
      member.restart();
      await delay(1000);
    }
    over.abort();
    await Promise.all(users);
    expect(failures).toEqual([]);
    expect((await packets.stop()).lost).toBe(0);
  }, 60_000);

  test('all of etcd is away: traffic goes on, reads too, writes are refused; then all goes on in order', async () => {
    expect((await rename('before')).status).toBe(200);
    const flows = await Promise.all(cloud.hosts.map((each) => cloud.flows(each)));
    const packets = stream();
    const began = performance.now();
    await Promise.all(cloud.etcd.members.map((member) => member.kill()));
    const refused = await rename('meanwhile', 1);
    expect(refused.status).toBe(503);
    expect((await shown(ports[0], 1))['name']).toBe('before');
    await delay(Math.max(0, outage - (performance.now() - began)));
    expect(await Promise.all(cloud.hosts.map((each) => cloud.flows(each)))).toEqual(flows);
    for (const member of cloud.etcd.members) member.restart();
    await until(async () => (await rename('after')).status === 200, { timeout: 30_000 });
    expect((await packets.stop()).lost).toBe(0);
    await until(async () => (await shown(ports[0], 1))['name'] === 'after');
    await cloud.synced();
    await until(async () => (await shown(ports[0]))['status'] === 'ACTIVE', { timeout: 20_000 });
    expect(await Promise.all(cloud.hosts.map((each) => cloud.flows(each)))).toEqual(flows);
    expect(cloud.complaints).toEqual([]);
  }, 180_000);

  test('an agent is away while history is made and compacted: its flows are those of a new agent', async () => {
    const away = host(0);
    for (const line of away.lines) line.cut();
    const ids: string[] = [];
    for (let n = 0; n < 30; n++)
      ids.push(String((await wire(n).made('ports', 'port', { network_id: network, name: `m${n}` }))['id']));
    for (const id of ids.slice(0, 10)) await wire(0).call('DELETE', `ports/${id}`);
    await wire(0).call('PUT', `ports/${String(ports[1]?.['id'])}`, { port: { admin_state_up: false } });
    await cloud.store.compact(await cloud.store.revision());
    await wire(0).call('PUT', `ports/${String(ports[1]?.['id'])}`, { port: { admin_state_up: true } });
    const during = await cloud.flows(away);
    for (const line of away.lines) line.mend();
    await cloud.synced();
    const after = await cloud.flows(away);
    expect(after).not.toEqual(during);
    await expectFreshFlows(away);
  }, 90_000);

  test('a second agent with the name of a host is refused; a killed one is replaced at once', async () => {
    const first = host(0);
    const second = cloud.twin(first);
    second.start();
    await until(() => !second.isRunning, { timeout: 20_000, what: 'the second agent ends' });
    expect(second.complaints.join()).toContain(`lives as host ${first.name}`);
    expect(first.process.isRunning).toBe(true);
    await first.process.end('SIGKILL');
    first.process.start();
    const began = performance.now();
    await first.process.ready();
    expect(performance.now() - began).toBeLessThan(10_000);
    await cloud.synced();
  }, 60_000);

  test.skipIf(!isLong)(
    'an agent that stood still for longer than its lease lives again',
    async () => {
      const still = host(1);
      still.process.signal('SIGSTOP');
      await until(async () => (await cloud.store.get(keys.life(still.name))) === null, {
        timeout: standstill * 2,
      });
      await until(async () => (await shown(ports[2]))['status'] === 'DOWN');
      expect((await rename('while it stood')).status).toBe(200);
      still.process.signal('SIGCONT');
      await until(async () => (await shown(ports[2]))['status'] === 'ACTIVE', { timeout: 20_000 });
      await cloud.synced();
      await expectFreshFlows(still);
    },
    120_000,
  );

  test('an older copy of etcd is restored: all parts begin again with it', async () => {
    expect((await rename('old')).status).toBe(200);
    await cloud.synced();
    const { dir, members } = cloud.etcd;
    const copies = members.map((_, at) => join(dir, `copy${at}`));
    await Promise.all(members.map((member) => member.kill('SIGTERM')));
    await Promise.all(copies.map((copy, at) => cp(join(dir, `m${at}`), copy, { recursive: true })));
    for (const member of members) member.restart();
    await until(async () => (await rename('new')).status === 200, { timeout: 30_000 });
    const late = String((await wire(0).made('ports', 'port', { network_id: network, name: 'late' }))['id']);
    await cloud.synced();
    const flows = await Promise.all(cloud.hosts.map((each) => cloud.flows(each)));
    const packets = stream();

    await Promise.all(members.map((member) => member.kill()));
    for (const [at, copy] of copies.entries()) {
      await rm(join(dir, `m${at}`), { recursive: true });
      await cp(copy, join(dir, `m${at}`), { recursive: true });
    }
    for (const member of members) member.restart();
    for (const at of [0, 1])
      await until(async () => (await shown(ports[0], at))['name'] === 'old', {
        timeout: 30_000,
        what: `server ${at} shows the old state`,
      });
    expect((await wire(1).call('GET', `ports/${late}`)).status).toBe(404);
    await until(async () => (await rename('goes on')).status === 200, { timeout: 20_000 });
    await cloud.reopenStore();
    await cloud.synced();
    expect((await packets.stop()).lost).toBe(0);
    for (const [at, each] of cloud.hosts.entries()) expect(await cloud.flows(each)).not.toEqual(flows[at]);
    await expectFreshFlows(host(0));
    expect(cloud.hosts.every(({ process }) => process.isRunning)).toBe(true);
  }, 120_000);
});
