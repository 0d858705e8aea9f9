/** Stateless groups: the rules alone judge every packet, replies too, and nothing is tracked. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { ip, mac, tcpFrame } from '../lib/frames.ts';
import { describeRoot } from '../lib/netns.ts';
import { until } from '../lib/wait.ts';
import { type Attributes, type Cloud, type Member, startCloud } from './cloud.ts';
import { openDialogue } from './dialogue.ts';
import { isRefused, passes, ping, tcp, udp } from './traffic.ts';

const families = [4, 6] as const;
const range = (min: number, max: number = min): Attributes => ({ port_range_min: min, port_range_max: max });

let cloud: Cloud;
let client: Member;
let server: Member;
let plain: Member;
let names = 0;

const both = (rule: Attributes): Attributes[] =>
  ['IPv4', 'IPv6'].map((ethertype) => ({ ...rule, ethertype }));
const web = both({ protocol: 'tcp', ...range(80) });
const replies = both({ protocol: 'tcp', direction: 'egress' });

const group = (stateful: boolean, ...rules: readonly Attributes[]): Promise<string> => {
  names += 1;
  return cloud.group(`group-${names}`, { stateful, rules });
};

const known = async (one: Member, other: Member): Promise<number> => {
  const found = families.map((family) => cloud.connections(one.address(family), other.address(family)));
  return (await Promise.all(found)).flat().length;
};

describeRoot('stateless groups', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({}, '192.0.2.0/24', '2001:db8:7::/64');
    const out = await cloud.group('out', { out: true });
    [client, server, plain] = (await cloud.guests(net, {
      client: { security_groups: [out] },
      server: { security_groups: [] },
      plain: { security_groups: [] },
    })) as [Member, Member, Member];
    for (const { probe } of [server, plain]) await probe.serve([80, 81], [80]);
    await server.probe.sniff();
  });
  afterAll(() => cloud?.stop());
  beforeEach(async () => {
    await cloud.groupsOf(server);
    await cloud.switch.appctl('dpctl/flush-conntrack');
  });

  test('replies need a rule of their own', async () => {
    const inward = await group(false, ...web, { protocol: 'udp' }, { protocol: 'icmp' });
    await cloud.groupsOf(server, inward);
    const exchanges = [
      ...families.map((family) => tcp(client, server, 80, family)),
      udp(client, server, 80),
      ping(client, server),
    ];
    await isRefused(
      cloud,
      'egress',
      ...exchanges.map((exchange) => ({ ...exchange, from: server, to: client })),
    );
    for (const rule of [...replies, { protocol: 'udp', direction: 'egress' }]) await cloud.rule(inward, rule);
    await passes(...exchanges.filter(({ what }) => !what.startsWith('ping')));
    await isRefused(cloud, 'egress', { ...ping(client, server), from: server, to: client });
    // A rule may name type 0: then the answer alone may leave.
    const answer = { protocol: 'icmp', direction: 'egress', port_range_min: 0, port_range_max: 0 };
    await cloud.rule(inward, answer);
    await passes(ping(client, server));
    await isRefused(cloud, 'egress', ping(server, client));
    await isRefused(cloud, 'ingress', ...families.map((family) => tcp(client, server, 81, family)));
  });

  test.each(families)(
    'over IPv%i every combination of TCP flags reaches a port that has a rule, none another',
    async (family) => {
      await cloud.groupsOf(server, await group(false, ...web));
      await cloud.groupsOf(plain, await group(false, ...both({ protocol: 'tcp', direction: 'egress' })));
      const link = {
        from: mac(plain.mac),
        to: mac(server.mac),
        src: ip(plain.address(family)),
        dst: ip(server.address(family)),
      };
      const all = Array.from({ length: 64 }, (_, flags) => flags);
      const frames = (port: number) => all.map((flags) => tcpFrame(link, 20_000 + flags, port, flags));
      const before = await cloud.dropped(server.id, 'ingress', 'ingress-rules');
      await server.probe.sniffed();
      await plain.probe.send(...frames(81), ...frames(80));
      const seen: string[] = [];
      await until(
        async () => {
          const arrived = (await server.probe.sniffed()).map(({ frame }) => frame.toString('hex'));
          const sent = new Set([...frames(80), ...frames(81)].map((frame) => frame.toString('hex')));
          seen.push(...arrived.filter((frame) => sent.has(frame)));
          return seen.length >= all.length;
        },
        { what: 'all of them arrive' },
      );
      // On a kernel's datapath, frames that wait for a decision may be overtaken.
      const wanted = frames(80).map((frame) => frame.toString('hex'));
      expect(seen.sort()).toEqual(wanted.sort());
      await until(
        async () => (await cloud.dropped(server.id, 'ingress', 'ingress-rules')) === before + all.length,
        { what: 'those without a rule are counted', interval: 50 },
      );
    },
  );

  test('two stateless ports have no tracked connections, unlike two others', async () => {
    const open = (stateful: boolean) =>
      group(stateful, ...web, ...both({ protocol: 'tcp', direction: 'egress' }), {
        protocol: 'tcp',
        ...range(1024, 65_535),
      });
    const [stateless, stateful] = [await open(false), await open(true)];
    for (const [wanted, entries] of [
      [stateless, 0],
      [stateful, 1],
    ] as const) {
      await cloud.write('port', plain.id, { security_groups: [wanted] });
      await cloud.groupsOf(server, wanted);
      await passes(tcp(plain, server, 80));
      await isRefused(cloud, 'ingress', tcp(plain, server, 81));
      expect(await known(plain, server)).toBe(entries);
    }
  });

  test('a running session is judged again when its port changes between stateful and stateless', async () => {
    const rules = both({ protocol: 'tcp' });
    const [stateful, stateless] = [await group(true, ...rules), await group(false, ...rules)];
    await cloud.groupsOf(server, stateful);
    const dialogue = await openDialogue(client, server);
    await dialogue.flows();
    await cloud.groupsOf(server, stateless);
    // A rule still lets the client's packets in; the answers no longer count as replies.
    await dialogue.stalls(cloud, 'server', { at: server, direction: 'egress' });
    const rule = { protocol: 'tcp', direction: 'egress' };
    const allowed = await cloud.rule(stateless, rule);
    await dialogue.flows();
    await cloud.delete('security_group_rule', allowed);
    await dialogue.stalls(cloud, 'server', { at: server, direction: 'egress' });
    await cloud.groupsOf(server, stateful);
    await dialogue.flows();
    await passes(tcp(client, server, 80));
  });

  test('a port has groups of one kind, and a group in use keeps its kind', async () => {
    const [stateful, stateless] = [await group(true), await group(false)];
    const put = (...security_groups: readonly string[]) =>
      cloud.api('PUT', `/v2.0/ports/${server.id}`, { port: { security_groups } });
    const conflict = { status: 409, body: { NeutronError: { type: 'SecurityGroupConflict' } } };
    expect(await put(stateful, stateless)).toMatchObject(conflict);
    expect(await put(stateless)).toMatchObject({ status: 200 });
    expect(await put(stateless, stateful)).toMatchObject(conflict);
    const turn = { security_group: { stateful: true } };
    const path = `/v2.0/security-groups/${stateless}`;
    const inUse = { status: 409, body: { NeutronError: { type: 'SecurityGroupInUse' } } };
    expect(await cloud.api('PUT', path, turn)).toMatchObject(inUse);
    expect(await put()).toMatchObject({ status: 200 });
    expect(await cloud.api('PUT', path, turn)).toMatchObject({ status: 200 });
    expect(await put(stateful, stateless)).toMatchObject({ status: 200 });
  });
});
