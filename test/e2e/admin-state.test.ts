/**
 * A port or network that is administratively down carries no packet, not even of established connections.
 * When it is up again, traffic goes on. A port's status follows its own state alone, as in Neutron.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';
import { openDialogue } from './dialogue.ts';
import { passes, ping, tcp } from './traffic.ts';

let cloud: Cloud;
let net: string;
let a: Member;
let b: Member;

const statusOf = async ({ id }: Member): Promise<unknown> => {
  const { body } = await cloud.api('GET', `/v2.0/ports/${id}`);
  return (body as { port: { status: string } }).port.status;
};

describeRoot('administrative state', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    net = await cloud.network({}, '192.0.2.0/24', '2001:db8:7::/64');
    const any = ['IPv4', 'IPv6'].map((ethertype) => ({ ethertype }));
    const open = await cloud.group('open', { out: true, rules: any });
    const tracked = await cloud.group('tracked', {
      out: true,
      rules: [{ protocol: 'tcp' }, { protocol: 'icmp' }],
    });
    [a, b] = (await cloud.guests(net, {
      a: { security_groups: [open] },
      b: { security_groups: [tracked] },
    })) as [Member, Member];
    await b.probe.serve([80], []);
  });
  afterAll(() => cloud?.stop());

  test('of a network: its ports are silent, connections are cut, and all goes on afterwards', async () => {
    await passes(ping(a, b), tcp(a, b, 80));
    const dialogue = await openDialogue(a, b);
    await dialogue.flows();
    await cloud.update('network', net, { admin_state_up: false });
    expect(await cloud.connections(a.ip, b.ip)).toEqual([]);
    const reason = 'admin-down';
    await Promise.all([
      dialogue.stalls(cloud, 'client', { at: a, direction: 'egress', reason }),
      dialogue.stalls(cloud, 'server', { at: b, direction: 'egress', reason }),
    ]);
    expect(await a.pings(b.ip)).toBe(false);
    expect(await b.pings(a.ip)).toBe(false);
    expect([await statusOf(a), await statusOf(b)]).toEqual(['ACTIVE', 'ACTIVE']);
    await cloud.update('network', net, { admin_state_up: true });
    await dialogue.flows();
    await passes(ping(a, b), tcp(a, b, 80));
  });

  test('of a port: it sends nothing, its drops are counted at it, and its status is DOWN', async () => {
    await cloud.update('port', b.id, { admin_state_up: false });
    expect(await statusOf(b)).toBe('DOWN');
    expect(await a.pings(b.ip)).toBe(false);
    expect(await b.pings(a.ip)).toBe(false);
    expect(await cloud.dropped(b.id, 'egress', 'admin-down')).toBeGreaterThan(0);
    expect(await cloud.dropped(b.id, 'ingress', 'admin-down')).toBeGreaterThan(0);
    await cloud.update('port', b.id, { admin_state_up: true });
    expect(await statusOf(b)).toBe('ACTIVE');
    await passes(ping(a, b), tcp(a, b, 80));
  });
});
