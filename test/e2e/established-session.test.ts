/**
 * An open connection while its guests' security groups and port security change back and forth: it stops and
 * continues with the rules, and is never opened again.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { slowness } from '../lib/wait.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';
import { openDialogue } from './dialogue.ts';
import { isRefused, passes, ping, tcp, udp } from './traffic.ts';

let cloud: Cloud;
let net: string;
let client: Member;
let server: Member;
let out: string;
let inward: string;

/** The total number of cuts in the output of `portcullis sync`. */
const cuts = async (): Promise<number> => {
  const printed = JSON.stringify(await cloud.sync());
  const [, total] = /"cut_total":(\d+)/.exec(printed) ?? [];
  if (total === undefined) throw new Error(`no cuts in ${printed}`);
  return Number(total);
};

describeRoot('an established session', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    net = await cloud.network({}, '192.0.2.0/24', '2001:db8:7::/64');
    out = await cloud.group('out', { out: true });
    const rules = ['IPv4', 'IPv6'].flatMap((ethertype) => [
      { ethertype, protocol: 'tcp' },
      { ethertype, protocol: ethertype === 'IPv4' ? 'icmp' : 'ipv6-icmp' },
    ]);
    inward = await cloud.group('inward', { out: true, rules });
    [client, server] = (await cloud.guests(net, {
      client: { security_groups: [out] },
      server: { security_groups: [inward] },
    })) as [Member, Member];
    for (const { probe } of [client, server]) await probe.serve([80], [80]);
  });
  afterAll(() => cloud?.stop());
  beforeEach(async () => {
    await cloud.write('port', client.id, { security_groups: [out] });
    await cloud.groupsOf(server, inward);
    // Only connections that a test has opened itself can be cut.
    await cloud.switch.appctl('dpctl/flush-conntrack');
  });

  test('a group is removed from a running guest: the ping and all other traffic stop', async () => {
    const answered = ([4, 6] as const).flatMap((family) => [
      ping(client, server, family),
      tcp(client, server, 80, family),
    ]);
    await passes(...answered);
    await cloud.groupsOf(server);
    await isRefused(cloud, 'ingress', ...answered, udp(client, server, 80));
    await isRefused(cloud, 'egress', ping(server, client), ping(server, client, 6), tcp(server, client, 80));
    await cloud.groupsOf(server, inward);
    await passes(...answered);
  });

  test.each([4, 6] as const)(
    'the same connection over IPv%i stops and resumes as its group goes and comes',
    async (family) => {
      const dialogue = await openDialogue(client, server, server.address(family));
      await dialogue.flows();
      for (const round of [1, 2]) {
        const before = await cuts();
        await cloud.groupsOf(server);
        expect(await cuts(), `round ${round}`).toBe(before + 1);
        await Promise.all([
          dialogue.stalls(cloud, 'client', { at: server, direction: 'ingress' }),
          dialogue.stalls(cloud, 'server', { at: server, direction: 'egress' }),
        ]);
        await cloud.groupsOf(server, inward);
        await dialogue.flows();
      }
    },
  );

  test('the same when the rule alone is removed and added, and the connection of another rule is not affected', async () => {
    const range = { port_range_min: 6000, port_range_max: 6000 };
    const rules = [{ protocol: 'udp' }, { protocol: 'tcp', ...range }];
    const group = await cloud.group('rules', { rules });
    await cloud.groupsOf(server, group);
    const rule = { protocol: 'tcp', remote_ip_prefix: `${client.ip}/32` };
    const id = await cloud.rule(group, rule);
    const dialogue = await openDialogue(client, server);
    await server.probe.dialogueAwait('kept', 6000);
    await client.probe.dialogueOpen('kept', server.ip, 6000);
    const kept = async () => {
      const said = await client.probe.dialogueSay('kept');
      await expect
        .poll(() => server.probe.dialogueState('kept'), { timeout: 5000 * slowness })
        .toEqual({ heard: said, connections: 1, state: 'open' });
    };
    await dialogue.flows();
    await kept();
    const before = await cuts();
    await cloud.delete('security_group_rule', id);
    expect(await cuts()).toBe(before + 1);
    await dialogue.stalls(cloud, 'client', { at: server, direction: 'ingress' });
    await kept();
    await cloud.rule(group, rule);
    await dialogue.flows();
    await kept();
  });

  test('port security off, without groups, and on again: the session lives, and new ones are made', async () => {
    const dialogue = await openDialogue(client, server);
    await dialogue.flows();
    await cloud.update('port', server.id, { port_security_enabled: false, security_groups: [] });
    await dialogue.flows();
    // A packet that no rule of the group allows shows that port security is off.
    await passes(tcp(client, server, 80), udp(client, server, 80), ping(client, server, 6));
    const before = await cuts();
    await cloud.update('port', server.id, { port_security_enabled: true, security_groups: [inward] });
    // Of the client's connections since then, only the datagram has no rule now.
    expect(await cuts()).toBe(before + 1);
    await dialogue.flows();
    await passes(tcp(client, server, 80), ping(client, server));
    await isRefused(cloud, 'ingress', udp(client, server, 80));
  });

  test('port security on again without a group: the session stops until the port has a group', async () => {
    await cloud.update('port', server.id, { port_security_enabled: false, security_groups: [] });
    const dialogue = await openDialogue(client, server);
    await dialogue.flows();
    await cloud.update('port', server.id, { port_security_enabled: true });
    await Promise.all([
      dialogue.stalls(cloud, 'client', { at: server, direction: 'ingress' }),
      dialogue.stalls(cloud, 'server', { at: server, direction: 'egress' }),
    ]);
    await cloud.groupsOf(server, inward);
    await dialogue.flows();
  });

  test('a guest of a network without port security, and without a group, is open to all', async () => {
    const open = await cloud.network({ port_security_enabled: false }, '198.51.100.0/24');
    const [bare, other] = (await cloud.guests(open, { bare: {}, other: {} })) as [Member, Member];
    const { body } = await cloud.api('GET', `/v2.0/ports/${bare.id}`);
    expect(body).toMatchObject({ port: { port_security_enabled: false, security_groups: [] } });
    await bare.probe.serve([80], [80]);
    await passes(tcp(other, bare, 80), udp(other, bare, 80), ping(other, bare));
    await cloud.update('port', bare.id, { port_security_enabled: true });
    await isRefused(cloud, 'ingress', tcp(other, bare, 80), udp(other, bare, 80), ping(other, bare));
  });
});
