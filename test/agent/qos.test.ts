/**
 * From a QoS policy to meters and marks on the switch: the ports that have it, its changes, and the flows
 * that they leave alone.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keys } from '../../src/model/keys.ts';
import type { CountersAnswer, PortRecord } from '../../src/model/records.ts';
import { type Cidr, cidr } from '../../src/net/cidr.ts';
import { broadcastMac } from '../../src/net/mac.ts';
import { etherTypes, parseEthernet } from '../../src/net/packet/ethernet.ts';
import { parseIpv4 } from '../../src/net/packet/ipv4.ts';
import { parseIpv6 } from '../../src/net/packet/ipv6.ts';
import { Session } from '../../src/openflow/index.ts';
import { sharedMeterKinds } from '../../src/pipeline/shared-meters.ts';
import { arpRequest, ip, mac, udpFrame } from '../lib/frames.ts';
import {
  defaultRules,
  networkRecord,
  networkWrites,
  putNetwork,
  putPort,
  putQosPolicy,
  putRule,
  ruleRecord,
} from '../lib/records.ts';
import { until } from '../lib/wait.ts';
import { type Lab, startLab } from './lab.ts';

/** Port n has MAC 02:…:0n and the addresses 10.0.0.n and fd00::n. */
const macOf = (n: number) => mac(`02:00:00:00:00:0${n}`);
const port = (n: number, changes: Partial<PortRecord> = {}, groups = ['g']) =>
  putPort({
    id: `p${n}`,
    mac: macOf(n),
    ips: [`10.0.0.${n}`, `fd00::${n}`],
    groups,
    changes,
  });

let lab: Lab;
beforeEach(async () => {
  lab = await startLab({ dummy: true });
  await lab.write(...networkWrites(), ...defaultRules('g').map(putRule));
  await lab.write(...[1, 2, 3, 4].map((n) => port(n)));
  await lab.startAgent();
  for (const n of [1, 2, 3, 4]) await lab.plug(`p${n}`, `p${n}`, n);
  for (const n of [1, 2, 3, 4]) await lab.bound(`p${n}`, 'ACTIVE');
});
afterEach(() => lab.stop());

const bandwidth = (max_kbps: number, max_burst_kbps = 0, direction: 'egress' | 'ingress' = 'egress') =>
  ({ type: 'bandwidth_limit', direction, max_kbps, max_burst_kbps }) as const;
/** A packet limit's burst is coarse: this is for limits that only need the rate. */
const packets = (max_kpps: number, direction: 'egress' | 'ingress' = 'egress') =>
  ({ type: 'packet_rate_limit', direction, max_kpps, max_burst_kpps: 0 }) as const;
const mark = (dscp_mark: number) => ({ type: 'dscp_marking', dscp_mark }) as const;
const has = (qos_policy_id: string | null): Partial<PortRecord> => ({ qos_policy_id });

/** Meters that each port has: for packets to the agent, for what routers cannot send on, and for the switch's answers. */
const ofEachPort: readonly string[] = ['5 10 pktps', '20 40 pktps', '200 400 pktps'];

/** The limits of the switch's other meters. */
async function limits(): Promise<string[]> {
  const text = await lab.switch.ofctl('dump-meters', lab.switch.mgmt(lab.bridge));
  return [...text.matchAll(/meter=\d+ (\w+) burst bands=\s*type=drop rate=(\d+) burst_size=(\d+)/g)]
    .map(([, unit, rate, burst]) => `${rate} ${burst} ${unit}`)
    .filter((line) => !ofEachPort.includes(line))
    .sort();
}

const qosFlows = async (): Promise<string[]> =>
  (await Promise.all([30, 31, 51, 52, 53].map((table) => lab.flows(`table=${table}`))))
    .flat()
    .filter((line) => !line.includes('priority=0'));

const between = (from: number, to: number, family: 4 | 6 = 4) => {
  const address = (n: number): Cidr => ip(family === 4 ? `10.0.0.${n}` : `fd00::${n}`);
  return { from: macOf(from), to: macOf(to), src: address(from), dst: address(to) };
};
/** UDP frames of 1000 bytes on the wire. */
const datagrams = (count: number, from: number, to: number, dstPort = 9): Buffer[] =>
  Array.from({ length: count }, () => udpFrame(between(from, to), 5000, dstPort, Buffer.alloc(958)));

