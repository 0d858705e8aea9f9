/** The patch ports of a hypervisor: made, used for the VLANs of local ports alone, corrected, and removed. */
import { afterEach, expect, test } from 'vitest';
import { keys } from '../../src/model/keys.ts';
import type { NetworkRecord } from '../../src/model/records.ts';
import { defaultRules, networkWrites, putPort, putRule } from '../lib/records.ts';
import { until } from '../lib/wait.ts';
import { type Lab, startLab } from './lab.ts';

let lab: Lab;
afterEach(() => lab.stop());

const bridgeMappings = { physnet1: 'br-ex' };
const pair = ['br-int--br-ex', 'br-ex--br-int'] as const;

async function putVlan(vlan: number): Promise<void> {
  const entry = await lab.store.get(keys.network('n1'));
  const record = JSON.parse(entry?.value ?? '{}') as NetworkRecord;
  const provider = { type: 'vlan', physical_network: 'physnet1', segmentation_id: vlan } as const;
  await lab.write({ op: 'put', key: keys.network('n1'), value: JSON.stringify({ ...record, provider }) });
}

async function start(mappings: Readonly<Record<string, string>> = bridgeMappings): Promise<void> {
  lab = await startLab({ dummy: true, agent: { lookInterval: 200 } });
  await lab.write(
    ...networkWrites(),
    ...defaultRules('g').map(putRule),
    putPort({ id: 'p1', mac: '02:00:00:00:00:01', ips: ['10.0.0.1'] }),
  );
  await putVlan(7);
  await lab.startAgent({ bridgeMappings: mappings });
}

const ports = async (bridge: string) =>
  (await lab.switch.vsctl('list-ports', bridge)).trim().split('\n').filter(Boolean);
const peerOf = async (name: string) =>
  (await lab.switch.vsctl('get', 'Interface', name, 'type', 'options:peer')).trim().split('\n');
const vlans = async () =>
  (await lab.flows('table=19')).flatMap((flow) => /dl_vlan=(\d+) actions=set_field/.exec(flow)?.[1] ?? []);

async function arePatched(): Promise<void> {
  for (const [at, bridge] of ['br-int', 'br-ex'].entries())
    await until(async () => (await ports(bridge)).includes(pair[at] ?? ''), { what: `${bridge} is patched` });
}

test('patch ports come with the other bridge, and let in the VLANs of local ports alone', async () => {
  await start();
  await lab.sync();
  expect(await ports('br-int')).toEqual([]);
  expect(lab.logged('physical network is out of reach')).toHaveLength(1);
  await lab.switch.addBridge('br-ex');
  await arePatched();
  expect(await peerOf(pair[0])).toEqual(['patch', pair[1]]);
  expect(await peerOf(pair[1])).toEqual(['patch', pair[0]]);
  await lab.sync();
  expect(await vlans()).toEqual([]);
  await lab.plug('p1');
  await lab.bound('p1', 'ACTIVE');
  await until(async () => (await vlans()).join() === '7');
  await putVlan(8);
  await lab.sync();
  expect(await vlans()).toEqual(['8']);
  await lab.unplug('p1');
  await until(async () => (await vlans()).join() === '');
  expect(lab.agent.status.drift.patch).toBe(0);
});

test('what another program changes of them is corrected and counted; a sync waits for it', async () => {
  await start();
  await lab.switch.addBridge('br-ex');
  await arePatched();
  await lab.plug('p1');
  await lab.bound('p1', 'ACTIVE');
  const changes = [
    ['set', 'Interface', pair[0], 'options:peer=other'],
    ['set', 'Interface', pair[1], 'options:peer=other'],
    ['del-port', 'br-int', pair[0]],
    ['del-port', 'br-ex', pair[1]],
  ];
  for (const [at, change] of changes.entries()) {
    await lab.switch.vsctl('--no-wait', ...change);
    await lab.sync();
    expect(await peerOf(pair[0])).toEqual(['patch', pair[1]]);
    expect(await peerOf(pair[1])).toEqual(['patch', pair[0]]);
    expect(lab.agent.status.drift.patch).toBeGreaterThan(at);
  }
  await until(async () => (await vlans()).join() === '7');
});

test('an agent that starts without the mapping removes the ports of the one before it', async () => {
  await start();
  await lab.switch.addBridge('br-ex');
  await arePatched();
  await lab.stopAgent();
  expect(await ports('br-ex')).toEqual([pair[1]]);
  await lab.startAgent();
  await until(async () => [...(await ports('br-int')), ...(await ports('br-ex'))].length === 0);
});
