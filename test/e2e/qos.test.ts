/**
 * QoS policies on real traffic: TCP and UDP between guests, measured by iperf3 and read by tcpdump at the
 * receiver. The bounds are chosen so that a meter always keeps them and traffic without a meter never does.
 */
import { spawn } from 'node:child_process';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Background, describeRoot } from '../lib/netns.ts';
import { until } from '../lib/wait.ts';
import { type Attributes, type Cloud, type Member, startCloud } from './cloud.ts';

/** Kilobits a second. */
const limit = 10_000;
/** Share of the limit: TCP behind a policer, and TCP without one. */
const share = { least: 0.5, most: 1.3, unlimited: 3 } as const;
const port = 5201;

let cloud: Cloud;
let one: Member;
let two: Member;
const started = new Set<Background>();

const start = (member: Member, program: string, ...args: string[]): Background => {
  const background = new Background(spawn('ip', ['netns', 'exec', member.namespace, program, ...args]));
  started.add(background);
  return background;
};

async function post<T>(path: string, kind: string, attributes: Attributes): Promise<T> {
  const { status, body } = await cloud.api('POST', path, { [kind]: attributes });
  expect(status, JSON.stringify(body)).toBe(201);
  return (body as Record<string, T>)[kind] as T;
}

type Rule = readonly ['bandwidth_limit' | 'packet_rate_limit' | 'dscp_marking', Attributes];

/** Gives a port a policy; resolves when the switch has it. */
async function give(member: Member, ...rules: readonly Rule[]): Promise<void> {
  const { id } = await post<{ id: string }>('/v2.0/qos/policies', 'policy', { name: 'p' });
  for (const [type, attributes] of rules)
    await post(`/v2.0/qos/policies/${id}/${type}_rules`, `${type}_rule`, attributes);
  await cloud.update('port', member.id, { qos_policy_id: id });
}

const bandwidth = (direction: 'egress' | 'ingress'): Rule => [
  'bandwidth_limit',
  { direction, max_kbps: limit, max_burst_kbps: 0 },
];

interface Report {
  readonly end: {
    readonly sum_received?: { readonly bits_per_second: number };
    readonly sum?: { readonly packets: number; readonly lost_packets: number; readonly seconds: number };
  };
}

/** The window keeps the buffers of the switch's packet sockets from overflowing. */
async function iperf(from: Member, to: Member, ...args: string[]): Promise<Report['end']> {
  const { code, stdout } = await from.runAnyway('iperf3', ['-J', '-c', to.ip, '-p', String(port), ...args]);
  expect(code, stdout).toBe(0);
  return (JSON.parse(stdout) as Report).end;
}

/** As a share of the limit. The first second is left out, because of the burst and the slow start. */
async function tcpShare(from: Member, to: Member): Promise<number> {
  const { sum_received } = await iperf(from, to, '-t', '4', '-O', '1', '-w', '96K');
  return (sum_received?.bits_per_second ?? 0) / 1000 / limit;
}

function expectLimited(measured: number): void {
  expect(measured).toBeGreaterThan(share.least);
  expect(measured).toBeLessThan(share.most);
}

/** Resolves once `count` packets that match the filter have arrived at `at`. */
async function sees(at: Member, filter: string, count = 5): Promise<Background> {
  const dump = start(at, 'tcpdump', '-i', 'eth0', '-n', '-l', '-c', String(count), filter);
  await until(() => dump.output.includes('listening on'), { what: 'tcpdump listens' });
  return dump;
}

