/** Questions through the store: the concerned agents answer, and not before the answer is true. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CountersAnswer } from '../../src/model/records.ts';
import { tables } from '../../src/pipeline/tables.ts';
import { arpRequest, echoFrame, ip, ipFrame, mac, tcpFrame, udpFrame } from '../lib/frames.ts';
import { networkWrites, putPort } from '../lib/records.ts';
import { until } from '../lib/wait.ts';
import { type Lab, startLab } from './lab.ts';

const own = '02:00:00:00:00:01';
const other = '02:00:00:00:00:02';
let lab: Lab;
beforeEach(async () => {
  lab = await startLab({ dummy: true });
  await lab.write(...networkWrites(), putPort({ id: 'p1', mac: own, ips: ['10.0.0.1'] }));
  await lab.startAgent();
  await lab.plug('p1', 'tap1', 11);
  await lab.bound('p1', 'ACTIVE');
});
afterEach(() => lab.stop());

describe('sync', () => {
  test('costs one round: the clean-up after it wakes no other', async () => {
    await lab.stopAgent();
    await lab.startAgent({ lookInterval: 3_600_000 });
    await lab.bound('p1', 'ACTIVE');
    await lab.sync();
    const before = lab.agent.status.rounds;
    for (let n = 0; n < 5; n++) {
      await lab.sync();
      // Time for a round that must not come; the next question would hide it.
      await delay(50);
    }
    expect(lab.agent.status.rounds - before).toBe(5);
  });

  test('is answered only when all earlier changes are on the switch, also amid changes', async () => {
    for (let i = 1; i <= 20; i++) {
      const address = `10.0.0.${100 + i}`;
      const change = lab.write(putPort({ id: 'p1', mac: own, ips: [address] }));
      const asked = lab.sync();
      await change;
      await asked;
      expect(await lab.flows(`table=${tables.guard_arp.id},arp,arp_spa=${address}`)).not.toEqual([]);
    }
  });

  test('many at once are all answered', async () => {
    await Promise.all(Array.from({ length: 30 }, () => lab.sync()));
  });

  test('is not answered while the switch is away, and is answered when it is back', async () => {
    await lab.switch.stopDaemon('ovs-vswitchd', 'kill');
    const target = await lab.setTarget();
    await delay(300);
    expect(await lab.reached(target)).toBe(null);
    await lab.switch.startVswitchd();
    await until(() => lab.reached(target));
    expect(await lab.flows('table=0,in_port=11')).toHaveLength(1);
  });

  test('is not answered while the switch hangs', async () => {
    const pid = lab.switch.pidOf('ovs-vswitchd') ?? 0;
    process.kill(pid, 'SIGSTOP');
    try {
      const target = await lab.setTarget();
      await delay(300);
      expect(await lab.reached(target)).toBe(null);
      process.kill(pid, 'SIGCONT');
      await until(() => lab.reached(target));
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });

  test('is not answered when a change before it is refused', async () => {
    await lab.switch.vsctl(
      ...'-- --id=@f create Flow_Table flow_limit=2 overflow_policy=refuse'.split(' '),
      ...`-- set Bridge ${lab.bridge} flow_tables:0=@f`.split(' '),
    );
    await lab.write(putPort({ id: 'p2', mac: '02:00:00:00:00:02' }));
    await lab.plug('p2', 'tap2', 12);
    await until(() => lab.agent.status.failures > 0);
    const target = await lab.setTarget();
    await delay(300);
    expect(await lab.reached(target)).toBe(null);
    await lab.switch.vsctl('clear', 'Bridge', lab.bridge, 'flow_tables');
    await until(() => lab.reached(target));
    expect((await lab.binding('p2'))?.status).toBe('ACTIVE');
  });
});

describe('counters', () => {
  test('come from the host that has the port, each reason with its count', async () => {
    const spoof = arpRequest(mac(own), ip('10.0.0.66'), ip('10.0.0.2'));
    await lab.switch.inject('tap1', [spoof, spoof, spoof]);
    const drop = async () => {
      const asked = await lab.ask({ kind: 'counters', port: 'p1', network: 'n1' });
      const { drops } = (await until(() => lab.answer(asked))) as CountersAnswer;
      return drops.find(({ reason }) => reason === 'arp-spoof');
    };
    await until(async () => (await drop())?.packets === 3);
    expect(await drop()).toEqual({ reason: 'arp-spoof', direction: 'egress', packets: 3, bytes: 126 });
  });

  test('tell what no rule admits by protocol', async () => {
    const link = { from: mac(own), to: mac(other), src: ip('10.0.0.1'), dst: ip('10.0.0.2') };
    const frames = [
      tcpFrame(link, 1, 2, 2),
      tcpFrame(link, 1, 3, 2),
      udpFrame(link, 1, 2),
      echoFrame(link, 'request'),
      ipFrame(link, 47, Buffer.alloc(8)),
    ];
    await lab.switch.inject('tap1', frames);
    const refused = async () => {
      const asked = await lab.ask({ kind: 'counters', port: 'p1', network: 'n1' });
      const { drops } = (await until(() => lab.answer(asked))) as CountersAnswer;
      const told = drops.filter(({ reason }) => reason === 'egress-rules');
      return Object.fromEntries(told.map(({ protocol, packets }) => [protocol, packets]));
    };
    expect(await refused()).toEqual({ tcp: 2, udp: 1, icmp: 1, sctp: 0, other: 1 });
  });

  test('a port of another host gets no answer', async () => {
    await lab.write(putPort({ id: 'p2', mac: '02:00:00:00:00:02' }));
    const asked = await lab.ask({ kind: 'counters', port: 'p2', network: 'n1' });
    const unknown = await lab.ask({ kind: 'counters', port: 'nobody', network: 'n1' });
    await lab.sync();
    await lab.sync();
    expect(await lab.answer(asked)).toBe(null);
    expect(await lab.answer(unknown)).toBe(null);
  });

  test('an unreadable question does no harm', async () => {
    await lab.write(
      { op: 'put', key: 'asks/bad', value: '{' },
      { op: 'put', key: 'asks/null', value: 'null' },
      { op: 'put', key: 'asks/odd', value: '{"kind":"dance"}' },
    );
    await lab.sync();
    await lab.sync();
    expect(lab.agent.status.failures).toBe(0);
  });
});
