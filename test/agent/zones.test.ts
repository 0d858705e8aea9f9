/** Conntrack zones: recorded before use, empty at first use, one network each, released in the end. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keys } from '../../src/model/keys.ts';
import { Session } from '../../src/openflow/index.ts';
import { echoFrame, ip, mac } from '../lib/frames.ts';
import { deletePort, networkWrites, putPort, putRule, ruleRecord } from '../lib/records.ts';
import { until } from '../lib/wait.ts';
import { type Lab, startLab } from './lab.ts';

const macOf = (n: number) => `02:00:00:00:0${n}:01`;

let lab: Lab;
beforeEach(async () => {
  lab = await startLab({ dummy: true });
  // Less than everything, otherwise nothing would be tracked.
  const some = { protocol: 'icmp' };
  await lab.write(
    putRule(ruleRecord('out', 'g', 'egress', some)),
    putRule(ruleRecord('in', 'g', 'ingress', some)),
  );
  for (const n of [1, 2, 3]) {
    await lab.write(
      ...networkWrites(`n${n}`, n),
      putPort({ id: `p${n}`, network: `n${n}`, mac: macOf(n), ips: [`10.0.${n}.1`] }),
    );
  }
});
afterEach(() => lab.stop());

async function recorded(): Promise<Map<string, number>> {
  const text = await lab.switch.vsctl('get', 'Bridge', lab.bridge, 'external_ids');
  return new Map(
    [...text.matchAll(/portcullis-zone-([\w-]+)="(\d+)"/g)].map(([, network = '', zone]) => [
      network,
      Number(zone),
    ]),
  );
}

/** The zone of packets of a plugged port. */
async function used(ofport: number): Promise<number | null> {
  const [flow = ''] = await lab.flows(`table=0,in_port=${ofport}`);
  const zone = /set_field:(\w+)->reg1\b/.exec(flow)?.[1];
  return zone === undefined ? null : Number(zone);
}

const plugAll = async () => {
  for (const n of [1, 2, 3]) await lab.plug(`p${n}`, `tap${n}`, 10 + n);
  for (const n of [1, 2, 3]) await lab.bound(`p${n}`, 'ACTIVE', `n${n}`);
};

/** A second port of network 1, as a peer for others. */
async function plugPeer(): Promise<void> {
  await lab.write(putPort({ id: 'peer', network: 'n1', mac: '02:00:00:00:01:02', ips: ['10.0.1.2'] }));
  await lab.plug('peer', 'tap-peer');
  await lab.bound('peer', 'ACTIVE', 'n1');
  await lab.sync();
}

/** A connection in the zone of network 1 for each of its first port's addresses, made by real frames. */
async function ask(...sources: readonly string[]): Promise<void> {
  const link = { from: mac(macOf(1)), to: mac('02:00:00:00:01:02'), dst: ip('10.0.1.2') };
  for (const source of sources)
    await lab.switch.inject('tap1', [echoFrame({ ...link, src: ip(source) }, 'request')]);
}

async function connect(): Promise<void> {
  await plugPeer();
  await ask('10.0.1.1');
}
const connections = async (zone: number) =>
  (await lab.switch.control.dumpConntrack(zone)).split('\n').filter((line) => line !== '');

test('each network has its own, recorded no later than used, and the same after a restart of the agent', async () => {
  await lab.startAgent();
  await plugAll();
  const zones = await recorded();
  expect([...zones.keys()].sort()).toEqual(['n1', 'n2', 'n3']);
  expect(new Set(zones.values()).size).toBe(3);
  for (const n of [1, 2, 3]) expect(await used(10 + n)).toBe(zones.get(`n${n}`));

  await connect();
  const zone = zones.get('n1') ?? 0;
  expect(await connections(zone)).toHaveLength(1);
  await lab.stopAgent();
  await lab.startAgent();
  await lab.sync();
  expect(await recorded()).toEqual(zones);
  expect(await connections(zone)).toHaveLength(1);
});

test('a record that is lost is written again as it was, connections untouched', async () => {
  await lab.startAgent();
  await plugAll();
  const zones = await recorded();
  await connect();
  await lab.switch.vsctl('clear', 'Bridge', lab.bridge, 'external_ids');
  await until(async () => (await recorded()).size === 3);
  expect(await recorded()).toEqual(zones);
  expect(await connections(zones.get('n1') ?? 0)).toHaveLength(1);
});