/** Frames of `from` that `n` gets. */
async function received(n: number, from: number, frames: readonly Buffer[]): Promise<Buffer[]> {
  const capture = lab.switch.capture(`p${n}`);
  capture.take();
  await lab.switch.inject(`p${from}`, frames);
  return capture.take();
}

async function drops(n: number, reason: string, direction: string): Promise<number | undefined> {
  const id = await lab.ask({ kind: 'counters', port: `p${n}`, network: 'n1' });
  const answer = (await until(() => lab.answer(id))) as CountersAnswer;
  return answer.drops.find((drop) => drop.reason === reason && drop.direction === direction)?.packets;
}

describe('a policy', () => {
  test('of a port is its meters, changes in place, and is removed with everything that it made', async () => {
    const before = await lab.flows();
    await lab.write(putQosPolicy('q', [bandwidth(1000, 500), bandwidth(2000, 0, 'ingress')]));
    await lab.write(port(1, has('q')));
    await lab.sync();
    expect(await limits()).toEqual(['1000 500 kbps', '2000 1600 kbps']);

    const { flowsChanged } = lab.agent.status;
    const flows = await lab.flows();
    await lab.write(putQosPolicy('q', [bandwidth(3000, 700), bandwidth(2000, 0, 'ingress')]));
    await lab.sync();
    expect(await limits()).toEqual(['2000 1600 kbps', '3000 700 kbps']);
    expect(lab.agent.status.flowsChanged).toBe(flowsChanged);
    expect(await lab.flows()).toEqual(flows);

    await lab.write(putQosPolicy('q', [packets(4), packets(5, 'ingress')]));
    await lab.sync();
    expect(await limits()).toEqual(['4000 3200 pktps', '5000 4000 pktps']);

    await lab.write(port(1));
    await lab.sync();
    expect(await limits()).toEqual([]);
    expect(await lab.flows()).toEqual(before);
  });

  test("of a network applies to its ports without their own, not to the cloud's", async () => {
    await lab.write(
      putQosPolicy('q', [bandwidth(1000)]),
      putQosPolicy('own', [bandwidth(7000)]),
      putNetwork(networkRecord('n1', { qos_policy_id: 'q' })),
      port(2, has('own')),
      port(3, { device_owner: 'network:dhcp' }),
      port(4, { device_owner: 'network:router_interface', ...has('own') }),
    );
    await lab.sync();
    expect(await limits()).toEqual(['1000 800 kbps', '7000 5600 kbps', '7000 5600 kbps']);
    await lab.write(port(2));
    await lab.sync();
    expect(await limits()).toEqual(['1000 800 kbps', '1000 800 kbps', '7000 5600 kbps']);
    await lab.write(putNetwork(networkRecord('n1')), port(4));
    await lab.sync();
    expect(await limits()).toEqual([]);
  });

  test('that is removed while ports name it, or has no limit, limits nothing', async () => {
    await lab.write(putQosPolicy('q', [bandwidth(1000), mark(10)]), port(1, has('q')));
    await lab.sync();
    expect(await limits()).toEqual(['1000 800 kbps']);
    await lab.write(putQosPolicy('q', []));
    await lab.sync();
    expect(await limits()).toEqual([]);
    await lab.write(putQosPolicy('q', [bandwidth(1000)]));
    await lab.write({ op: 'delete', key: keys.qosPolicy('q') });
    await lab.sync();
    expect([...(await limits()), ...(await qosFlows())]).toEqual([]);
  });

  test('is never too small for a full frame in its bucket', async () => {
    await lab.write(putQosPolicy('q', [bandwidth(1, 1)]), port(1, has('q')));
    await lab.sync();
    expect(await limits()).toEqual(['1 73 kbps']);
    expect(await received(2, 1, datagrams(20, 1, 2))).toHaveLength(9);
  });

  test('outlives the agent: nothing is touched at its restart', async () => {
    await lab.write(
      putQosPolicy('q', [bandwidth(1, 80), packets(1), bandwidth(1, 400, 'ingress'), packets(1, 'ingress')]),
      putNetwork(networkRecord('n1', { qos_policy_id: 'q' })),
    );
    await lab.sync();
    const [meters, flows] = [await limits(), await lab.flows()];
    expect(meters).toHaveLength(16);
    expect(await received(2, 1, datagrams(20, 1, 2))).toHaveLength(10);
    await lab.stopAgent();
    const agent = await lab.startAgent();
    await lab.sync();
    expect(agent.status.flowsChanged).toBe(0);
    expect([await limits(), await lab.flows()]).toEqual([meters, flows]);
    // A meter that was created again would be full.
    expect(await drops(1, 'qos-bandwidth', 'egress')).toBe(10);
    expect((await received(2, 1, datagrams(20, 1, 2))).length).toBeLessThan(10);
  });
});

