/**
 * Rules count hits exactly: real connections between guests, through the API and the command line, with
 * changes that derive flows again and a process that is killed.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { until } from '../lib/wait.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';

const echo = 7;
const datagrams = 8;

interface Counters {
  readonly packets: number;
  readonly connections: number;
  readonly first_used: string | null;
  readonly last_used: string | null;
  readonly reset_at: string | null;
  readonly ports: readonly {
    readonly port: string | null;
    readonly host: string;
    readonly connections: number;
  }[];
}

interface Usage {
  readonly rule: string;
  readonly unused: boolean;
  readonly watched: boolean;
  readonly shadowed_by: readonly string[];
}

let cloud: Cloud;
let client: Member;
let one: Member;
let two: Member;
let servers: string;
const rules: Record<'tcp' | 'udp' | 'icmp' | 'range' | 'inside', string> = {
  tcp: '',
  udp: '',
  icmp: '',
  range: '',
  inside: '',
};
/** Connections that the test made so far, by rule and port. */
const made = new Map<string, number>();

async function counters(rule: string): Promise<Counters> {
  const { status, body } = await cloud.api('GET', `/v1/security-group-rules/${rule}/counters`);
  expect(status, JSON.stringify(body)).toBe(200);
  return body as Counters;
}

async function times(many: number, attempt: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < many; i++) expect(await attempt()).toBe(true);
}

/**
 * Waits until both sides have closed. A FIN that is sent again after its connection was cut would begin another
 * connection when it is allowed again.
 */
async function untilClosed(...members: readonly Member[]): Promise<void> {
  for (const member of members)
    await until(
      async () =>
        (await member.run('ss', '-Htan', 'exclude', 'listening', 'exclude', 'time-wait')).trim() === '',
      { what: `no connection of ${member.ip} is under way` },
    );
}

/** So many new connections of each kind to a server, each with an answer. */
async function connect(server: Member, tcp: number, udp: number, icmp: number): Promise<void> {
  await times(tcp, async () => (await client.probe.tcp(server.ip, echo)) === 'ok');
  await untilClosed(client, server);
  await times(udp, async () => (await client.probe.udp(server.ip, datagrams, { timeout: 15 })) === 'ok');
  await times(
    icmp,
    async () => (await client.runAnyway('ping', ['-c', '1', '-W', '5', server.ip])).code === 0,
  );
  for (const [kind, many] of Object.entries({ tcp, udp, icmp }))
    made.set(`${kind} ${server.id}`, (made.get(`${kind} ${server.id}`) ?? 0) + many);
}

/** Each rule shows at each port exactly the connections made. */
async function agree(): Promise<void> {
  for (const kind of ['tcp', 'udp', 'icmp'] as const) {
    const { ports, connections, packets } = await counters(rules[kind]);
    const told = Object.fromEntries(ports.map((count) => [count.port, count.connections]));
    const expected = { [one.id]: made.get(`${kind} ${one.id}`), [two.id]: made.get(`${kind} ${two.id}`) };
    expect({ kind, told }).toEqual({ kind, told: expected });
    const sum = Object.values(expected).reduce<number>((all, many) => all + (many ?? 0), 0);
    // Packets after a connection's first pass by the connection.
    expect({ kind, connections, packets }).toEqual({ kind, connections: sum, packets: sum });
  }
}

async function usage(...options: string[]): Promise<readonly Usage[]> {
  const text = await cloud.cli('rules', '--json', '--security-group', 'servers', ...options);
  return (JSON.parse(text) as { rules: readonly Usage[] }).rules;
}

