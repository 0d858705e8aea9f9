/**
 * One tenant must not slow the switch's lookups for others. The megaflows of a port have few masks, whatever
 * the port sends and whatever rules, pairs and address groups exist.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatCidr } from '../../src/net/cidr.ts';
import { protocols } from '../../src/net/packet/transport.ts';
import { readMegaflowMasks } from '../../src/ovsdb/index.ts';
import type { L4Match, PortId } from '../../src/policy/world.ts';
import { attackFrames, attacks, siblings } from '../lib/attack.ts';
import { ip, mac, net, udpFrame } from '../lib/frames.ts';
import { type Driver, startDriver } from './driver.ts';
import { pipelineInstall } from './installation.ts';
import { type PortText, type RuleText, type WorldText, worldFrom } from './worlds.ts';

/** Of a port, both families together. The masks of a lookup's packets before it and behind it add up. */
const maxMasks = 32;
const pipeline = pipelineInstall();
let driver: Driver;
beforeAll(async () => {
  driver = await startDriver(pipeline.install, 4);
});
afterAll(async () => {
  await pipeline.close();
  await driver.stop();
});

const range = (from: number, to: number, by = 1): number[] =>
  Array.from({ length: Math.floor((to - from) / by) + 1 }, (_, at) => from + at * by);
const lengths4 = range(1, 32);
const lengths6 = range(1, 128, 5);
const own = { 4: ip('10.0.0.11'), 6: ip('2001:db8::11') };
const neighbour = { 4: ip('10.0.0.12'), 6: ip('2001:db8::12') };

const l4Matches = (family: 4 | 6): L4Match[] => [
  { kind: 'ports', protocol: protocols.tcp, min: 1, max: 65534 },
  { kind: 'ports', protocol: protocols.udp, min: 1, max: 65534 },
  { kind: 'ports', protocol: protocols.sctp, min: 3, max: 40001 },
  { kind: 'protocol', protocol: protocols.gre },
  ...[0, 3, 8, 17, 40, 128, 129, 200].map(
    (type): L4Match => ({
      kind: 'icmp',
      protocol: family === 4 ? protocols.icmp : protocols.icmpv6,
      type,
      code: type % 3 === 0 ? type : null,
    }),
  ),
];
const nastyRules: RuleText[] = (['ingress', 'egress'] as const).flatMap((direction) =>
  ([4, 6] as const).flatMap((family) => {
    const peer = direction === 'ingress' ? own[family] : neighbour[family];
    const base = { group: 'nasty', direction, family };
    return [
      ...l4Matches(family).map((l4) => ({ ...base, l4 })),
      { ...base, remote: '@nasty' },
      { ...base, remote: '#wide', l4: { kind: 'ports', protocol: 6, min: 7, max: 900 } as const },
      ...siblings(peer, family === 4 ? lengths4 : lengths6).map((prefix) => ({
        ...base,
        remote: formatCidr(prefix),
        l4: { kind: 'ports', protocol: 17, min: 100, max: 61000 } as const,
      })),
    ];
  }),
);
const pairs4 = ['0.0.0.0/0', ...siblings(own[4], range(10, 32, 2)).map(formatCidr)];
const pairs6 = ['::/0', ...siblings(own[6], range(10, 127, 13)).map(formatCidr)];
const macs = { a: mac('02:00:00:00:00:0a'), b: mac('02:00:00:00:00:0b'), c: mac('02:00:00:00:00:0c') };

const basic: Readonly<Record<'usual' | 'nasty', WorldText>> = {
  usual: {
    ports: [
      { id: 'a', mac: macs.a, ips: ['10.0.0.11', '2001:db8::11'], groups: ['default'] },
      { id: 'b', mac: macs.b, ips: ['10.0.0.12', '2001:db8::12'], groups: ['default'] },
    ],
    rules: ([4, 6] as const).flatMap((family): RuleText[] => [
      { group: 'default', direction: 'egress', family },
      { group: 'default', direction: 'ingress', family, remote: '@default' },
    ]),
  },
  nasty: {
    ports: [
      {
        id: 'a',
        mac: macs.a,
        ips: ['10.0.0.11', '2001:db8::11'],
        pairs: [...pairs4, ...pairs6].map((prefix) => [prefix] as const),
        groups: ['nasty'],
      },
      { id: 'b', mac: macs.b, ips: ['10.0.0.12', '2001:db8::12'], groups: ['nasty'] },
      { id: 'c', mac: macs.c, ips: ['10.0.0.13', '2001:db8::13'], groups: ['nasty'] },
    ],
    rules: nastyRules,
    addressGroups: {
      wide: [...siblings(own[4], lengths4), ...siblings(neighbour[6], lengths6)].map(formatCidr),
    },
  },
};