describe('limits', () => {
  test('of bandwidth pass the burst, and their drops are counted at the port', async () => {
    await lab.write(
      putQosPolicy('out', [bandwidth(1, 80)]),
      putQosPolicy('in', [bandwidth(1, 160, 'ingress')]),
    );
    await lab.write(port(1, has('out')), port(3, has('in')));
    await lab.sync();
    expect(await drops(1, 'qos-bandwidth', 'egress')).toBe(0);
    expect(await received(2, 1, datagrams(60, 1, 2))).toHaveLength(10);
    expect(await drops(1, 'qos-bandwidth', 'egress')).toBe(50);
    expect(await drops(1, 'qos-bandwidth', 'ingress')).toBe(undefined);
    // The other direction, and another port's traffic, do not count.
    expect(await received(1, 2, datagrams(60, 2, 1))).toHaveLength(60);
    expect(await received(3, 2, datagrams(60, 2, 3))).toHaveLength(20);
    expect(await received(2, 3, datagrams(60, 3, 2))).toHaveLength(60);
    expect(await drops(3, 'qos-bandwidth', 'ingress')).toBe(40);
  });

  test('of bandwidth and packets hold together', async () => {
    // 800 packets at once; 6400 kilobits are 800 of 1000 bytes.
    await lab.write(
      putQosPolicy('few', [packets(1), bandwidth(1_000_000)]),
      putQosPolicy('slow', [packets(1000), bandwidth(1, 800)]),
    );
    await lab.write(port(1, has('few')), port(2, has('slow')));
    await lab.sync();
    const small = Array.from({ length: 8000 }, () => udpFrame(between(1, 4), 5000, 9));
    const passed = (await received(4, 1, small)).length;
    expect(await drops(1, 'qos-packets', 'egress')).toBe(8000 - passed);
    expect(passed).toBeGreaterThanOrEqual(800);
    expect(passed).toBeLessThan(8000);
    expect(await drops(1, 'qos-bandwidth', 'egress')).toBe(0);
    expect(await received(4, 2, datagrams(150, 2, 4))).toHaveLength(100);
    expect(await drops(2, 'qos-packets', 'egress')).toBe(0);
  });

  test('are not used up by what the rules refuse', async () => {
    const only = ruleRecord('r', 'only53', 'egress', {
      protocol: 'udp',
      port_range_min: 53,
      port_range_max: 53,
    });
    await lab.write(putRule(only), putQosPolicy('q', [bandwidth(1, 80)]));
    await lab.write(port(1, has('q'), ['g', 'only53']));
    await lab.write({ op: 'delete', key: keys.rule('g', 'g-out-IPv4') });
    await lab.sync();
    expect(await received(2, 1, datagrams(80, 1, 2, 99))).toEqual([]);
    // Nor by frames that it sends in another port's name.
    expect(await received(2, 1, datagrams(80, 3, 2, 53))).toEqual([]);
    expect(await received(2, 1, datagrams(80, 1, 2, 53))).toHaveLength(10);
    expect(await drops(1, 'qos-bandwidth', 'egress')).toBe(70);
  });

  test('of one receiver take nothing from the others of a flood', async () => {
    await lab.write(
      putQosPolicy('tiny', [bandwidth(1, 80, 'ingress')]),
      putQosPolicy('small', [bandwidth(1, 160, 'ingress'), packets(100, 'ingress')]),
    );
    await lab.write(port(2, has('tiny')), port(3, has('small')));
    await lab.sync();
    const everyone = { ...between(1, 2), to: broadcastMac, dst: cidr(4, 0xffffffffn) };
    const frames = Array.from({ length: 60 }, () => udpFrame(everyone, 5000, 9, Buffer.alloc(958)));
    const open = ruleRecord('all', 'g', 'ingress', { protocol: 'udp' });
    await lab.write(putRule(open));
    await lab.sync();
    const captures = [2, 3, 4].map((n) => lab.switch.capture(`p${n}`));
    for (const capture of captures) capture.take();
    await lab.switch.inject('p1', frames);
    const counts = captures.map((capture) => capture.take().length);
    expect(counts).toEqual([10, 20, 60]);
  });

  test('apply to a port without port security, also for ARP', async () => {
    await lab.write(putQosPolicy('q', [bandwidth(1, 80), mark(11)]));
    await lab.write(port(1, { port_security_enabled: false, security_groups: [], ...has('q') }));
    await lab.sync();
    const question = arpRequest(macOf(1), ip('10.0.0.1'), ip('10.0.0.77'));
    const asked = await received(
      4,
      1,
      Array.from({ length: 400 }, () => question),
    );
    expect(asked).toHaveLength(Math.floor(80_000 / 8 / question.length));
    expect(asked[0]?.equals(question)).toBe(true);
  });
});

