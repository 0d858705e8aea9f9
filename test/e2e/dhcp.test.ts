/** DHCP with dnsmasq and udhcpc: a trusted port may serve. A strict port may be a client and never a server. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { until } from '../lib/wait.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';
import { LeaseServer, lease } from './leases.ts';

let cloud: Cloud;
let trusted: Member;
let vouched: Member;
let rogue: Member;
let asking: Member;

async function serve(server: Member): Promise<LeaseServer> {
  const made = new LeaseServer(cloud, server);
  await made.start(asking);
  return made;
}

describeRoot('DHCP', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({}, '192.0.2.0/24');
    // A request comes from 0.0.0.0, so a server needs a rule for it.
    const rules = [{ protocol: 'udp', port_range_min: 67, port_range_max: 67 }];
    const security_groups = [await cloud.group('servers', { out: true, rules })];
    [trusted, vouched, rogue] = (await cloud.guests(net, {
      trusted: { port_security_enabled: false },
      vouched: { dhcp_trusted: true, security_groups },
      rogue: { security_groups },
    })) as [Member, Member, Member];
    [asking] = (await cloud.guests(net, { asking: { security_groups: [] } }, '--no-addresses')) as [Member];
  });
  afterAll(() => cloud?.stop());

  test('a port without port security serves, and a port without any group gets its lease', async () => {
    const server = await serve(trusted);
    expect(await lease(cloud, asking)).toBe(`${asking.ip} by ${trusted.ip}`);
    await server.stop();
  });

  test('a port that is trusted to serve does so under port security', async () => {
    const server = await serve(vouched);
    expect(await lease(cloud, asking)).toBe(`${asking.ip} by ${vouched.ip}`);
    await server.stop();
  });

  test('a rogue server is cut off and counted', async () => {
    const cutOff = await serve(rogue);
    const before = await cloud.dropped(rogue.id, 'egress', 'dhcp-server');
    expect(await lease(cloud, asking)).toBe(null);
    // It received the request and answered; the answer must not get out.
    const count = await until(
      async () => {
        const now = await cloud.dropped(rogue.id, 'egress', 'dhcp-server');
        return now > before && now - before;
      },
      { what: 'the answers are counted', interval: 100 },
    );
    expect(count).toBeGreaterThanOrEqual(1);
    // It does not win beside an honest server either.
    const honest = await serve(trusted);
    expect(await lease(cloud, asking)).toBe(`${asking.ip} by ${trusted.ip}`);
    await cutOff.stop();
    await honest.stop();
  });
});