test('a record that gives two networks one zone is corrected', async () => {
  await lab.startAgent();
  await plugAll();
  await lab.stopAgent();
  const zones = await recorded();
  const twice = `external_ids:portcullis-zone-n2="${zones.get('n1')}"`;
  await lab.switch.vsctl('set', 'Bridge', lab.bridge, twice, 'external_ids:portcullis-zone-n9=rubbish');
  await lab.startAgent();
  await lab.sync();
  const present = await recorded();
  expect(new Set(present.values()).size).toBe(3);
  for (const n of [1, 2, 3]) expect(await used(10 + n)).toBe(present.get(`n${n}`));
});

test('a zone is released when its network is gone, and is empty for its next network', async () => {
  await lab.startAgent();
  await plugAll();
  await connect();
  const zone = (await recorded()).get('n1') ?? 0;
  expect(await connections(zone)).toHaveLength(1);

  const gone = (key: string) => ({ op: 'delete', key }) as const;
  await lab.unplug('tap1');
  await lab.unplug('tap-peer');
  await lab.bound('p1', 'DOWN', 'n1');
  await lab.sync();
  expect((await recorded()).get('n1')).toBe(zone);
  await lab.write(
    ...deletePort('p1', 'n1'),
    ...deletePort('peer', 'n1'),
    gone(keys.subnet('n1', 's-n1')),
    gone(keys.subnet('n1', 's6-n1')),
    gone(keys.network('n1')),
  );
  await until(async () => !(await recorded()).has('n1'), { what: 'the zone is given back' });

  await lab.write(...networkWrites('n4', 4), putPort({ id: 'p4', network: 'n4', mac: macOf(4) }));
  await lab.plug('p4', 'tap4', 14);
  await lab.bound('p4', 'ACTIVE', 'n4');
  expect((await recorded()).get('n4')).toBe(zone);
  expect(await used(14)).toBe(zone);
  expect(await connections(zone)).toEqual([]);
});

test('a network without a record that still has ports here keeps its zone, without repeated changes', async () => {
  await lab.startAgent();
  await plugAll();
  const zones = await recorded();
  await lab.write({ op: 'delete', key: keys.network('n1') });
  await lab.sync();
  await lab.sync();
  const { rounds } = lab.agent.status;
  await lab.switch.vsctl('set', 'Interface', 'tap2', 'external_ids:other=thing');
  await lab.sync();
  expect(lab.agent.status.rounds - rounds).toBeLessThan(6);
  expect(await recorded()).toEqual(zones);
});

test('connections in a zone that was never recorded are gone before its first use', async () => {
  await lab.switch.addBridge(lab.bridge);
  await lab.switch.addDummyPorts(lab.bridge, [{ name: 'early', ofport: 5 }]);
  const session = Session.connect({ target: lab.switch.mgmt(lab.bridge) });
  await session.ready();
  await lab.switch.ofctl('add-flow', lab.switch.mgmt(lab.bridge), 'ip,actions=ct(commit,zone=1)');
  const link = { from: mac(macOf(1)), to: mac(macOf(2)), src: ip('192.0.2.1'), dst: ip('192.0.2.2') };
  await lab.switch.inject('early', [echoFrame(link, 'request')]);
  expect(await connections(1)).toHaveLength(1);
  await session.close();
  await lab.startAgent();
  await lab.plug('p1', 'tap1', 11);
  await lab.bound('p1', 'ACTIVE', 'n1');
  expect(await used(11)).toBe(1);
  expect(await connections(1)).toEqual([]);
});

test('a network has no more connections than its limit, and more when the limit is gone', async () => {
  const own = ['10.0.1.1', '10.0.1.3', '10.0.1.4'];
  await lab.write(putPort({ id: 'p1', network: 'n1', mac: macOf(1), ips: own }));
  const limits = () => lab.switch.control.zoneLimits('dummy');
  await lab.startAgent({ maxPerNetwork: 2 });
  await plugAll();
  await plugPeer();
  const zone = (await recorded()).get('n1') ?? 0;
  expect((await limits()).get(zone)).toBe(2);
  await ask(...own);
  expect(await connections(zone)).toHaveLength(2);
  expect(await lab.agent.conntrackFullness()).toMatchObject({ connections: 2 });

  await lab.stopAgent();
  await lab.startAgent();
  await lab.sync();
  expect(await limits()).toEqual(new Map());
  await ask(...own);
  expect(await connections(zone)).toHaveLength(own.length);
});
