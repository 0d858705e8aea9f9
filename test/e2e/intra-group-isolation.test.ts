/**
 * Members of one group without default rules: they boot, with DHCP and metadata. They cannot reach each other
 * until a rule names their own group.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';
import { openDialogue } from './dialogue.ts';
import { LeaseServer, lease } from './leases.ts';
import { isRefused, passes, ping, tcp } from './traffic.ts';

const metadataAddress = '169.254.169.254';

let cloud: Cloud;
let net: string;
let group: string;
let one: Member;
let two: Member;
let services: Member;

/** A request of `from` to the metadata service. */
const metadata = (from: Member, port = 80) => ({
  from,
  to: services,
  what: `metadata ${port}`,
  attempt: (timeout: number) => from.probe.tcp(metadataAddress, port, { timeout }),
});

describeRoot('isolation within a group', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    net = await cloud.network({}, { cidr: '192.0.2.0/24', enable_dhcp: false });
    const egress = { direction: 'egress' };
    const rules = [
      {
        ...egress,
        protocol: 'tcp',
        port_range_min: 80,
        port_range_max: 80,
        remote_ip_prefix: `${metadataAddress}/32`,
      },
      { ...egress, protocol: 'udp', port_range_min: 67, port_range_max: 67 },
      { ...egress, protocol: 'icmp' },
    ];
    group = await cloud.group('isolated', { rules });
    const security_groups = [group];
    [one, two, services] = (await cloud.guests(net, {
      one: { security_groups },
      two: { security_groups },
      services: { port_security_enabled: false },
    })) as [Member, Member, Member];
    for (const { probe } of [one, two, services]) await probe.serve([80, 81]);
    await services.run('ip', 'address', 'add', `${metadataAddress}/32`, 'dev', 'eth0');
    for (const member of [one, two])
      await member.run('ip', 'route', 'add', `${metadataAddress}/32`, 'dev', 'eth0');
  });
  afterAll(() => cloud?.stop());

  test('a guest boots: it gets its lease and the metadata service, and nothing else', async () => {
    const [late] = (await cloud.guests(net, { late: { security_groups: [group] } }, '--no-addresses')) as [
      Member,
    ];
    const server = new LeaseServer(cloud, services);
    await server.start(late);
    expect(await lease(cloud, late)).toBe(`${late.ip} by ${services.ip}`);
    await server.stop();
    await passes(metadata(one), metadata(two), ping(one, services));
    await isRefused(cloud, 'egress', metadata(one, 81), tcp(one, services, 80));
  });

  test('running members reach each other only while a rule names their group', async () => {
    const both = [ping(one, two), ping(two, one)];
    await passes(ping(one, services));
    await isRefused(cloud, 'ingress', ...both);
    const rule = await cloud.rule(group, { protocol: 'icmp', remote_group_id: group });
    await passes(...both);
    // The group lets its members in. Others are let in only as answers.
    await isRefused(cloud, 'ingress', ping(services, one), ping(services, two));
    await cloud.delete('security_group_rule', rule);
    await isRefused(cloud, 'ingress', ...both);
    await passes(ping(one, services), metadata(two));
  });

  test('with rules for the own group, each direction needs its own', async () => {
    const web = { protocol: 'tcp', port_range_min: 80, port_range_max: 80, remote_group_id: group };
    await isRefused(cloud, 'egress', tcp(one, two, 80));
    const inward = await cloud.rule(group, web);
    await isRefused(cloud, 'egress', tcp(one, two, 80));
    const outward = await cloud.rule(group, { ...web, direction: 'egress' });
    await passes(tcp(one, two, 80), tcp(two, one, 80));
    await isRefused(cloud, 'egress', tcp(one, two, 81), tcp(one, services, 80));
    await cloud.delete('security_group_rule', inward);
    await isRefused(cloud, 'ingress', tcp(one, two, 80), tcp(two, one, 80));
    await cloud.delete('security_group_rule', outward);
    await isRefused(cloud, 'egress', tcp(one, two, 80));
  });

  test('a member that leaves its group is cut off at once', async () => {
    const outward = { direction: 'egress' };
    const rules = [
      { ...outward, protocol: 'icmp' },
      { ...outward, protocol: 'tcp' },
    ];
    await cloud.rule(group, { protocol: 'tcp', remote_group_id: group });
    await cloud.rule(group, { ...outward, protocol: 'tcp' });
    await passes(tcp(one, two, 80), tcp(two, one, 80));
    const dialogue = await openDialogue(one, two);
    await dialogue.flows();
    await cloud.groupsOf(one, await cloud.group('others', { rules }));
    await isRefused(cloud, 'ingress', tcp(one, two, 80), tcp(two, one, 80));
    await dialogue.stalls(cloud, 'client', { at: two, direction: 'ingress' });
    await cloud.groupsOf(one, group);
    await passes(tcp(one, two, 80), tcp(two, one, 80));
    await dialogue.flows();
  });
});
