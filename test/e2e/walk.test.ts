/**
 * Runs README's walk as a newcomer types it: the shell blocks of README.md, with namespaces and a folder of their own
 * for each run, since the machine has one set of namespaces.
 */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../lib/command.ts';
import { describeRoot } from '../lib/netns.ts';
import { cleanEnvironment, program } from '../lib/up-process.ts';
import { until } from '../lib/wait.ts';
import { type Cloud, startCloud } from './cloud.ts';

let cloud: Cloud;
let walk: string[];
const guests = ['server1', 'server2', 'client'] as const;

/** The name in this run for `name`. */
const own = (name: string) => `${cloud.tag}-${name}`;

/** The walk's shell blocks, in order. */
async function blocks(): Promise<string[]> {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  return [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = '']) =>
    guests
      .reduce((text, name) => text.replaceAll(name, own(name)), block)
      // The variable with the client's address keeps its name, and so does haproxy's setting.
      .replaceAll(`timeout ${own('client')}`, 'timeout client')
      .replaceAll(`${own('client')}=`, 'client=')
      .replaceAll(`$${own('client')}`, '$client')
      .replaceAll('/tmp/walk', `${cloud.dataDir}/walk`),
  );
}

/** Runs a script beside the switch, with the walk's functions and variables. */
async function shell(script: string): Promise<string> {
  const [, setup = ''] = walk[0]?.split(/(?<=apt-get install .*\n)/) ?? [];
  const client = `client=$(cat ${cloud.dataDir}/client 2>/dev/null || true)`;
  const keep = `echo "$client" >${cloud.dataDir}/client`;
  const [bash, ...words] = cloud.switch.entered('bash', '-c');
  const text = [
    'set -e',
    setup,
    `portcullis() { "${program.join('" "')}" "$@"; }`,
    client,
    script,
    keep,
  ].join('\n');
  const env = cleanEnvironment({ PORTCULLIS_OVSDB: cloud.switch.dbTarget });
  return run(bash, [...words, text], { env, timeout: 100_000 });
}

/** Lines of a block from the one that contains `from` to the one that contains `to`, both included. */
function part(block: string | undefined, from: string, to = from): string {
  const lines = (block ?? '').split('\n');
  const first = lines.findIndex((line) => line.includes(from));
  const last = lines.findIndex((line, i) => i >= first && line.includes(to));
  if (first < 0 || last < 0) throw new Error(`the walk has no ${from} … ${to}`);
  return lines.slice(first, last + 1).join('\n');
}

async function spoofs(): Promise<number> {
  const counters = JSON.parse(await shell(`portcullis counters ${own('server1')} --json`)) as {
    drops: { reason: string; direction: string; packets: number }[];
  };
  return counters.drops
    .filter(({ direction, reason }) => direction === 'egress' && /^(arp|ip)-spoof$/.test(reason))
    .reduce((sum, { packets }) => sum + packets, 0);
}

describeRoot("README's walk", () => {
  beforeAll(async () => {
    cloud = await startCloud();
    walk = await blocks();
    expect(walk).toHaveLength(6);
  });
  afterAll(() => cloud?.stop());

  test('two servers and a client on one network', async () => {
    const output = await shell(walk[1] ?? '');
    for (const name of guests) expect(output).toMatch(new RegExp(`^${own(name)} .* ACTIVE$`, 'm'));
  });

  test('an address of somebody else is dropped, counted and explained', async () => {
    const output = await shell(`(${walk[2]}\n) || true`);
    expect(output).toContain('100% packet loss');
    expect(output).toMatch(/^egress +arp-spoof +- +[1-9]/m);
    expect(output).toContain(`The packet is dropped: ip-spoof at ${own('server1')}.`);
    expect(output).toMatch(/update port .*: allowed_address_pairs=.*192\.168\.1\.10/);
  });

  test("allowed on both servers, the pair has the port's MAC and passes", async () => {
    const output = await shell(walk[3] ?? '');
    const mac = (
      await run('ip', ['netns', 'exec', own('server1'), 'cat', '/sys/class/net/eth0/address'])
    ).trim();
    expect(output).toMatch(
      new RegExp(`allowed_address_pairs \\| ip_address='192.168.1.10', mac_address='${mac}' `),
    );
    expect(output).toContain(' 0% packet loss');
  });

  test('with a MAC in the pair, that MAC passes and no other does', async () => {
    const mac = '02:00:00:00:00:10';
    const name = own('server1');
    const before = await spoofs();
    const attempt = `
      ip -n ${name} link add link eth0 name shadow address ${mac} type macvlan mode private
      ip -n ${name} link set shadow up
      ip -n ${name} address add 192.168.1.11/32 dev shadow
      ip -n ${name} route add $client dev shadow src 192.168.1.11
      ip netns exec ${name} ping -c 3 -i 0.3 -W 1 -I 192.168.1.11 $client`;
    const remove = `ip -n ${name} link del shadow`;
    expect(await shell(`(${attempt}\n) || true; ${remove}`)).toContain('100% packet loss');
    expect(await spoofs()).toBe(before);
    const drops = await shell(`portcullis counters ${name}`);
    expect(drops).toMatch(/^egress +mac-spoof +- +[1-9]/m);
    await shell(`
      openstack port set ${name} --allowed-address ip-address=192.168.1.11,mac-address=${mac}
      portcullis sync`);
    const shown = await shell(`openstack port show ${name} -c allowed_address_pairs`);
    expect(shown).toContain(`ip_address='192.168.1.11', mac_address='${mac}'`);
    expect(await shell(`(${attempt}\n) || true; ${remove}`)).toContain(' 0% packet loss');
  });

  test('keepalived moves the address, haproxy answers on it', async () => {
    const [question = ''] = /ip netns exec \S+ curl \S+ \S+/.exec(walk[4] ?? '') ?? [];
    await shell(part(walk[4], 'mkdir', 'keepalived -P').concat('\ndone'));
    const answer = (name: string) => async () => (await shell(question)).includes(own(name));
    await until(answer('server1'), { timeout: 20_000, what: 'server1 answers', interval: 200 });
    await shell(part(walk[4], 'kill $(cat'));
    await until(answer('server2'), { timeout: 20_000, what: 'server2 answers', interval: 200 });
  });

  test('clean-up removes everything', async () => {
    await shell(walk[5] ?? '');
    const { body } = await cloud.api('GET', '/v2.0/ports');
    expect(body).toEqual({ ports: [] });
    expect(await run('ip', ['netns', 'list'])).not.toContain(cloud.tag);
    expect(await cloud.switch.vsctl('list-ports', 'br-int')).toBe('');
  });
});
