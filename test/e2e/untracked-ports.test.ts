/** Ports whose rules allow everything both ways: packets between two of them use no connection tracking. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { type Attributes, type Cloud, type Member, startCloud } from './cloud.ts';
import { openDialogue } from './dialogue.ts';
import { isRefused, passes, ping, tcp, udp } from './traffic.ts';

const families = [4, 6] as const;
type Family = (typeof families)[number];

let cloud: Cloud;
let one: Member;
let two: Member;
let tracked: Member;
let open: string;
let web: string;
let names = 0;

const all = (direction: string, family: Family): Attributes => ({ direction, ethertype: `IPv${family}` });
const group = (...rules: readonly Attributes[]): Promise<string> => {
  names += 1;
  return cloud.group(`group-${names}`, { rules });
};

const known = async (from: Member, to: Member, family: Family): Promise<number> =>
  (await cloud.connections(from.address(family), to.address(family))).length;

const etherTypes = { 4: 'eth_type(0x0800)', 6: 'eth_type(0x86dd)' } as const;

/** How much of a family's recent packets from one guest to another was tracked, by the datapath's megaflows. */
async function paths(from: Member, to: Member, family: Family): Promise<{ all: number; tracked: number }> {
  const flows = (await cloud.megaflows(from)).filter(
    (line) => line.includes(etherTypes[family]) && line.includes(to.mac),
  );
  const tracking = flows.filter((line) => /recirc_id\((?!0\))|recirc\(|ct\(/.test(line));
  return { all: flows.length, tracked: tracking.length };
}

const exchangesOf = (from: Member, to: Member, family: Family) => [
  tcp(from, to, 80, family),
  udp(from, to, 80, { family }),
  ping(from, to, family),
];

describeRoot('ports whose rules allow everything', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({}, '192.0.2.0/24', '2001:db8:7::/64');
    open = await group(...families.flatMap((family) => [all('ingress', family), all('egress', family)]));
    const range = { port_range_min: 80, port_range_max: 80 };
    web = await group(
      ...families.map((family) => ({ ...all('ingress', family), protocol: 'tcp', ...range })),
      ...families.map((family) => ({ ...all('egress', family), protocol: 'tcp', ...range })),
    );
    [one, two, tracked] = (await cloud.guests(net, {
      one: { security_groups: [open] },
      two: { security_groups: [open] },
      tracked: { security_groups: [web] },
    })) as [Member, Member, Member];
    for (const { probe } of [one, two, tracked]) await probe.serve([80, 81], [80]);
  });
  afterAll(() => cloud?.stop());
  beforeEach(async () => {
    await cloud.write('port', one.id, { security_groups: [open] });
    await cloud.groupsOf(two, open);
    await cloud.switch.appctl('dpctl/flush-conntrack');
    await cloud.switch.appctl('revalidator/purge');
  });

  test.each(families)(
    'two of them over IPv%i: no connection is tracked and no packet is recirculated',
    async (family) => {
      await passes(...exchangesOf(one, two, family), ...exchangesOf(two, one, family));
      for (const [from, to] of [
        [one, two],
        [two, one],
      ] as const) {
        const found = await paths(from, to, family);
        expect(found.all).toBeGreaterThan(0);
        expect(found.tracked).toBe(0);
      }
      expect(await known(one, two, family)).toBe(0);
      // The same check on a tracked port does find tracking.
      await passes(tcp(one, tracked, 80, family));
      expect((await paths(one, tracked, family)).tracked).toBeGreaterThan(0);
      expect(await known(one, tracked, family)).toBe(1);
    },
  );

  test.each(families)(
    'one open side over IPv%i: the rules of the other hold, and replies pass both ways',
    async (family) => {
      await passes(tcp(one, tracked, 80, family), tcp(tracked, one, 80, family));
      expect(await known(one, tracked, family)).toBe(2);
      await isRefused(
        cloud,
        'ingress',
        tcp(one, tracked, 81, family),
        udp(one, tracked, 80, { family }),
        ping(one, tracked, family),
      );
      await isRefused(cloud, 'egress', tcp(tracked, one, 81, family), ping(tracked, one, family));
      await isRefused(cloud, 'ingress', udp(one, tracked, 80, { family, size: 4000 }));
    },
  );

  test('each family by itself', async () => {
    const half = await group(all('ingress', 4), all('egress', 4), all('egress', 6));
    await cloud.write('port', one.id, { security_groups: [half] });
    await cloud.groupsOf(two, half);
    await passes(...exchangesOf(one, two, 4));
    await isRefused(cloud, 'ingress', ...exchangesOf(one, two, 6));
    expect((await paths(one, two, 4)).tracked).toBe(0);
    expect((await paths(one, two, 6)).tracked).toBeGreaterThan(0);
    expect(await known(one, two, 4)).toBe(0);
  });

  test('a session goes on as its ports become tracked, and open again', async () => {
    const dialogue = await openDialogue(one, two);
    await dialogue.flows();
    expect(await known(one, two, 4)).toBe(0);
    await cloud.groupsOf(two, web, await group({ protocol: 'tcp' }));
    await dialogue.flows('client', 'server', 'client');
    expect(await known(one, two, 4)).toBe(1);
    await cloud.groupsOf(two, open);
    await dialogue.flows();
  });

  test('a connection that an open port let in stops at once when its rules forbid it, although it was not tracked', async () => {
    const dialogue = await openDialogue(one, two);
    await dialogue.flows();
    await cloud.groupsOf(two, web);
    await dialogue.stalls(cloud, 'client', { at: two, direction: 'ingress' });
    await dialogue.stalls(cloud, 'server', { at: two, direction: 'egress' });
    await isRefused(cloud, 'ingress', tcp(one, two, 81), ping(one, two));
    await passes(tcp(one, two, 80));
    await cloud.groupsOf(two, open);
    await dialogue.flows();
  });
});
