/**
 * Concurrent writers through two servers, with etcd, servers, agents, switches and lines failing meanwhile. No acknowledged
 * write is lost, each port's history is linearizable, and the invariants hold. In the end every switch has what a new agent
 * would give it. `npm run test:chaos` runs it for ten minutes, or for `CHAOS_SECONDS`; `CHAOS_SEED` changes the choices.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { violationsOf } from '../../src/model/invariants/check.ts';
import { keys } from '../../src/model/keys.ts';
import type { BindingRecord } from '../../src/model/records.ts';
import type { PortId } from '../../src/policy/world.ts';
import { Random } from '../api/fuzz/random.ts';
import { Wire } from '../api/races/wire.ts';
import { hasEtcd } from '../lib/etcd.ts';
import { until } from '../lib/wait.ts';
import { bridge, Cloud } from './cloud.ts';
import { Faults } from './faults.ts';
import { type SharedPort, Writers } from './writers.ts';

const seconds = Number(process.env['CHAOS_SECONDS'] ?? 6);
const seed = Number(process.env['CHAOS_SEED'] ?? 1);
const isLong = seconds > 30;
const writerCount = 24;
const hostCount = 3;
const storeSideCount = isLong ? 5 : 2;
const networkCount = 4;
const portsPerNetwork = 6;

let cloud: Cloud;
afterEach(() => cloud.stop());

interface World {
  readonly ports: readonly SharedPort[];
  readonly groups: readonly string[];
}

async function makeWorld(): Promise<World> {
  const wire = new Wire(cloud.servers[0]?.endpoint ?? '');
  const groups: string[] = [];
  for (let n = 0; n < 3; n++) {
    const { id } = await wire.made('security-groups', 'security_group', { name: `g${n}` });
    groups.push(String(id));
  }
  const ports: SharedPort[] = [];
  for (let n = 0; n < networkCount; n++) {
    const { id } = await wire.made('networks', 'network', { name: `n${n}` });
    const network = String(id);
    await wire.made('subnets', 'subnet', { network_id: network, ip_version: 4, cidr: `10.${n}.0.0/16` });
    for (let at = 0; at < portsPerNetwork; at++) {
      const attributes = { network_id: network, security_groups: [groups[at % groups.length] ?? ''] };
      ports.push({ id: String((await wire.made('ports', 'port', attributes))['id']), network });
    }
  }
  wire.close();
  return { ports, groups };
}

/** Every host with a switch has a port of each network; hosts without one share the rest. */
async function plugAll({ ports }: World): Promise<ReadonlyMap<string, readonly SharedPort[]>> {
  const names = [
    ...cloud.hosts.map(({ name }) => name),
    ...Array.from({ length: storeSideCount }, (_, n) => `s${n}`),
  ];
  const places = new Map(names.map((name) => [name, [] as SharedPort[]] as const));
  for (const [at, port] of ports.entries()) places.get(names[at % names.length] ?? '')?.push(port);
  for (const [name, own] of places) {
    const host = cloud.hosts.find((each) => each.name === name);
    const plugs = own.map(({ id }, at) => ({ name: `tap${at}`, externalIds: { 'iface-id': id } }));
    if (host !== undefined) await host.at.addDummyPorts(bridge, plugs);
    else
      await cloud.addStoreSide(
        name,
        own.map(({ id }) => id as PortId),
      );
  }
  return places;
}

async function allAreBound(places: ReadonlyMap<string, readonly SharedPort[]>): Promise<void> {
  for (const [host, own] of places)
    for (const { id, network } of own)
      await until(
        async () => {
          const entry = await cloud.store.get(keys.binding(network, id));
          const binding = JSON.parse(entry?.value ?? '{}') as BindingRecord;
          const port = await cloud.store.get(keys.port(network, id));
          const isUp = (JSON.parse(port?.value ?? '{}') as { admin_state_up: boolean }).admin_state_up;
          return binding.host === host && binding.status === (isUp ? 'ACTIVE' : 'DOWN');
        },
        { timeout: 30_000, interval: 100, what: `port ${id} is bound to ${host}` },
      );
}

/** What each host has, and what a host that begins with nothing has. */
async function compareWithNew(): Promise<void> {
  for (const host of cloud.hosts) {
    const before = await cloud.flows(host);
    await host.process.end('SIGTERM');
    await host.at.ofctl('del-flows', host.at.mgmt(bridge));
    host.process.start();
    await host.process.ready();
    await cloud.synced();
    expect(before.length).toBeGreaterThan(100);
    expect(await cloud.flows(host), host.name).toEqual(before);
  }
  for (const agent of cloud.storeSide) {
    const again = await agent.fresh();
    expect(agent.flows).toEqual(again.flows);
    await again.stop();
  }
}

describe.skipIf(!hasEtcd)('a cloud that fails (needs etcd-server)', () => {
  test(
    `${writerCount} writers for ${seconds} s (seed ${seed})`,
    async () => {
      cloud = await Cloud.start(hostCount);
      const world = await makeWorld();
      const places = await plugAll(world);
      await allAreBound(places);
      await cloud.synced();
      const random = new Random(seed);
      const writers = new Writers(cloud, random, world.ports, world.groups);
      const faults = new Faults(cloud, random, {
        maxStandstill: isLong ? 20_000 : 1500,
        hasOutages: isLong,
      });
      const written = writers.run(writerCount);
      faults.begin();
      const end = performance.now() + seconds * 1000;
      while (performance.now() < end && writers.faults.length === 0 && cloud.complaints.length === 0) {
        await delay(Math.min(5000, Math.max(0, end - performance.now())));
        if (isLong) process.stderr.write(`chaos: ${report(writers, faults)}\n`);
      }
      writers.stop();
      await faults.end();
      await written;
      process.stderr.write(`chaos: ${report(writers, faults)}\n`);

      expect(writers.faults).toEqual([]);
      expect(writers.acknowledged).toBeGreaterThan(writerCount * 2);
      for (const [port, register] of writers.registers) expect(register.faults(), port).toEqual([]);
      await Promise.all([...cloud.servers, ...cloud.hosts].map(({ process }) => process.ready()));
      await cloud.synced();
      const { entries } = await cloud.store.snapshot(['']);
      expect(violationsOf(entries)).toEqual([]);
      expect(writers.lost(new Set(entries.map(({ key }) => key.slice(key.lastIndexOf('/') + 1))))).toEqual(
        [],
      );
      await allAreBound(places);
      await cloud.synced();
      await compareWithNew();
      expect(cloud.complaints).toEqual([]);
    },
    seconds * 1000 + 240_000,
  );
});

function report(writers: Writers, faults: Faults): string {
  const statuses = [...writers.statuses].map(([status, count]) => `${status}: ${count}`);
  return `${statuses.join(', ')}; ${[...faults.counts].map(([name, count]) => `${name}: ${count}`).join(', ')}`;
}
