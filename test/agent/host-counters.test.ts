/** Drops that no port counts show up at their host, and drops at a meter of one port at that port. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CountersAnswer, DropCounter } from '../../src/model/records.ts';
import { dropReasons } from '../../src/policy/drop-reasons.ts';
import { arpRequest, ip, mac } from '../lib/frames.ts';
import { defaultRules, networkWrites, putPort, putRule } from '../lib/records.ts';
import { until } from '../lib/wait.ts';
import { type Lab, startLab } from './lab.ts';

const macs = [mac('02:00:00:00:00:01'), mac('02:00:00:00:00:02')] as const;

let lab: Lab;
beforeEach(async () => {
  lab = await startLab({ dummy: true });
  await lab.write(...networkWrites(), ...defaultRules('g').map(putRule));
  await lab.write(
    putPort({ id: 'p1', mac: macs[0], ips: ['10.0.0.1'], groups: ['g'] }),
    putPort({ id: 'p2', mac: macs[1], ips: ['10.0.0.2'], groups: ['g'] }),
  );
  await lab.startAgent();
  await lab.plug('p1', 'p1', 1);
  await lab.plug('p2', 'p2', 2);
  for (const id of ['p1', 'p2']) await lab.bound(id, 'ACTIVE');
});
afterEach(() => lab.stop());

async function hostDrops(): Promise<readonly DropCounter[]> {
  const id = await lab.ask({ kind: 'host-counters', host: lab.host });
  return ((await until(() => lab.answer(id))) as CountersAnswer).drops;
}
async function portDrops(port: string): Promise<readonly DropCounter[]> {
  const id = await lab.ask({ kind: 'counters', port, network: 'n1' });
  return ((await until(() => lab.answer(id))) as CountersAnswer).drops;
}
const counted = (drops: readonly DropCounter[]) => drops.filter(({ packets }) => packets > 0);

test('frames of an interface that names no port are counted at the host', async () => {
  await lab.switch.addDummyPorts(lab.bridge, [{ name: 'stray', ofport: 9 }]);
  await lab.sync();
  expect(counted(await hostDrops())).toEqual([]);
  const frame = arpRequest(macs[0], ip('10.0.0.1'), ip('10.0.0.2'));
  await lab.switch.inject('stray', [frame, frame, frame]);
  await until(async () => counted(await hostDrops()).length > 0);
  expect(counted(await hostDrops())).toEqual([
    { reason: 'unknown-port', direction: 'egress', packets: 3, bytes: 3 * frame.length },
  ]);
});

test('the host counts every drop of the bridge that belongs to no port', async () => {
  const shown = new Set((await hostDrops()).map(({ reason, direction }) => `${reason} ${direction}`));
  expect([...shown].sort()).toEqual([
    'ct-invalid egress',
    'ct-invalid ingress',
    'gone-port ingress',
    'no-flow egress',
    'no-flow ingress',
    'no-route egress',
    'router-address egress',
    'stray-fragment ingress',
    'too-big egress',
    'ttl-exceeded egress',
    'tunnel-network ingress',
    'unknown-destination ingress',
    'unknown-port egress',
    'unknown-vlan ingress',
    'unknown-vtep ingress',
    'unresolved egress',
  ]);
  for (const { reason } of [...(await hostDrops()), ...(await portDrops('p1'))])
    expect(Object.keys(dropReasons)).toContain(reason);
  // A flow without actions or a next table drops: each is counted for a host, or for a port.
  const dropping = (await lab.flows()).filter((line) => line.endsWith('actions=drop'));
  const forHost = dropping.filter((line) => !/reg0=|reg3=|in_port=|reg11=/.test(line));
  expect(forHost.length).toBeGreaterThan(15);
});

test('requests beyond what the switch answers are counted at the port', async () => {
  const request = arpRequest(macs[0], ip('10.0.0.1'), ip('10.0.0.2'));
  const flood = Array.from({ length: 2000 }, () => request);
  await lab.switch.inject('p1', flood);
  const limit = async () => (await portDrops('p1')).find(({ reason }) => reason === 'answer-limit');
  await until(async () => ((await limit())?.packets ?? 0) > 0);
  expect(await limit()).toMatchObject({ direction: 'egress' });
  expect((await portDrops('p2')).find(({ reason }) => reason === 'answer-limit')).toMatchObject({
    packets: 0,
  });
  expect(counted(await hostDrops())).toEqual([]);
});

test('another host does not answer', async () => {
  const other = await lab.ask({ kind: 'host-counters', host: 'elsewhere' });
  await lab.sync();
  expect(await lab.answer(other)).toBeNull();
});
