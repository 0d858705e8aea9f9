/**
 * Generated worlds with routers, and traffic through them. Two networks are behind a router, a third behind a second router
 * that an extra route leads to. Another tenant has the same addresses behind a router of its own.
 */
import fc from 'fast-check';
import { type Mac, macFromBits } from '../../src/net/mac.ts';
import { etherTypes } from '../../src/net/packet/ethernet.ts';
import { buildUdp, tcpFlags } from '../../src/net/packet/transport.ts';
import type { Port, PortId, World } from '../../src/policy/world.ts';
import {
  arpFrame,
  echoFrame,
  fragmentsOf,
  ip,
  ipFrame,
  mac,
  noMac,
  tcpFrame,
  udpFrame,
} from '../lib/frames.ts';
import type { Step } from './driver.ts';
import { host, openGroup, type PortText, type RuleText, wideGroup, worldFrom } from './worlds.ts';

/** Instead of a port's address; mostly none. */
const elsewheres: readonly (string | null)[] = [
  ...Array.from({ length: 24 }, () => null),
  '10.9.0.1',
  '10.2.0.200',
  '10.1.0.99',
  '224.0.0.5',
  '169.254.1.1',
  'fe80::77',
  'ff0e::5',
  '10.2.0.255',
];
const broadcast = mac('ff:ff:ff:ff:ff:ff');
const networks = ['n1', 'n2', 'n3', 'n4', 'n5'] as const;
type NetworkName = (typeof networks)[number];
/** The tenant's networks n4 and n5 have the addresses of n1 and n2. */
const subnetOf: Readonly<Record<NetworkName, number>> = { n1: 1, n2: 2, n3: 3, n4: 1, n5: 2 };

const routerPorts: readonly (readonly [id: string, network: NetworkName, last: number])[] = [
  ['r-n1', 'n1', 1],
  ['r-n2', 'n2', 1],
  ['s-n2', 'n2', 2],
  ['s-n3', 'n3', 1],
  ['t-n4', 'n4', 1],
  ['t-n5', 'n5', 1],
];

const addressesOf = (network: NetworkName, last: number): string[] => [
  `10.${subnetOf[network]}.0.${last}`,
  `2001:db8:${subnetOf[network]}::${last.toString(16)}`,
];
const macOf = (at: number): string => macFromBits(0x020000000100n + BigInt(at));

const protocolsOf = (family: 4 | 6): ReadonlyMap<string, number> =>
  new Map([
    ['udp', 17],
    ['tcp', 6],
    ['icmp', family === 4 ? 1 : 58],
  ]);

const ruleArbitrary: fc.Arbitrary<RuleText> = fc
  .record({
    group: fc.constantFrom('g0', 'g1'),
    direction: fc.constantFrom('ingress' as const, 'egress' as const, 'ingress' as const),
    family: fc.constantFrom(4 as const, 6 as const),
    kind: fc.constantFrom('any', 'udp', 'tcp', 'icmp', 'subnet', 'member'),
  })
  .map(({ kind, family, ...rest }): RuleText => {
    const rule = { ...rest, family };
    const protocol = protocolsOf(family).get(kind);
    if (protocol !== undefined) return { ...rule, l4: { kind: 'protocol', protocol } };
    if (kind === 'subnet') return { ...rule, remote: family === 4 ? '10.2.0.0/16' : '2001:db8:2::/64' };
    return kind === 'member' ? { ...rule, remote: '@g0' } : rule;
  });

