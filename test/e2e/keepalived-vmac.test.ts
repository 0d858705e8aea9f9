/**
 * keepalived with use_vmac. With the pairs of docs/operations.md there is one master of each family, and it
 * is reachable at its addresses. Without the pairs for its own address its advertisements are dropped, and
 * both become masters.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, test } from 'vitest';
import { cidr, formatCidr } from '../../src/net/cidr.ts';
import { eui64Address } from '../../src/net/eui64.ts';
import { parseMac } from '../../src/net/mac.ts';
import { describeRoot } from '../lib/netns.ts';
import { until } from '../lib/wait.ts';
import { type Attributes, type Cloud, type Member, startCloud } from './cloud.ts';

const families = [
  { vip: '192.0.2.100', length: 24, router: 10, mac: '00:00:5e:00:01:0a', device: 'vrrp4' },
  { vip: '2001:db8:7::100', length: 64, router: 11, mac: '00:00:5e:00:02:0b', device: 'vrrp6' },
] as const;

let cloud: Cloud;
let servers: readonly Member[];
let client: Member;

const file = (member: Member, name: string) => `${cloud.dataDir}/vmac/${member.namespace}.${name}`;

async function startKeepalived(member: Member, priority: number): Promise<void> {
  const instances = families.map(
    ({ vip, length, router, device }) => `
vrrp_instance ${device} {
  state BACKUP
  interface eth0
  use_vmac ${device}
  virtual_router_id ${router}
  priority ${priority}
  advert_int 1
  virtual_ipaddress {
    ${vip}/${length}
  }
}
`,
  );
  await writeFile(file(member, 'conf'), instances.join(''));
  const pids = ['-p', file(member, 'pid'), '-r', file(member, 'vrrp.pid')];
  await member.run('keepalived', '-P', '-f', file(member, 'conf'), ...pids);
}

const virtual: readonly Attributes[] = families.flatMap(({ vip, mac }) => [
  { ip_address: vip },
  { ip_address: vip, mac_address: mac },
]);

function linkLocal({ mac, port }: Member): string {
  const parsed = parseMac(mac);
  if (parsed === null) throw new Error(`${port.name} has no MAC`);
  return formatCidr(eui64Address(cidr(6, 0xfe80n << 112n, 64), parsed));
}

/** The source addresses of a node's advertisements: its own, with the virtual MACs. */
const ownOf = (member: Member): readonly Attributes[] =>
  families.map(({ vip, mac }) => ({
    ip_address: vip.includes(':') ? linkLocal(member) : member.ip,
    mac_address: mac,
  }));

const pairs = (member: Member, allowed_address_pairs: readonly Attributes[]): Promise<void> =>
  cloud.update('port', member.id, { allowed_address_pairs });

/** The names of the members that have the address of a family. */
async function mastersOf(vip: string): Promise<readonly string[]> {
  const held = await Promise.all(servers.map((one) => one.run('ip', 'address', 'show', 'to', vip)));
  return servers.flatMap(({ port }, at) => (held[at] === '' ? [] : [port.name]));
}

const masters = (): Promise<readonly (readonly string[])[]> =>
  Promise.all(families.map(({ vip }) => mastersOf(vip)));

/** Who holds the addresses, as the store says. */
async function owners(): Promise<readonly (string | null)[]> {
  const { body } = await cloud.api('GET', '/v1/vips');
  const { vips } = body as { readonly vips: readonly Vip[] };
  return families.map(({ vip }) => vips.find(({ address }) => address === vip)?.owner_name ?? null);
}

interface Vip {
  readonly address: string;
  readonly owner_name: string | null;
}

describeRoot('keepalived with use_vmac', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    await mkdir(`${cloud.dataDir}/vmac`);
    const net = await cloud.network({}, '192.0.2.0/24', '2001:db8:7::/64');
    const vrrp = { ethertype: 'IPv6', protocol: '112', remote_ip_prefix: 'fe80::/10' };
    await cloud.rule(await cloud.defaultGroup(), vrrp);
    const made = await cloud.guests(net, { server1: {}, server2: {}, client: {} });
    servers = made.slice(0, 2);
    client = made[2] as Member;
    for (const one of servers) await pairs(one, [...virtual, ...ownOf(one)]);
    await cloud.sync();
    for (const [at, one] of servers.entries()) await startKeepalived(one, 150 - 50 * at);
  });
  afterAll(() => cloud?.stop());

  test('the better one is the only master, and answers; when it ends, the other takes over', async () => {
    const [first] = servers;
    for (const name of ['server1', 'server2']) {
      await until(
        async () => {
          if ((await masters()).some((held) => held.join() !== name)) return false;
          const heard = await Promise.all(families.map(({ vip }) => client.pings(vip)));
          return heard.every(Boolean) && (await owners()).every((owner) => owner === name);
        },
        {
          timeout: 30_000,
          what: `${name} alone has the addresses, answers, and is their owner`,
          interval: 200,
        },
      );
      // A bit more than three intervals: a second master would be visible by then.
      if (first !== undefined && name === 'server1')
        process.kill(Number(await readFile(file(first, 'pid'), 'utf8')), 'SIGTERM');
    }
  });

  test('without the pairs for its advertisements, they are dropped', async () => {
    const [first, second] = servers as [Member, Member];
    await pairs(first, virtual);
    await cloud.sync();
    await startKeepalived(first, 150);
    // The other one's advertisements arrive, but the better one ignores them.
    await until(async () => (await masters()).every((held) => held.length === 2), {
      timeout: 30_000,
      what: 'both are masters',
      interval: 200,
    });
    await pairs(first, [...virtual, ...ownOf(first)]);
    await until(async () => (await masters()).every((held) => held.join() === first.port.name), {
      timeout: 30_000,
      what: `${second.port.name} gives way`,
      interval: 200,
    });
  });
});
