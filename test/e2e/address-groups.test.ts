/**
 * Rules that name address groups, alone and beside security groups, and changes of their addresses under live
 * guests.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { type Attributes, type Cloud, type Member, startCloud } from './cloud.ts';
import { openDialogue } from './dialogue.ts';
import { isRefused, passes, ping, tcp, udp } from './traffic.ts';

let cloud: Cloud;
let one: Member;
let two: Member;
let server: Member;
let out: string;
let names = 0;

const range = (min: number, max: number = min): Attributes => ({ port_range_min: min, port_range_max: max });

async function addressGroup(...addresses: readonly string[]): Promise<string> {
  names += 1;
  return (await cloud.create('address_group', { name: `addresses-${names}`, addresses })).id;
}

/** Resolves when the switch has the change. */
async function change(id: string, how: 'add' | 'remove', ...addresses: readonly string[]): Promise<void> {
  const path = `/v2.0/address-groups/${id}/${how}_addresses`;
  const { status, body } = await cloud.api('PUT', path, { address_group: { addresses } });
  expect([status, body]).toMatchObject([200, { address_group: { id } }]);
  await cloud.sync();
}

async function serverRules(...rules: readonly Attributes[]): Promise<string> {
  names += 1;
  const group = await cloud.group(`server-${names}`, { rules });
  await cloud.groupsOf(server, group);
  return group;
}

describeRoot('address groups', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({}, '192.0.2.0/24', '2001:db8:7::/64');
    out = await cloud.group('out', { out: true });
    [one, two, server] = (await cloud.guests(net, {
      one: { security_groups: [out] },
      two: { security_groups: [out] },
      server: { security_groups: [] },
    })) as [Member, Member, Member];
    await server.probe.serve([80, 81, 82], [80, 81]);
  });
  afterAll(() => cloud?.stop());

  test('added addresses let live guests in, and removed addresses shut them out, with their connections', async () => {
    const addresses = await addressGroup(`${one.ip}/32`);
    await serverRules({ protocol: 'tcp', remote_address_group_id: addresses }, { protocol: 'icmp' });
    await passes(tcp(one, server, 80), ping(two, server));
    await isRefused(cloud, 'ingress', tcp(two, server, 80), udp(one, server, 80));
    await change(addresses, 'add', `${two.ip}/32`, '203.0.113.0/24');
    await passes(tcp(one, server, 80), tcp(two, server, 80));
    const [mine, other] = [await openDialogue(one, server), await openDialogue(two, server)];
    await mine.flows();
    await other.flows();
    await change(addresses, 'remove', `${one.ip}/32`);
    await isRefused(cloud, 'ingress', tcp(one, server, 80));
    await mine.stalls(cloud, 'client', { at: server, direction: 'ingress' });
    await other.flows();
    await passes(tcp(two, server, 80));
    await change(addresses, 'add', `${one.ip}/32`);
    await mine.flows();
    await other.flows();
  });

  test('a prefix and an address in it: a removal affects only packets that nothing else lets in', async () => {
    const addresses = await addressGroup('192.0.2.0/24', `${one.ip}/32`);
    await serverRules({ protocol: 'tcp', remote_address_group_id: addresses });
    await passes(tcp(one, server, 80), tcp(two, server, 80));
    await change(addresses, 'remove', '192.0.2.0/24');
    await passes(tcp(one, server, 80));
    await isRefused(cloud, 'ingress', tcp(two, server, 80));
    await change(addresses, 'remove', `${one.ip}/32`);
    await isRefused(cloud, 'ingress', tcp(one, server, 80));
  });

  test('both families in one group: a rule uses the addresses of its own family', async () => {
    const addresses = await addressGroup(`${one.ip}/32`, '2001:db8:7::/64');
    const group = await serverRules({
      ethertype: 'IPv6',
      protocol: 'tcp',
      remote_address_group_id: addresses,
    });
    await passes(tcp(one, server, 80, 6), tcp(two, server, 80, 6));
    await isRefused(cloud, 'ingress', tcp(one, server, 80));
    await cloud.rule(group, { protocol: 'tcp', remote_address_group_id: addresses });
    await passes(tcp(one, server, 80));
    await isRefused(cloud, 'ingress', tcp(two, server, 80));
  });

  test('a remote security group and a remote address group in one group, each with its own ports', async () => {
    const club = await cloud.group('club', { out: true });
    const addresses = await addressGroup(`${two.ip}/32`);
    await serverRules(
      { protocol: 'tcp', remote_group_id: club, ...range(80, 81) },
      { protocol: 'tcp', remote_address_group_id: addresses, ...range(81, 82) },
    );
    await cloud.groupsOf(one, club);
    await passes(
      ...[80, 81].map((port) => tcp(one, server, port)),
      ...[81, 82].map((port) => tcp(two, server, port)),
    );
    await isRefused(cloud, 'ingress', tcp(one, server, 82), tcp(two, server, 80));
    // First both let the packet in, then only one, then none.
    await change(addresses, 'add', `${one.ip}/32`);
    await passes(...[80, 81, 82].map((port) => tcp(one, server, port)));
    await cloud.groupsOf(one, out);
    await passes(tcp(one, server, 81), tcp(one, server, 82));
    await isRefused(cloud, 'ingress', tcp(one, server, 80));
    await change(addresses, 'remove', `${one.ip}/32`);
    await isRefused(cloud, 'ingress', tcp(one, server, 81));
    await passes(tcp(two, server, 81));
  });

  test('egress to an address group, and to nobody else', async () => {
    const addresses = await addressGroup(`${server.ip}/32`);
    await serverRules({ protocol: 'tcp' });
    const sending = { direction: 'egress', protocol: 'tcp', remote_address_group_id: addresses };
    await cloud.groupsOf(one, await cloud.group('sending', { rules: [sending] }));
    await passes(tcp(one, server, 80));
    await change(addresses, 'remove', `${server.ip}/32`);
    await isRefused(cloud, 'egress', tcp(one, server, 80));
    const taken = await cloud.api('DELETE', `/v2.0/address-groups/${addresses}`);
    expect(taken).toMatchObject({ status: 409, body: { NeutronError: { type: 'AddressGroupInUse' } } });
  });
});
