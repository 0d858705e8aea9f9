/**
 * A floating address under real keepalived and haproxy. The master ends, orderly or by kill -9. After the new
 * master's announcement no new connection of a third guest fails.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runAnyway } from '../lib/command.ts';
import { describeRoot } from '../lib/netns.ts';
import { slowness, until } from '../lib/wait.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';

const vip = '192.0.2.100';
const vip6 = '2001:db8:7::100';

let cloud: Cloud;
let servers: readonly [Member, Member];
let client: Member;

const file = (member: Member, name: string) => `${cloud.dataDir}/vrrp/${member.namespace}.${name}`;

async function pidOf(member: Member, name: string): Promise<number> {
  return until(async () => Number(await readFile(file(member, name), 'utf8')), {
    what: `${name} is written`,
  });
}

/** keepalived with one VRRP instance a family, as in its manual: multicast, one announcement a second. */
async function startKeepalived(member: Member, priority: number): Promise<void> {
  const instance = (name: string, id: number, address: string) => `
vrrp_instance ${name} {
  state BACKUP
  interface eth0
  virtual_router_id ${id}
  priority ${priority}
  advert_int 1
  virtual_ipaddress {
    ${address}
  }
}
`;
  const text = instance('vip', 10, `${vip}/24`) + instance('vip6', 11, `${vip6}/64`);
  await writeFile(file(member, 'conf'), text);
  const pids = ['-p', file(member, 'pid'), '-r', file(member, 'vrrp.pid')];
  await member.run('keepalived', '-P', '-f', file(member, 'conf'), ...pids);
}

async function startHaproxy(member: Member): Promise<void> {
  await writeFile(
    file(member, 'haproxy'),
    `defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
frontend web
  bind :::80 v4v6
  http-request return status 200 content-type text/plain string ${member.port.name}
`,
  );
  await member.run('haproxy', '-D', '-f', file(member, 'haproxy'), '-p', file(member, 'haproxy.pid'));
}

/** Who answers at both addresses; null when they differ or one is silent. */
async function answers(): Promise<string | null> {
  const [v4, v6] = await Promise.all([vip, vip6].map((address) => client.probe.http(address, 80, 1)));
  return v4?.result === 'ok' && v6?.result === 'ok' && v4.body === v6.body ? v4.body : null;
}

/** The time at which the client received a member's announcement of the addresses: gratuitous ARP, unsolicited NA. */
async function announcements(from: Member): Promise<{ readonly arp: number; readonly na: number }> {
  let arp: number | null = null;
  let na: number | null = null;
  const mac = Buffer.from(from.mac.replaceAll(':', ''), 'hex');
  const v4 = Buffer.from(vip.split('.').map(Number));
  await until(
    async () => {
      for (const { at, frame } of await client.probe.sniffed()) {
        if (!frame.subarray(6, 12).equals(mac)) continue;
        const type = frame.readUInt16BE(12);
        const sender = frame.subarray(28, 32);
        if (type === 0x0806 && sender.equals(v4) && frame.subarray(38, 42).equals(v4)) arp ??= at;
        if (type === 0x86dd && frame[20] === 58 && frame[54] === 136 && frame.at(77) === 0) na ??= at;
      }
      return arp !== null && na !== null;
    },
    { timeout: 20_000, what: `${from.port.name} announces both addresses`, interval: 50 },
  );
  return { arp: arp ?? 0, na: na ?? 0 };
}

/** Ends `master` by `end`, while new connections are made all the time. */
async function failover(master: Member, next: Member, end: () => Promise<void>): Promise<void> {
  await until(async () => (await answers()) === master.port.name, {
    timeout: 20_000,
    what: `${master.port.name} answers`,
    interval: 100,
  });
  await client.probe.sniffed();
  const period = 0.01;
  await client.probe.connections('v4', vip, 80, { period, timeout: 3 * slowness, http: true });
  await client.probe.connections('v6', vip6, 80, { period, timeout: 3 * slowness, http: true });
  await until(async () => (await client.probe.connectionsState('v4')).length > 20);
  await end();
  const heard = await announcements(next);
  const after = async (name: string, since: number) =>
    (await client.probe.connectionsState(name)).filter(({ began }) => began > since);
  await until(
    async () => (await after('v4', heard.arp)).length > 100 && (await after('v6', heard.na)).length > 100,
    { timeout: 30_000, what: 'connections after the announcement', interval: 50 },
  );
  const ended = { v4: await client.probe.connectionsEnd('v4'), v6: await client.probe.connectionsEnd('v6') };
  for (const [name, since] of [
    ['v4', heard.arp],
    ['v6', heard.na],
  ] as const) {
    const before = ended[name].filter(({ began }) => began <= since);
    expect(before.filter(({ body }) => body === master.port.name).length).toBeGreaterThan(10);
    const failed = ended[name].filter(
      ({ began, result, body }) => began > since && (result !== 'ok' || body !== next.port.name),
    );
    expect(failed.map(({ began, ...rest }) => ({ after: began - since, ...rest }))).toEqual([]);
  }
}

describeRoot('keepalived and haproxy', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    await mkdir(`${cloud.dataDir}/vrrp`);
    const net = await cloud.network({}, '192.0.2.0/24', '2001:db8:7::/64');
    // IPv6 VRRP uses link-local addresses, which are not members' addresses for a remote group.
    const vrrp = { ethertype: 'IPv6', protocol: '112', remote_ip_prefix: 'fe80::/10' };
    await cloud.rule(await cloud.defaultGroup(), vrrp);
    const allowed_address_pairs = [{ ip_address: vip }, { ip_address: vip6 }];
    const made = await cloud.guests(net, {
      server1: { allowed_address_pairs },
      server2: { allowed_address_pairs },
      client: {},
    });
    servers = [made[0], made[1]] as [Member, Member];
    client = made[2] as Member;
    await client.probe.sniff();
    await Promise.all(servers.map(startHaproxy));
    await startKeepalived(servers[0], 150);
    await startKeepalived(servers[1], 100);
  });
  afterAll(() => cloud?.stop());

  test('the master is stopped: the other answers, and nothing fails after its announcement', async () => {
    const [one, two] = servers;
    await failover(one, two, async () => {
      process.kill(await pidOf(one, 'pid'), 'SIGTERM');
    });
  });

  test('the first comes back and takes the addresses again, and nothing fails after its announcement', async () => {
    const [one, two] = servers;
    await until(async () => (await runAnyway('cat', [file(one, 'pid')])).code !== 0, {
      what: 'keepalived is gone',
    });
    await failover(two, one, () => startKeepalived(one, 150));
  });

  test('the master is killed with its addresses configured: the other answers after three intervals', async () => {
    const [one, two] = servers;
    await failover(one, two, async () => {
      // Stopped first: a parent restarts its child, and a child cleans up when its parent is gone.
      const parent = await pidOf(one, 'pid');
      process.kill(parent, 'SIGSTOP');
      process.kill(await pidOf(one, 'vrrp.pid'), 'SIGKILL');
      process.kill(parent, 'SIGKILL');
    });
    // The dead one still has the address, and would answer for it.
    expect(await one.run('ip', 'address', 'show', 'eth0')).toContain(`${vip}/`);
    expect(await answers()).toBe(two.port.name);
  });
});