const guestArbitrary = (network: NetworkName, at: number): fc.Arbitrary<PortText> =>
  fc
    .record({
      mode: fc.constantFrom('strict' as const, 'strict' as const, 'mac-only' as const, 'off' as const),
      groups: fc.constantFrom(['g0'], ['g1'], ['g0', 'g1'], ['wide'], ['open'], ['open'], ['open']),
      // No host has all of them: it has only so many interfaces.
      place: at % 5 < 2 ? fc.constant(at % 5 === 0 ? host : 'there') : fc.constantFrom(host, host, 'there'),
      up: fc.constantFrom(true, true, true, true, true, true, false),
      both: fc.boolean(),
    })
    .map(({ mode, groups, place, up, both }) => ({
      id: `p${at}`,
      network,
      mac: macOf(20 + at),
      ips: both ? addressesOf(network, 10 + at) : addressesOf(network, 10 + at).slice(0, 1),
      mode,
      groups,
      host: place,
      adminUp: up,
    }));

export const routedWorld: fc.Arbitrary<World> = fc
  .record({
    guests: fc.tuple(
      ...networks.flatMap((network, at) => [
        guestArbitrary(network, at * 2),
        guestArbitrary(network, at * 2 + 1),
      ]),
    ),
    rules: fc.array(ruleArbitrary, { maxLength: 8 }),
    down: fc.constantFrom('r', 's', 't', 'r-n2', '', '', '', ''),
    routes: fc.boolean(),
    shared: fc.boolean(),
    narrow: fc.constantFrom('n1', 'n2', 'n2', 'n3', 'n5'),
  })
  .map(({ guests, rules, down, routes, shared, narrow }) =>
    worldFrom({
      subnets: ['10.1.0.0/24', '2001:db8:1::/64'],
      subnetsOf: Object.fromEntries(
        networks
          .slice(1)
          .map((name) => [name, [`10.${subnetOf[name]}.0.0/24`, `2001:db8:${subnetOf[name]}::/64`]]),
      ),
      ports: [
        ...guests.map((guest, at) =>
          // A VIP of two guests, which a router cannot find.
          // And an address of another network, which makes no member behind the router.
          shared && at < 2
            ? { ...guest, pairs: [['10.1.0.99'], ['10.2.0.13'], ['2001:db8:2::d']] as const }
            : guest,
        ),
        ...routerPorts.map(
          ([id, network, last], at): PortText => ({
            id,
            network,
            mac: macOf(at),
            ips: addressesOf(network, last),
            mode: 'off',
            service: true,
            host: null,
            adminUp: id !== down,
          }),
        ),
      ],
      mtus: { n1: 1500, n2: 1500, n5: 1500, [narrow]: 1400 },
      rules: [...rules, ...wideGroup('wide'), ...openGroup('open')],
      routers: {
        r: {
          ports: ['r-n1', 'r-n2'],
          adminUp: down !== 'r',
          routes: routes
            ? [
                ['10.3.0.0/16', '10.2.0.2'],
                ['2001:db8:3::/64', '2001:db8:2::2'],
                ['0.0.0.0/0', '10.2.0.77'],
                ['10.2.0.128/25', '10.1.0.10'],
              ]
            : [],
        },
        s: {
          ports: ['s-n2', 's-n3'],
          adminUp: down !== 's',
          routes: routes
            ? [
                ['10.1.0.0/24', '10.2.0.1'],
                ['2001:db8:1::/64', '2001:db8:2::1'],
              ]
            : [],
        },
        t: { ports: ['t-n4', 't-n5'], adminUp: down !== 't' },
      },
    }),
  );

const routersOn = (world: World, { network }: Port): Mac[] =>
  [...world.routers.values()]
    .flatMap(({ ports }) => ports)
    .flatMap((id) => world.ports.get(id) ?? [])
    .filter((port) => port.network === network)
    .map(({ mac: own }) => own);

