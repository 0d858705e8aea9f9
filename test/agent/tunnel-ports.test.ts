/** The tunnel ports of a hypervisor: made, read back, and corrected when another program changes them. */
import { afterEach, expect, test } from 'vitest';
import { keys } from '../../src/model/keys.ts';
import { type Vtep, vtepFrom } from '../../src/model/vtep.ts';
import { defaultRules, networkWrites, putPort, putRule } from '../lib/records.ts';
import { until } from '../lib/wait.ts';
import { type Lab, startLab } from './lab.ts';

let lab: Lab;
afterEach(() => lab.stop());

function vtep(address: string, ...types: string[]): Vtep {
  const made = vtepFrom(address, types);
  if (made === null) throw new Error(`not an address: ${address}`);
  return made;
}

async function start(own?: Vtep): Promise<void> {
  lab = await startLab({ dummy: true, agent: { lookInterval: 200 } });
  await lab.write(
    ...networkWrites(),
    ...defaultRules('g').map(putRule),
    putPort({ id: 'p1', mac: '02:00:00:00:00:01', ips: ['10.0.0.1'] }),
  );
  await lab.startAgent(own === undefined ? {} : { vtep: own });
}

const ports = async () => (await lab.switch.vsctl('list-ports', lab.bridge)).trim().split('\n').sort();
const options = async (name: string) =>
  (await lab.switch.vsctl('get', 'Interface', name, 'type', 'options')).trim().split('\n');
const mappings = async () => (await lab.switch.ofctl('dump-tlv-map', lab.switch.mgmt(lab.bridge))).trim();
const record = async () => JSON.parse((await lab.store.get(keys.bridge('here')))?.value ?? 'null') as unknown;

test('a host without an endpoint has no tunnel ports and no option', async () => {
  await start();
  await lab.sync();
  expect(await ports()).toEqual(['']);
  expect(await mappings()).not.toContain('0xff5c');
  expect(await record()).toEqual({ bridge: lab.bridge, datapath_type: 'dummy' });
});

test('an endpoint has one port for each kind of tunnel, whatever the number of hosts', async () => {
  await start(vtep('192.0.2.1', 'geneve', 'vxlan'));
  await until(async () => (await ports()).join() === 'pc-geneve,pc-vxlan');
  for (const type of ['geneve', 'vxlan']) {
    expect(await options(`pc-${type}`)).toEqual([type, '{key=flow, local_ip="192.0.2.1", remote_ip=flow}']);
  }
  expect(await mappings()).toMatch(/0xff5c\s+0x81\s+4\s+tun_metadata0/);
  expect(await record()).toMatchObject({ tunnel_ip: '192.0.2.1', tunnel_types: ['geneve', 'vxlan'] });
  await lab.sync();
  expect(lab.agent.status.drift.tunnel).toBe(0);
});

test('what another program changes of them is corrected and counted; a sync waits for it', async () => {
  await start(vtep('2001:db8::1', 'geneve'));
  await until(async () => (await ports()).join() === 'pc-geneve');
  await lab.plug('p1');
  await lab.bound('p1', 'ACTIVE');
  const changes = [
    ['set', 'Interface', 'pc-geneve', 'options:local_ip=2001:db8::99'],
    ['remove', 'Interface', 'pc-geneve', 'options', 'key'],
    ['set', 'Interface', 'pc-geneve', 'type=vxlan'],
    ['del-port', lab.bridge, 'pc-geneve'],
  ];
  for (const [at, change] of changes.entries()) {
    await lab.switch.vsctl('--no-wait', ...change);
    await lab.sync();
    expect(await options('pc-geneve')).toEqual([
      'geneve',
      '{key=flow, local_ip="2001:db8::1", remote_ip=flow}',
    ]);
    expect(lab.agent.status.drift.tunnel).toBeGreaterThan(at);
  }
});

test('an agent that starts without an endpoint removes the ports of the one before it', async () => {
  await start(vtep('192.0.2.1', 'geneve'));
  await until(async () => (await ports()).join() === 'pc-geneve');
  await lab.stopAgent();
  expect(await ports()).toEqual(['pc-geneve']);
  expect(await record()).toMatchObject({ tunnel_ip: '192.0.2.1' });
  await lab.startAgent();
  await until(async () => (await ports()).join() === '');
  await until(async () => !JSON.stringify(await record()).includes('tunnel_ip'));
});

test('a switch that restarts gets its option back', async () => {
  await start(vtep('192.0.2.1', 'geneve'));
  await until(async () => (await ports()).join() === 'pc-geneve');
  await lab.switch.restartVswitchd();
  await until(async () => (await mappings()).includes('0xff5c'));
  await lab.sync();
});