describe('marks', () => {
  const dscpOf = (frame: Buffer): number | undefined => {
    const outer = parseEthernet(frame);
    if (outer?.header.type === etherTypes.ipv4) return (parseIpv4(outer.payload)?.header.tos ?? 0) >> 2;
    if (outer?.header.type === etherTypes.ipv6)
      return (parseIpv6(outer.payload)?.header.trafficClass ?? 0) >> 2;
    return undefined;
  };

  test('are on all IP packets that the port sends, on existing connections too, and on none that it gets', async () => {
    const talk = (family: 4 | 6): Buffer[] => [udpFrame(between(1, 2, family), 7, 8)];
    const reply = (family: 4 | 6): Buffer[] => [udpFrame(between(2, 1, family), 8, 7)];
    const marks = async (to: number, from: number, frames: readonly Buffer[]) =>
      (await received(to, from, frames)).map(dscpOf);
    // Both connections are there before the policy is.
    expect(await marks(2, 1, [...talk(4), ...talk(6)])).toEqual([0, 0]);
    await lab.write(putQosPolicy('q', [mark(46)]), port(1, has('q')));
    await lab.sync();
    expect(await marks(2, 1, [...talk(4), ...talk(6)])).toEqual([46, 46]);
    expect(await marks(1, 2, [...reply(4), ...reply(6)])).toEqual([0, 0]);
    expect(await marks(2, 1, [...talk(4), ...talk(6)])).toEqual([46, 46]);
    await lab.write(putQosPolicy('q', [mark(0), bandwidth(1000)]));
    await lab.sync();
    expect(await marks(2, 1, [...talk(4), ...talk(6)])).toEqual([0, 0]);
    await lab.write(putQosPolicy('q', [mark(8), bandwidth(1000), packets(10)]));
    await lab.sync();
    expect(await marks(2, 1, [...talk(4), ...talk(6)])).toEqual([8, 8]);
  });
});

describe('a switch that has no room for meters', () => {
  test('leaves limits unenforced and logs it, and enforces them once there is room', async () => {
    await lab.switch.addBridge('other');
    const other = Session.connect({ target: lab.switch.mgmt('other') });
    try {
      await other.ready();
      const filler = (command: 'add' | 'delete', first: number, count: number) =>
        other.meters(
          Array.from({ length: count }, (_, i) => ({
            type: 'meter_mod' as const,
            command,
            meter: first + i,
            flags: 1,
            bands: command === 'add' ? [{ kind: 'drop' as const, rate: 1, burst: 0 }] : [],
          })),
        );
      const [features] = await other.multipart({ kind: 'meter_features' }, 'meter_features');
      const room = (features?.maxMeters ?? 0) - (await limits()).length - 4 * sharedMeterKinds.length;
      await filler('add', 1, room - 1);
      await lab.write(putQosPolicy('q', [bandwidth(1, 80), mark(12)]));
      await lab.write(port(1, has('q')), port(2, has('q')));
      await lab.sync();
      expect(await limits()).toHaveLength(1);
      expect(lab.agent.status.failures).toBe(0);
      const [line] = lab.logged('not enforced');
      expect(line?.level).toBe(50);
      expect(line).toMatchObject({ notEnforced: 1, limits: [{ direction: 'egress', kind: 'bandwidth' }] });
      const counts = [
        (await received(4, 1, datagrams(60, 1, 4))).length,
        (await received(4, 2, datagrams(60, 2, 4))).length,
      ];
      expect(counts.sort()).toEqual([10, 60]);

      await filler('delete', 1, 10);
      await lab.write(putQosPolicy('q', [bandwidth(1, 88), mark(12)]));
      await lab.sync();
      expect(await limits()).toEqual(['1 88 kbps', '1 88 kbps']);
    } finally {
      await other.close();
    }
  });
});
