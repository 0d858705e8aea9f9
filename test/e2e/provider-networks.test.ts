/**
 * Guests of a VLAN and of a flat network beside physical neighbours, with real packets. Each neighbour is a namespace at
 * an access port of the physical network's bridge. It has the address of the gateway.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ExplainAnswer } from '../../src/cli/explain.ts';
import { describeRoot, type Guest, startGuest } from '../lib/netns.ts';
import { datapathType } from '../lib/switch.ts';
import { program } from '../lib/up-process.ts';
import { until } from '../lib/wait.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';

const flags = ['--bridge-mappings', 'physnet1:br-ex', '--network-vlan-ranges', 'physnet1:100:199'];
const ping = ['-c', '3', '-i', '0.2', '-W', '1'] as const;

let cloud: Cloud;
let gateway: Guest;
let router: Guest;
let web: Member;
let app: Member;
let flat: Member;
let inward: string;

/** A neighbour at an access port of a VLAN; of 0 for untagged frames. */
async function neighbour(vlan: number, ...addresses: string[]): Promise<Guest> {
  const made = await startGuest({ addresses });
  await made.plug(cloud.switch, 'br-ex');
  await cloud.switch.vsctl('set', 'Port', made.outer, `tag=${vlan}`, 'vlan_mode=access');
  return made;
}

const reaches = async (from: Guest, address: string): Promise<boolean> =>
  (await from.runAnyway('ping', [...ping, address])).code === 0;

const provider = (network_type: string, more: Readonly<Record<string, unknown>> = {}) => ({
  'provider:network_type': network_type,
  'provider:physical_network': 'physnet1',
  ...more,
});

/** The MAC that a guest has learned for an address. */
async function macAt(member: Member, address: string): Promise<string | undefined> {
  await member.runAnyway('ip', ['neighbour', 'flush', 'dev', 'eth0']);
  await member.pings(address);
  return /lladdr (\S+)/.exec(await member.run('ip', 'neighbour', 'show', address))?.[1];
}

/** Whether the host has counted drops for a reason. */
const hasCounted = async (reason: string): Promise<boolean> =>
  new RegExp(`^ingress +${reason} +\\S+ +[1-9]`, 'm').test(await cloud.cli('counters', '--host', 'e2e'));