/** A guest speaks to an address of anybody, mostly by a router's MAC; answers follow some packets. */
export function routedSteps(world: World): fc.Arbitrary<Step[]> {
  const guests = [...world.ports.values()].filter((port) => port.host !== null);
  const everybody = [...world.ports.values()];
  const one = fc
    .record({
      from: fc.constantFrom(...guests),
      to: fc.constantFrom(...guests, ...everybody),
      family: fc.constantFrom(4 as const, 6 as const),
      kind: fc.constantFrom(
        'udp',
        'udp',
        'tcp',
        'tcp',
        'echo',
        'echo',
        'echo',
        'big',
        'big',
        'pieces',
        'ask',
        'nothing',
      ),
      hopLimit: fc.constantFrom(64, 64, 64, 64, 64, 64, 2, 1, 0),
      elsewhere: fc.constantFrom(...elsewheres),
      answers: fc.boolean(),
      port: fc.integer({ min: 1024, max: 60_000 }),
      router: fc.nat(3),
    })
    .map(({ from, to, family, kind, hopLimit, elsewhere, answers, port, router }): Step[] => {
      const src = from.fixedIps.find((own) => own.family === family);
      const target = elsewhere === null ? to.fixedIps.find((own) => own.family === family) : ip(elsewhere);
      // A guest that speaks to itself through a router gets its packet: not among the answers that are read here.
      if (from === to) return [];
      if (src === undefined || target === undefined || target.family !== family) return [];
      const gates = routersOn(world, from);
      const gate = gates[router % Math.max(gates.length, 1)] ?? to.mac;
      const isMate = to.network === from.network && elsewhere === null && router === 0;
      const layer = { from: from.mac, to: isMate ? to.mac : gate, src, dst: target, hopLimit, id: port };
      const step = (sender: PortId, ...frames: Buffer[]): Step => ({ sender, frames });
      // What the receiver says to the router of its own network.
      const gateBack = routersOn(world, to)[0] ?? from.mac;
      const back = { ...layer, from: to.mac, to: isMate ? from.mac : gateBack, src: target, dst: src };
      const answer = (frame: Buffer): Step[] =>
        answers && elsewhere === null && to.host !== null ? [step(to.id, frame)] : [];
      switch (kind) {
        case 'udp':
          return [step(from.id, udpFrame(layer, port, 53)), ...answer(udpFrame(back, 53, port))];
        case 'tcp':
          return [
            step(from.id, tcpFrame(layer, port, 22, tcpFlags.syn)),
            ...answer(tcpFrame(back, 22, port, tcpFlags.syn | tcpFlags.ack)),
          ];
        case 'echo':
          return [
            step(from.id, echoFrame(layer, 'request', port)),
            ...answer(echoFrame(back, 'reply', port)),
          ];
        case 'big':
          return [step(from.id, ipFrame(layer, 17, buildUdp(src, target, port, 80, Buffer.alloc(1440))))];
        case 'pieces': {
          const whole = ipFrame(layer, 17, buildUdp(src, target, port, 80, Buffer.alloc(1800)));
          return [step(from.id, ...fragmentsOf(whole, [1248], port))];
        }
        case 'ask':
          if (family === 6) return [];
          return [
            step(
              from.id,
              arpFrame({
                from: from.mac,
                to: router === 0 ? gate : broadcast,
                op: 1,
                sha: from.mac,
                spa: src,
                tha: noMac,
                tpa: target,
              }),
            ),
          ];
        default:
          return [
            step(
              from.id,
              arpFrame({ from: from.mac, to: gate, op: 2, sha: from.mac, spa: src, tha: gate, tpa: target }),
            ),
          ];
      }
    });
  return fc.array(one, { minLength: 25, maxLength: 40 }).map((steps) => steps.flat());
}

/** What routers leave as it is: all behind the MACs but TTL and checksum of IPv4, and IPv6's hop limit. */
export function unroutedText(frame: Buffer): string {
  const bytes = Buffer.from(frame);
  bytes.fill(0, 0, 12);
  const type = bytes.length >= 34 ? bytes.readUInt16BE(12) : 0;
  if (type === etherTypes.ipv4) {
    bytes[22] = 0;
    bytes.fill(0, 24, 26);
  }
  if (type === etherTypes.ipv6) bytes[21] = 0;
  return bytes.toString('latin1');
}