const asFirst = (text: WorldText, change: Partial<PortText>): WorldText => ({
  ...text,
  ports: text.ports.map((port, at) => (at === 0 ? { ...port, ...change } : port)),
});
const asSecond = (text: WorldText, change: Partial<PortText>): WorldText => ({
  ...text,
  ports: text.ports.map((port, at) => (at === 1 ? { ...port, ...change } : port)),
});
const worlds: Readonly<Record<string, WorldText>> = {
  ...basic,
  'nasty stateless': { ...basic.nasty, stateless: ['nasty'] },
  'nasty mac-only': asFirst(basic.nasty, { mode: 'mac-only' }),
  'a router to nasty': asFirst(basic.nasty, { mode: 'off', groups: [] }),
  'nasty to a forwarder': asSecond(basic.nasty, {
    pairs: [...pairs4, ...pairs6].map((prefix) => [prefix] as const),
  }),
};

const frameCount = 1500;
const entries = (['one by one', 'together'] as const).flatMap((how) =>
  Object.keys(worlds).map((name) => [name, how] as const),
);
test.each(entries)('a guest causes few masks: %s, attacks %s', async (name, how) => {
  const text = worlds[name] ?? basic.usual;
  await driver.enter(worldFrom(text));
  const sources = name === 'usual' ? [own[4], own[6]] : [net('10.0.0.0/8'), own[4], net('2001:db8::/32')];
  const toForwarder = [net('10.0.0.0/8'), net('2001:db8::/32')];
  const destinations = name.endsWith('forwarder') ? toForwarder : [neighbour[4], neighbour[6]];
  const attacker = { mac: macs.a, to: macs.b, sources, destinations };
  for (const attack of attacks) {
    // Fragments come last, together only: the switch releases held ones after a long time, among other packets.
    if (how === 'one by one' && attack === 'pieces') continue;
    if (how === 'one by one') await driver.at.appctl('revalidator/purge');
    const frames = attackFrames(frameCount, attack, attacker);
    await driver.runBatch(frames.map((frame) => ({ sender: 'a' as PortId, frames: [frame] })));
    const dump = await driver.at.control.dumpDatapathFlows();
    const { megaflows, masksOfPort } = readMegaflowMasks(dump);
    const masks = masksOfPort.get('dummy1');
    expect.soft(megaflows, attack).toBeGreaterThan(100);
    expect.soft(masks, attack).toBeLessThanOrEqual(maxMasks);
  }
});

test('a scan of ports costs few decisions where few ports have rules', async () => {
  const [a, b] = basic.usual.ports;
  if (a === undefined || b === undefined) throw new Error('the world has two ports');
  const l4 = (min: number, max: number): L4Match => ({
    kind: 'ports',
    protocol: protocols.udp,
    min,
    max,
  });
  await driver.enter(
    worldFrom({
      ports: [a, { ...b, groups: ['server'] }],
      rules: [
        { group: 'default', direction: 'egress', family: 4 },
        // They split the blocks of 1024 ports that begin at 8192, 20480 and 29696.
        { group: 'server', direction: 'ingress', family: 4, l4: l4(8200, 8200) },
        { group: 'server', direction: 'ingress', family: 4, l4: l4(21000, 30000) },
      ],
    }),
  );
  await driver.at.appctl('revalidator/purge');
  const frames = Array.from({ length: 3000 }, (_, at) =>
    udpFrame({ from: macs.a, to: macs.b, src: own[4], dst: neighbour[4] }, 999, 1024 + ((at * 21) % 64512)),
  );
  await driver.runBatch(frames.map((frame) => ({ sender: 'a' as PortId, frames: [frame] })));
  const dump = await driver.at.control.dumpDatapathFlows();
  // Not the number of megaflows: on a busy machine one decision may stand there for two recirculations.
  const decided = [
    ...dump.matchAll(/in_port\(dummy1\).*udp\(src=999\/0,dst=(\d+)(?:\/(0x[0-9a-f]+))?\)/g),
  ].map(([, port, mask = '0xffff']) => `${Number(port) & Number(mask)}/${mask}`);
  // One for each of 62 blocks, and one for each of 49 frames to each split block.
  expect(new Set(decided).size).toBe(62 + 3 * 49);
});
