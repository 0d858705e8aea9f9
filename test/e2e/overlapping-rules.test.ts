/**
 * Two clients, each in a group of its own, and rules for both on one server with overlapping port ranges. A
 * client's rights are the same for new connections and beside existing ones.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { type Attributes, type Cloud, type Member, startCloud } from './cloud.ts';
import { type Dialogue, openDialogue } from './dialogue.ts';
import { isRefused, passes, ping, tcp, udp } from './traffic.ts';

const first = 3000;
const ports = [0, 1, 2, 3].map((offset) => first + offset);

let cloud: Cloud;
let narrow: Member;
let wide: Member;
let server: Member;
let narrowGroup: string;
let wideGroup: string;
let names = 0;

const rule = (protocol: string, group: string, min: number, max: number): Attributes => ({
  protocol,
  remote_group_id: group,
  port_range_min: min,
  port_range_max: max,
});

/** The server's only group has these rules. */
async function serverRules(...rules: readonly Attributes[]): Promise<string> {
  names += 1;
  const group = await cloud.group(`server-${names}`, { rules });
  await cloud.groupsOf(server, group);
  return group;
}

async function holds(protocol: 'tcp' | 'udp'): Promise<void> {
  const exchange = protocol === 'tcp' ? tcp : udp;
  const [one = 0, two = 0, three = 0, beyond = 0] = ports;
  await passes(
    exchange(narrow, server, one),
    ...[one, two, three].map((port) => exchange(wide, server, port)),
  );
  await isRefused(
    cloud,
    'ingress',
    ...[two, three, beyond].map((port) => exchange(narrow, server, port)),
    exchange(wide, server, beyond),
  );
}

const known = async () =>
  (await cloud.connections(narrow.ip, server.ip)).length +
  (await cloud.connections(wide.ip, server.ip)).length;

describeRoot('overlapping rules', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({}, '192.0.2.0/24');
    [narrowGroup, wideGroup] = (await Promise.all(
      ['narrow', 'wide'].map((name) => cloud.group(name, { out: true })),
    )) as [string, string];
    [narrow, wide, server] = (await cloud.guests(net, {
      narrow: { security_groups: [narrowGroup] },
      wide: { security_groups: [wideGroup] },
      server: { security_groups: [] },
    })) as [Member, Member, Member];
    await server.probe.serve(ports, ports);
  });
  afterAll(() => cloud?.stop());
  // The switch has one connection for the same addresses and ports: an old one must not help the next test.
  beforeEach(() => cloud.switch.appctl('dpctl/flush-conntrack'));

  test.each(['tcp', 'udp'] as const)('%s: fresh, and beside existing connections', async (protocol) => {
    await serverRules(rule(protocol, narrowGroup, first, first), rule(protocol, wideGroup, first, first + 2));
    expect(await known()).toBe(0);
    await holds(protocol);
    expect(await known()).toBeGreaterThan(0);
    await holds(protocol);
  });

  test('the range of one is inside the range of the other, in both orders', async () => {
    const group = await serverRules(rule('tcp', wideGroup, first, first + 2));
    await passes(tcp(wide, server, first));
    await isRefused(cloud, 'ingress', tcp(narrow, server, first));
    await cloud.rule(group, rule('tcp', narrowGroup, first, first));
    await holds('tcp');
  });

  test('one of two overlapping rules is removed: the other still lets its client in, and its connection goes on', async () => {
    const group = await serverRules(
      rule('tcp', narrowGroup, 5000, 5999),
      rule('tcp', wideGroup, 5000, 5999),
      rule('tcp', narrowGroup, first, first),
      rule('tcp', wideGroup, first, first + 2),
    );
    const dialogues: Dialogue[] = [await openDialogue(narrow, server), await openDialogue(wide, server)];
    const { body } = await cloud.api('GET', `/v2.0/security-group-rules?security_group_id=${group}`);
    const { security_group_rules } = body as {
      security_group_rules: readonly { id: string; remote_group_id: string; port_range_max: number }[];
    };
    const gone = security_group_rules.find(
      ({ remote_group_id, port_range_max }) => remote_group_id === wideGroup && port_range_max === first + 2,
    );
    await passes(tcp(wide, server, first));
    await cloud.delete('security_group_rule', gone?.id ?? '');
    await isRefused(cloud, 'ingress', ...[0, 1, 2].map((offset) => tcp(wide, server, first + offset)));
    await passes(tcp(narrow, server, first));
    for (const dialogue of dialogues) await dialogue.flows();
  });

  test('decisions of wider and narrower rules do not outlive them', async () => {
    const group = await serverRules();
    await cloud.switch.appctl('revalidator/purge');
    // Open vSwitch 3.1.0 updates the wrong one of two overlapping megaflows: the one whose mask is listed
    // first. The ping's mask, which the wide rule shares, must therefore exist before the narrow rule's.
    await isRefused(cloud, 'ingress', ping(wide, server));
    const one = await cloud.rule(group, { protocol: 'tcp', port_range_min: first, port_range_max: first });
    await passes(tcp(wide, server, first));
    await cloud.delete('security_group_rule', one);
    const all = await cloud.rule(group, { protocol: 'tcp' });
    await passes(tcp(wide, server, first), tcp(wide, server, first + 1));
    await cloud.delete('security_group_rule', all);
    await cloud.rule(group, { protocol: 'tcp', port_range_min: 5000, port_range_max: 5999 });
    await isRefused(cloud, 'ingress', tcp(wide, server, first), tcp(wide, server, first + 1));
  });
});