describeRoot('provider networks', () => {
  beforeAll(async () => {
    cloud = await startCloud(program, flags);
    // As an operator makes it: the bridge learns and forwards by itself.
    await cloud.switch.vsctl(
      'add-br',
      'br-ex',
      '--',
      'set',
      'Bridge',
      'br-ex',
      `datapath_type=${datapathType}`,
      'fail_mode=standalone',
    );
    gateway = await neighbour(7, '192.0.2.1/24', '2001:db8:7::1/64');
    router = await neighbour(0, '198.51.100.1/24', '2001:db8:8::1/64');
    const vlan = await cloud.network(
      provider('vlan', { 'provider:segmentation_id': 7 }),
      '192.0.2.0/24',
      '2001:db8:7::/64',
    );
    const untagged = await cloud.network(provider('flat'), '198.51.100.0/24', '2001:db8:8::/64');
    const out = await cloud.group('out', { out: true });
    inward = await cloud.group('inward');
    [app, web] = (await cloud.guests(vlan, {
      app: { security_groups: [out] },
      web: { security_groups: [out, inward] },
    })) as [Member, Member];
    [flat] = (await cloud.guests(untagged, { flat: { security_groups: [out] } })) as [Member];
    await cloud.sync();
  });
  afterAll(async () => {
    await gateway?.stop();
    await router?.stop();
    await cloud?.stop();
  });

  test('guests reach the physical gateway of their own network, in both families', async () => {
    for (const address of ['192.0.2.1', '2001:db8:7::1'])
      for (const guest of [web, app]) expect(await guest.pings(address), address).toBe(true);
    for (const address of ['198.51.100.1', '2001:db8:8::1'])
      expect(await flat.pings(address), address).toBe(true);
  });

  test('a guest is in its VLAN alone', async () => {
    await web.run('ip', 'address', 'add', '198.51.100.99/24', 'dev', 'eth0');
    expect(await web.pings('198.51.100.1', '-I', '198.51.100.99')).toBe(false);
    await web.run('ip', 'address', 'del', '198.51.100.99/24', 'dev', 'eth0');
    expect(await cloud.dropped(web.id, 'egress', 'arp-spoof')).toBeGreaterThan(0);
  });

  test("a neighbour's packets are judged by the rules of the receiver", async () => {
    for (const [ethertype, address] of [
      ['IPv4', web.ip],
      ['IPv6', web.ip6],
    ] as const) {
      const before = await cloud.dropped(web.id, 'ingress', 'ingress-rules');
      expect(await reaches(gateway, address)).toBe(false);
      expect(await cloud.dropped(web.id, 'ingress', 'ingress-rules')).toBeGreaterThan(before);
      const protocol = ethertype === 'IPv4' ? 'icmp' : 'ipv6-icmp';
      const rule = await cloud.rule(inward, { ethertype, protocol });
      expect(await reaches(gateway, address)).toBe(true);
      await cloud.delete('security_group_rule', rule);
      expect(await reaches(gateway, address)).toBe(false);
    }
  });

  test('the physical gateway alone answers for its address', async () => {
    const claim = [{ ip_address: '192.0.2.1' }];
    const { status, body } = await cloud.api('PUT', `/v2.0/ports/${app.id}`, {
      port: { allowed_address_pairs: claim },
    });
    expect([status, JSON.stringify(body)]).toEqual([400, expect.stringContaining('AddressPairReserved')]);
    const before = await cloud.dropped(app.id, 'egress', 'arp-spoof');
    await app.run('ip', 'address', 'add', '192.0.2.1/32', 'dev', 'eth0');
    expect(await macAt(web, '192.0.2.1')).toBe(await gateway.mac());
    await until(async () => (await cloud.dropped(app.id, 'egress', 'arp-spoof')) > before, {
      what: "the guest's answer is dropped",
    });
    await app.run('ip', 'address', 'del', '192.0.2.1/32', 'dev', 'eth0');
    expect(await macAt(web, '2001:db8:7::1')).toBe(await gateway.mac());
  });

  test('a neighbour with the MAC of a guest, and VLANs of nobody, are dropped and counted', async () => {
    const stranger = await neighbour(9, '192.0.2.9/24');
    await stranger.runAnyway('ping', [...ping, web.ip]);
    await stranger.stop();
    await until(() => hasCounted('unknown-vlan'), { what: 'the VLAN is counted' });
    const forger = await startGuest({ mac: web.mac, addresses: ['192.0.2.66/24'] });
    await forger.plug(cloud.switch, 'br-ex');
    await cloud.switch.vsctl('set', 'Port', forger.outer, 'tag=7', 'vlan_mode=access');
    await forger.runAnyway('ping', [...ping, app.ip]);
    await forger.stop();
    await until(() => hasCounted('physical-spoof'), { what: 'the forged frames are counted' });
    // The bridge outside has learned the MAC at the wrong port, as any bridge would; the guest's next frame mends that.
    await until(() => web.pings('192.0.2.1'), { what: 'the guest reaches the gateway again' });
  });

  test('explain ends where the packet leaves', async () => {
    const words = ['explain', web.id, 'icmp', '192.0.2.1', `dst-mac=${await gateway.mac()}`];
    const answer = JSON.parse(await cloud.cli(...words, '--json')) as ExplainAnswer;
    expect(answer).toMatchObject({ result: 'delivered', receivers: [] });
    expect(answer.steps.at(-1)).toMatchObject({ stage: 'output', reason: 'sent-to-physical-network' });
    expect(await cloud.cli(...words)).toContain('The packet leaves for the physical network.');
  });
});