describeRoot('QoS', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({}, '192.0.2.0/24', '2001:db8:7::/64');
    const families = ['IPv4', 'IPv6'];
    const group = await cloud.group('measured', {
      rules: families.flatMap((ethertype) => [
        { ethertype },
        { ethertype, direction: 'egress', protocol: 'tcp' },
        { ethertype, direction: 'egress', protocol: ethertype === 'IPv4' ? 'icmp' : 'ipv6-icmp' },
        { ethertype, direction: 'egress', protocol: 'udp', port_range_min: port, port_range_max: port },
      ]),
    });
    [one, two] = (await cloud.guests(net, {
      one: { security_groups: [group] },
      two: { security_groups: [group] },
    })) as [Member, Member];
    for (const member of [one, two]) {
      const server = start(member, 'iperf3', '-s', '-p', String(port), '--forceflush');
      await until(() => server.output.includes('Server listening'), { what: 'iperf3 listens' });
    }
  });
  afterEach(async () => {
    await cloud.update('port', one.id, { qos_policy_id: null });
  });
  afterAll(async () => {
    await Promise.all([...started].map((background) => background.stop()));
    await cloud?.stop();
  });

  test('a bandwidth limit applies to packets that the port sends, and only to those, until it is removed', async () => {
    expect(await tcpShare(one, two)).toBeGreaterThan(share.unlimited);
    await give(one, bandwidth('egress'));
    expectLimited(await tcpShare(one, two));
    expect(await cloud.dropped(one.id, 'egress', 'qos-bandwidth')).toBeGreaterThan(0);
    expect(await tcpShare(two, one)).toBeGreaterThan(share.unlimited);
    await cloud.update('port', one.id, { qos_policy_id: null });
    expect(await tcpShare(one, two)).toBeGreaterThan(share.unlimited);
  });

  test('a bandwidth limit applies to packets that the port gets, and only to those', async () => {
    await give(one, bandwidth('ingress'));
    expectLimited(await tcpShare(two, one));
    expect(await cloud.dropped(one.id, 'ingress', 'qos-bandwidth')).toBeGreaterThan(0);
    expect(await tcpShare(one, two)).toBeGreaterThan(share.unlimited);
  });

  test('a packet rate limit holds for datagrams', async () => {
    const sent = ['-u', '-l', '100', '-b', '5M', '-t', '3'];
    const rate = async (): Promise<number> => {
      const { sum } = await iperf(one, two, ...sent);
      if (sum === undefined) throw new Error('nothing was measured');
      return (sum.packets - sum.lost_packets) / sum.seconds;
    };
    expect(await rate()).toBeGreaterThan(1000 * share.unlimited);
    await give(one, ['packet_rate_limit', { direction: 'egress', max_kpps: 1, max_burst_kpps: 0 }]);
    const limited = await rate();
    expect(limited).toBeGreaterThan(1000 * share.least);
    // In three seconds the burst of 800 counts too.
    expect(limited).toBeLessThan(1000 * share.most + 800 / 3);
    expect(await cloud.dropped(one.id, 'egress', 'qos-packets')).toBeGreaterThan(3000);
  });

  test('a mark applies to both families and to an existing connection', async () => {
    const stream = start(
      one,
      'iperf3',
      '-c',
      two.ip,
      '-p',
      String(port),
      '-t',
      '60',
      '-b',
      '2M',
      '--forceflush',
    );
    await until(() => stream.output.includes('Mbits/sec'), { what: 'the stream runs' });
    const wrong = await sees(two, `tcp and src host ${one.ip} and ip[1] & 0xfc != 0`, 1);
    await give(one, ['dscp_marking', { dscp_mark: 46 }]);
    await wrong.ended();
    expect(wrong.output).toContain('1 packet captured');
    const established = await sees(two, `tcp and src host ${one.ip} and ip[1] & 0xfc == 0xb8`);
    await established.ended();
    expect(stream.running).toBe(true);
    await stream.stop();
    const six = await sees(two, `icmp6 and src host ${one.ip6} and ip6[0:2] & 0x0fc0 == 0x0b80`, 2);
    expect(await one.pings(two.ip6)).toBe(true);
    await six.ended();
    const pieces = await sees(two, `icmp and ip[6:2] & 0x1fff != 0 and ip[1] & 0xfc == 0xb8`, 2);
    expect(await one.pings(two.ip, '-s', '4000')).toBe(true);
    await pieces.ended();
    // Replies come from the other port, which has no mark.
    const back = await sees(one, `icmp and src host ${two.ip} and ip[1] == 0`, 2);
    expect(await two.pings(one.ip, '-Q', '0')).toBe(true);
    await back.ended();
  });

  test('packets that the rules drop do not count for the limit', async () => {
    await give(one, bandwidth('egress'));
    const before = await cloud.dropped(one.id, 'egress', 'egress-rules');
    // 50 Mbit/s of datagrams to a port without a rule.
    const flood = `const s = require('dgram').createSocket('udp4'); const b = Buffer.alloc(1208);
      setInterval(() => { for (let i = 0; i < 10; i++) s.send(b, 9999, '${two.ip}'); }, 2)`;
    const flooding = start(one, process.execPath, '-e', flood);
    await until(async () => (await cloud.dropped(one.id, 'egress', 'egress-rules')) > before + 1000, {
      what: 'the flood is refused',
    });
    expectLimited(await tcpShare(one, two));
    expect(flooding.running).toBe(true);
    await flooding.stop();
    expect(await cloud.dropped(one.id, 'egress', 'egress-rules')).toBeGreaterThan(before + 10_000);
  });
});
