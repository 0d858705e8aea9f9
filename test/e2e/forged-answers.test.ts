/**
 * Real clients of DHCP and of routers beside a guest that forges answers: they accept nothing from a guarded
 * guest.
 */
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';
import { Forger, forged } from './forger.ts';
import { lease } from './leases.ts';

let cloud: Cloud;
let victim: Member;
let guarded: Member;
let open: Member;
let vouched: Member;

/** The addresses that dhclient got; null when it got none in time. */
async function dhclient(family: 4 | 6): Promise<string | null> {
  const at = `${cloud.dataDir}/dhclient${family}`;
  await writeFile(`${at}.conf`, 'timeout 5;\nretry 2;\ninitial-interval 1;\n');
  const bound = 'BOUND*) echo "leased $new_ip_address$new_ip6_address"; kill $PPID;;';
  const script = `#!/bin/sh\ncase $reason in ${bound} esac\nexit 0\n`;
  await writeFile(`${at}.sh`, script, { mode: 0o755 });
  const files = ['-cf', `${at}.conf`, '-sf', `${at}.sh`, '-lf', `${at}.leases`, '-pf', `${at}.pid`];
  await writeFile(`${at}.leases`, '');
  // With `-d` it stays in the foreground until its script or `timeout` ends it.
  const words = ['8', 'dhclient', `-${family}`, '-1', '-d', ...files, 'eth0'];
  const { stdout, stderr } = await victim.runAnyway('timeout', words);
  return /leased (\S+)/.exec(stdout + stderr)?.[1] ?? null;
}

async function udhcpc(): Promise<string | null> {
  return (await lease(cloud, victim))?.split(' ')[0] ?? null;
}

/** The lifetime that a router advertised. */
async function rdisc6(): Promise<string | null> {
  const { stdout } = await victim.runAnyway('rdisc6', ['-1', '-r', '3', '-w', '1000', 'eth0']);
  return /Router lifetime +: +(\d+)/.exec(stdout)?.[1] ?? null;
}

const clients = [
  { name: 'udhcpc', ask: udhcpc, gets: forged.address4, reason: 'dhcp-server' },
  { name: 'dhclient -4', ask: () => dhclient(4), gets: forged.address4, reason: 'dhcp-server' },
  { name: 'dhclient -6', ask: () => dhclient(6), gets: forged.address6, reason: 'dhcp-server' },
  { name: 'rdisc6', ask: rdisc6, gets: String(forged.lifetime), reason: 'ra' },
] as const;

async function beside<T>(member: Member, work: (forger: Forger) => Promise<T>): Promise<T> {
  const forger = new Forger(member);
  await forger.start();
  try {
    return await work(forger);
  } finally {
    await forger.stop();
  }
}

describeRoot('forged answers', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({}, '192.0.2.0/24', '2001:db8::/64');
    // Only the guards separate the two.
    const rules = [{ ethertype: 'IPv4' }, { ethertype: 'IPv6' }];
    const security_groups = [await cloud.group('all', { out: true, rules })];
    [guarded, open, vouched] = (await cloud.guests(net, {
      guarded: { security_groups },
      open: { port_security_enabled: false },
      vouched: { security_groups, dhcp_trusted: true },
    })) as [Member, Member, Member];
    [victim] = (await cloud.guests(net, { victim: { security_groups } }, '--no-addresses')) as [Member];
  });
  afterAll(() => cloud?.stop());

  describe.each(clients)('$name', ({ ask, gets, reason }) => {
    test('accepts forged answers of an unguarded port: the forger is good enough', async () => {
      expect(await beside(open, ask)).toBe(gets);
    });

    test('accepts nothing from a guarded port', async () => {
      const before = await cloud.dropped(guarded.id, 'egress', reason);
      await beside(guarded, async (forger) => {
        expect(await ask()).toBe(null);
        expect(forger.answered).toBeGreaterThan(0);
      });
      expect(await cloud.dropped(guarded.id, 'egress', reason)).toBeGreaterThan(before);
    });

    test('accepts answers of a guarded port that may serve DHCP', async () => {
      expect(await beside(vouched, ask)).toBe(gets);
    });
  });
});