describeRoot('hits of rules', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({}, '192.0.2.0/24');
    servers = await cloud.group('servers');
    const service = (protocol: string, min: number, max = min) =>
      cloud.rule(servers, { protocol, port_range_min: min, port_range_max: max });
    rules.tcp = await service('tcp', echo);
    rules.udp = await service('udp', datagrams);
    rules.icmp = await cloud.rule(servers, { protocol: 'icmp' });
    rules.range = await service('tcp', 4000, 5000);
    rules.inside = await service('tcp', 4444);
    const clients = await cloud.group('clients', { out: true });
    [client, one, two] = (await cloud.guests(net, {
      client: { security_groups: [clients] },
      one: { security_groups: [servers] },
      two: { security_groups: [servers] },
    })) as [Member, Member, Member];
    for (const server of [one, two]) await server.probe.serve([echo], [datagrams]);
    await cloud.sync();
  });
  afterAll(() => cloud?.stop());

  test('each rule agrees with what was sent, by port', async () => {
    const before = Date.now();
    await connect(one, 20, 15, 5);
    await connect(two, 7, 4, 3);
    await agree();
    const { first_used, last_used, ports } = await counters(rules.tcp);
    for (const time of [first_used, last_used]) {
      expect(Date.parse(String(time))).toBeGreaterThan(before - 1000);
      expect(Date.parse(String(time))).toBeLessThanOrEqual(Date.now());
    }
    expect(ports.map(({ host }) => host)).toEqual(['e2e', 'e2e']);
  });

  test('over changes that make and unmake its flows', async () => {
    await connect(one, 6, 5, 2);
    const { security_groups } = one.port;
    await cloud.update('port', one.id, { security_groups: [] });
    // Shorter than a second: a SYN sent again by then could match the rules that come back.
    expect(await client.probe.tcp(one.ip, echo, { timeout: 0.5 })).toBe('timeout');
    await cloud.update('port', one.id, { security_groups });
    const extra = await cloud.rule(servers, { protocol: 'tcp', port_range_min: 9, port_range_max: 9 });
    await connect(one, 3, 2, 1);
    await cloud.delete('security_group_rule', extra);
    await connect(two, 2, 2, 2);
    await agree();
  });

  test.each(['SIGKILL', 'SIGTERM'] as const)(
    'over %s, with connections before, meanwhile and after',
    async (how) => {
      await connect(one, 4, 3, 2);
      await cloud.up.signal(how);
      await connect(one, 5, 2, 1);
      await connect(two, 1, 1, 1);
      await cloud.startAgain();
      await cloud.sync();
      await connect(two, 3, 2, 1);
      await agree();
      expect((await counters(rules.tcp)).reset_at).toBe(null);
    },
  );

  describe('the command line', () => {
    test('names exactly the unused rules, and the shadowed one', async () => {
      const unused = await usage('--unused');
      expect(unused.map(({ rule }) => rule)).toEqual([rules.range, rules.inside]);
      expect(unused.map(({ shadowed_by }) => shadowed_by)).toEqual([[], [rules.range]]);
      expect(await usage()).toHaveLength(5);
      const text = await cloud.cli('rules', '--unused');
      expect(text).toMatch(
        new RegExp(`${rules.inside} .*IPv4 tcp 4444 from anybody .*never .*${rules.range}`),
      );
      expect(text).not.toContain(rules.tcp);
      expect(text).toMatch(/^watched for \d+ (s|min) since 20/m);
    });

    test('does not claim a longer watch than it had', async () => {
      const weekly = await usage('--unused', '--since', '7d');
      expect(weekly.map(({ rule, watched }) => [rule, watched])).toEqual([
        [rules.range, false],
        [rules.inside, false],
      ]);
      const text = await cloud.cli('rules', '--unused', '--since', '7d', '--security-group', servers);
      expect(text).toContain('too short');
      expect(text).toContain('2 rules were watched for less than 7 d');
      await expect(cloud.cli('rules', '--since', 'week')).rejects.toThrow(/a duration such as/);
      await expect(cloud.cli('rules', '--security-group', 'nobody')).rejects.toThrow(/no security group/);
    });

    test('drops without a rule are counted by protocol', async () => {
      expect(await client.probe.udp(one.ip, 999, { timeout: 1 })).toBe('timeout');
      const text = await cloud.cli('counters', one.id);
      expect(text).toMatch(/^ingress +ingress-rules +udp +3 /m);
    });
  });

  test('the switch restarts: counts stay, go on, and show the reset', async () => {
    await connect(one, 2, 1, 1);
    await agree();
    await cloud.switch.restartVswitchd('kill');
    await cloud.sync();
    await connect(one, 3, 1, 1);
    await agree();
    expect((await counters(rules.tcp)).reset_at).not.toBe(null);
    expect(await cloud.cli('rules')).toMatch(/^a switch restarted at 20/m);
  });
});
