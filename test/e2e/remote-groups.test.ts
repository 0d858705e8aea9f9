/** Rules that name groups: with port ranges, of several groups, through several groups of a port, inherited. */
import { afterAll, beforeAll, beforeEach, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { type Attributes, type Cloud, type Member, startCloud } from './cloud.ts';
import { openDialogue } from './dialogue.ts';
import { isRefused, passes, ping, tcp, udp } from './traffic.ts';

const ports = [79, 80, 81, 82, 83, 90, 443, 444];

let cloud: Cloud;
let friend: Member;
let stranger: Member;
let server: Member;
let second: Member;
let friends: string;
let strangers: string;
let names = 0;

const range = (min: number, max: number = min): Attributes => ({ port_range_min: min, port_range_max: max });

const group = (...rules: readonly Attributes[]): Promise<string> => {
  names += 1;
  return cloud.group(`group-${names}`, { rules });
};

describeRoot('remote groups', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({}, '192.0.2.0/24', '2001:db8:7::/64');
    friends = await cloud.group('friends', { out: true });
    strangers = await cloud.group('strangers', { out: true });
    [friend, stranger, server, second] = (await cloud.guests(net, {
      friend: { security_groups: [friends] },
      stranger: { security_groups: [strangers] },
      server: { security_groups: [] },
      second: { security_groups: [] },
    })) as [Member, Member, Member, Member];
    for (const { probe } of [server, second]) await probe.serve(ports, ports);
  });
  afterAll(() => cloud?.stop());
  beforeEach(async () => {
    await cloud.write('port', second.id, { security_groups: [] });
    await cloud.write('port', stranger.id, { security_groups: [strangers] });
    await cloud.groupsOf(friend, friends);
  });

  test('a remote group with a range of ports, of both families', async () => {
    const rule = { protocol: 'tcp', remote_group_id: friends, ...range(80, 82) };
    await cloud.groupsOf(server, await group(rule, { ...rule, ethertype: 'IPv6' }));
    await passes(
      ...[80, 81, 82].flatMap((port) => [tcp(friend, server, port), tcp(friend, server, port, 6)]),
    );
    await isRefused(
      cloud,
      'ingress',
      ...([4, 6] as const).flatMap((family) => [
        tcp(friend, server, 79, family),
        tcp(friend, server, 83, family),
        tcp(stranger, server, 80, family),
        tcp(stranger, server, 82, family),
        udp(friend, server, 80, { family }),
        ping(friend, server, family),
      ]),
    );
  });

  test('several ranges and single ports for one group, others for all', async () => {
    const inward = await group(
      { protocol: 'tcp', remote_group_id: friends, ...range(80, 81) },
      { protocol: 'tcp', remote_group_id: friends, ...range(443) },
      { protocol: 'tcp', ...range(90) },
      { protocol: 'udp', remote_group_id: strangers, ...range(82, 83) },
    );
    await cloud.groupsOf(server, inward);
    await passes(
      ...[80, 81, 443, 90].map((port) => tcp(friend, server, port)),
      tcp(stranger, server, 90),
      ...[82, 83].map((port) => udp(stranger, server, port)),
    );
    await isRefused(
      cloud,
      'ingress',
      ...[79, 82, 444].map((port) => tcp(friend, server, port)),
      ...[80, 81, 443].map((port) => tcp(stranger, server, port)),
      udp(friend, server, 82),
      udp(stranger, server, 90),
    );
  });

  test('a port has the rights of all its groups, and loses only those that one group alone gave', async () => {
    const shared = { protocol: 'tcp', remote_group_id: friends, ...range(80) };
    const one = await group(shared, { protocol: 'tcp', remote_group_id: friends, ...range(81) });
    const other = await group(shared, { protocol: 'icmp', remote_group_id: strangers });
    await cloud.groupsOf(server, one, other);
    await passes(tcp(friend, server, 80), tcp(friend, server, 81), ping(stranger, server));
    await isRefused(cloud, 'ingress', ping(friend, server), tcp(stranger, server, 80));
    await cloud.groupsOf(server, other);
    await passes(tcp(friend, server, 80), ping(stranger, server));
    await isRefused(cloud, 'ingress', tcp(friend, server, 81));
    await cloud.groupsOf(server, one);
    await passes(tcp(friend, server, 80), tcp(friend, server, 81));
    await isRefused(cloud, 'ingress', ping(stranger, server));
  });

  test('a member of two groups is let in by the rules for either, until it leaves', async () => {
    const inward = await group(
      { protocol: 'tcp', remote_group_id: friends, ...range(80) },
      { protocol: 'tcp', remote_group_id: strangers, ...range(81) },
    );
    await cloud.groupsOf(server, inward);
    await cloud.groupsOf(friend, friends, strangers);
    await passes(tcp(friend, server, 80), tcp(friend, server, 81), tcp(stranger, server, 81));
    await isRefused(cloud, 'ingress', tcp(stranger, server, 80));
    await cloud.groupsOf(friend, strangers);
    await passes(tcp(friend, server, 81));
    await isRefused(cloud, 'ingress', tcp(friend, server, 80));
  });

  test("a later port inherits its group's rules, and later rules apply to both", async () => {
    const inward = await group({ protocol: 'tcp', remote_group_id: friends, ...range(80) });
    await cloud.groupsOf(server, inward);
    await isRefused(cloud, 'ingress', tcp(friend, second, 80));
    await cloud.groupsOf(second, inward);
    await passes(tcp(friend, server, 80), tcp(friend, second, 80));
    await isRefused(cloud, 'ingress', ...[server, second].map((to) => tcp(friend, to, 81)));
    await cloud.rule(inward, { protocol: 'tcp', remote_group_id: friends, ...range(81, 82) });
    await passes(...[server, second].flatMap((to) => [tcp(friend, to, 81), tcp(friend, to, 82)]));
    await isRefused(cloud, 'ingress', ...[server, second].map((to) => tcp(stranger, to, 81)));
  });

  test('to members of a remote group, and to nobody else', async () => {
    await cloud.groupsOf(server, await group({ protocol: 'tcp' }));
    await cloud.groupsOf(second, await cloud.group('open', { rules: [{ protocol: 'tcp' }] }));
    const club = await cloud.group('club', { rules: [{ protocol: 'tcp' }] });
    const outward = await group({
      direction: 'egress',
      protocol: 'tcp',
      remote_group_id: club,
      ...range(80, 81),
    });
    await cloud.groupsOf(friend, outward);
    await isRefused(cloud, 'egress', tcp(friend, server, 80), tcp(friend, second, 80));
    await cloud.groupsOf(server, club);
    await passes(tcp(friend, server, 80), tcp(friend, server, 81));
    await isRefused(cloud, 'egress', tcp(friend, server, 82), tcp(friend, second, 80));
  });

  test('a connection of a member lives on while others join and leave', async () => {
    const inward = await group({ protocol: 'tcp', remote_group_id: friends });
    await cloud.groupsOf(server, inward);
    const dialogue = await openDialogue(friend, server);
    await dialogue.flows();
    for (const groups of [[friends], [strangers], [friends, strangers]]) {
      await cloud.groupsOf(stranger, ...groups);
      const exchange = tcp(stranger, server, 80);
      if (groups.includes(friends)) await passes(exchange);
      else await isRefused(cloud, 'ingress', exchange);
      await dialogue.flows();
    }
  });
});
