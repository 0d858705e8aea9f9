/** DHCP with dnsmasq and udhcpc: a trusted port may serve, a strict one may ask and never serve. */
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { until } from '../lib/wait.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';

let cloud: Cloud;
let trusted: Member;
let vouched: Member;
let rogue: Member;
let asking: Member;
let script: string;

const pidFile = (server: Member) => `${cloud.dataDir}/${server.port.name}.dnsmasq.pid`;

/** The guest serves one lease: the address that the API has given the asking port. */
async function serve(server: Member): Promise<void> {
  const files = [`--pid-file=${pidFile(server)}`, `--dhcp-leasefile=${pidFile(server)}.leases`];
  await server.run(
    'dnsmasq',
    '--conf-file=/dev/null',
    '--port=0',
    '--interface=eth0',
    '--bind-interfaces',
    '--no-ping',
    ...files,
    '--dhcp-range=192.0.2.0,static,255.255.255.0',
    `--dhcp-host=${asking.mac},${asking.ip}`,
    '--dhcp-authoritative',
    `--log-facility=${pidFile(server)}.log`,
    '--log-dhcp',
  );
}

async function silence(server: Member): Promise<void> {
  const { stdout } = await server.runAnyway('cat', [pidFile(server)]);
  process.kill(Number(stdout));
  await until(async () => !(await server.run('ss', '-lunH')).includes(':67 '), {
    what: 'dnsmasq is gone',
  });
}

/** The server that gave the lease and the address in it; null without one after some tries. */
async function lease(): Promise<string | null> {
  const options = '-i eth0 -f -q -n -t 3 -T 1 -s'.split(' ');
  const { code, stdout, stderr } = await asking.runAnyway('udhcpc', [...options, script]);
  if (code !== 0 && !/no lease/.test(stderr + stdout)) throw new Error(stderr);
  return /^leased (.*)$/m.exec(stdout)?.[1] ?? null;
}

describeRoot('DHCP', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({}, '192.0.2.0/24');
    // A question comes from 0.0.0.0: a server needs a rule that lets it in.
    const rules = [{ protocol: 'udp', port_range_min: 67, port_range_max: 67 }];
    const security_groups = [await cloud.group('servers', { out: true, rules })];
    [trusted, vouched, rogue] = (await cloud.guests(net, {
      trusted: { port_security_enabled: false },
      vouched: { dhcp_trusted: true, security_groups },
      rogue: { security_groups },
    })) as [Member, Member, Member];
    [asking] = (await cloud.guests(net, { asking: { security_groups: [] } }, '--no-addresses')) as [Member];
    script = `${cloud.dataDir}/udhcpc`;
    await writeFile(script, '#!/bin/sh\n[ "$1" = bound ] && echo "leased $ip by $serverid"\nexit 0\n', {
      mode: 0o755,
    });
  });
  afterAll(() => cloud?.stop());

  test('a port without port security serves, and a port without any group gets its lease', async () => {
    await serve(trusted);
    expect(await lease()).toBe(`${asking.ip} by ${trusted.ip}`);
    await silence(trusted);
  });

  test('a port that is trusted to serve does so under port security', async () => {
    await serve(vouched);
    expect(await lease()).toBe(`${asking.ip} by ${vouched.ip}`);
    await silence(vouched);
  });

  test('a rogue server is cut off and counted', async () => {
    await serve(rogue);
    const before = await cloud.dropped(rogue.id, 'egress', 'dhcp-server');
    expect(await lease()).toBe(null);
    // It heard the question and answered; that is what must not get out.
    const count = await until(
      async () => {
        const now = await cloud.dropped(rogue.id, 'egress', 'dhcp-server');
        return now > before && now - before;
      },
      { what: 'the answers are counted', interval: 100 },
    );
    expect(count).toBeGreaterThanOrEqual(1);
    // Beside an honest server it does not win either.
    await serve(trusted);
    expect(await lease()).toBe(`${asking.ip} by ${trusted.ip}`);
    await silence(rogue);
    await silence(trusted);
  });
});
