/**
 * Generated traffic for a world: mostly that of an honest guest, with one or two fields replaced by a foreign
 * or almost correct value. Every packet with ports has its own source port, so connections of different steps
 * do not meet by chance. Conversations make them meet on purpose.
 */
import fc from 'fast-check';
import {
  broadcast4,
  type Cidr,
  cidr,
  dhcpServers6,
  isHost,
  linkLocalOf,
  widthOf,
} from '../../src/net/cidr.ts';
import { broadcastMac, isMulticastMac, type Mac } from '../../src/net/mac.ts';
import {
  listenerReport2,
  neighbourMessage,
  routerAdvertisement,
  routerSolicitation,
  solicitedNode,
  sourceOption,
  targetOption,
} from '../../src/net/packet/icmpv6.ts';
import { buildUdp, tcpFlags } from '../../src/net/packet/transport.ts';
import { isUnusable } from '../../src/net/unusable-addresses.ts';
import { identityOf } from '../../src/policy/identity.ts';
import type { Pair, Port, World } from '../../src/policy/world.ts';
import {
  arpFrame,
  dhcpFrame,
  echoFrame,
  fragmentsOf,
  groupMac,
  icmpFrame,
  ip,
  ipFrame,
  mac,
  type Network,
  noMac,
  rarpFrame,
  sctpFrame,
  tagged,
  tcpFrame,
  udpFrame,
} from '../lib/frames.ts';
import { nextDatagram, type Pair as Talk, talkArbitrary } from './arbitrary-talks.ts';
import { Driver, type Step } from './driver.ts';
import { direct, routeArbitrary } from './forwarding.ts';
import { host } from './worlds.ts';

const nowhere = mac('02:00:00:00:00:99');
const dstPorts = [1, 22, 80, 443, 2000, 2001, 65535];

/** One address of a prefix that a guest can have, not the first, and always the same. */
function inside(prefix: Cidr): Cidr {
  if (isHost(prefix)) return prefix;
  const third = cidr(
    prefix.family,
    prefix.bits + (3n % (1n << BigInt(widthOf(prefix.family) - prefix.length))),
  );
  return isUnusable(third) ? ip('203.0.113.3') : third;
}

/** Every identity in the world, and a few others. */
function poolOf(world: World) {
  const macs = new Set<Mac>([nowhere, broadcastMac]);
  const addresses = new Map<string, Cidr>();
  const add = (address: Cidr) => addresses.set(`${address.family} ${address.bits}`, address);
  for (const text of ['10.0.0.200', '8.8.8.8', '2001:db8::200', 'fe80::1']) add(ip(text));
  for (const { address } of world.linkLocals) add(address);
  for (const port of world.ports.values()) {
    const own = identityOf(world, port);
    for (const known of own.macs) macs.add(known);
    for (const pair of [...own.pairs, ...own.linkLocals]) add(inside(pair.ip));
  }
  const all = [...addresses.values()];
  const of = (family: 4 | 6) => all.filter((address) => address.family === family);
  return { macs: [...macs], 4: of(4), 6: of(6) };
}

type Pool = ReturnType<typeof poolOf>;

/** Addresses that no guest can have. */
const nobodys = {
  4: ['0.0.0.0', '0.1.2.3', '127.0.0.1', '224.0.0.18', '255.255.255.255', '10.0.0.255'].map(ip),
  6: ['::', '::1', '::ffff:10.0.0.1', 'ff02::1'].map(ip),
};

/** Mostly `honest`, sometimes any value of the pool. */
const nearly = <T>(honest: T, pool: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(honest) },
    { weight: 1, arbitrary: fc.constantFrom(honest, ...pool) },
  );

/** The identities of a port in one family; invented when it has none, because a forger needs one too. */
function identities(world: World, port: Port, family: 4 | 6): Pair[] {
  const own = identityOf(world, port);
  // It goes on using an address that it once had, also when another port holds it now.
  const given = world.linkLocals
    .filter((item) => item.port === port.id)
    .map(({ mac, address }) => ({ mac, ip: address }));
  const pairs = [...own.pairs, ...(family === 6 ? [...own.linkLocals, ...given] : [])].filter(
    ({ ip }) => ip.family === family,
  );
  if (pairs.length === 0) return [{ mac: port.mac, ip: ip(family === 4 ? '10.0.0.201' : '2001:db8::201') }];
  return pairs.map((pair) => ({ mac: pair.mac, ip: inside(pair.ip) }));
}

/**
 * Source and destination addresses of a port. A guarded port uses its own; any other often uses foreign ones,
 * like a router. Remote members thus also send and receive.
 */
function names(world: World, port: Port, family: 4 | 6): Pair[] {
  const own = identities(world, port, family);
  if (port.mode === 'strict') return own;
  const mates = [...world.ports.values()].filter(({ network }) => network === port.network);
  const others = mates.flatMap((mate) => identities(world, mate, family));
  return [...own, ...others.map((pair) => ({ mac: port.mac, ip: pair.ip }))];
}

const groups = {
  4: [ip('224.0.0.18'), ip('255.255.255.255'), ip('10.0.0.255')],
  6: [ip('ff02::1'), ip('ff02::12')],
};

/** From an identity of the sender to one of another port of its network, or to a group. */
function layerArbitrary(world: World, pool: Pool, sender: Port, family: 4 | 6): fc.Arbitrary<Network> {
  const mates = [...world.ports.values()].filter(
    ({ id, network }) => id !== sender.id && network === sender.network,
  );
  const targets = mates.flatMap((mate) =>
    mate.host === host ? names(world, mate, family) : identities(world, mate, family),
  );
  const unicast = fc.constantFrom(
    ...(targets.length === 0 ? [{ mac: nowhere, ip: pool[family][0] ?? ip('::') }] : targets),
  );
  const multicast = fc
    .constantFrom(...groups[family])
    .map((dst) => ({ mac: groupMac(dst) ?? broadcastMac, ip: dst }));
  const target = fc.oneof({ weight: 8, arbitrary: unicast }, { weight: 1, arbitrary: multicast });
  return fc.tuple(fc.constantFrom(...names(world, sender, family)), target).chain(([me, you]) =>
    fc.record({
      from: nearly(me.mac, pool.macs),
      to: nearly(you.mac, pool.macs),
      src: nearly(me.ip, [...pool[family], ...nobodys[family]]),
      dst: nearly(you.ip, pool[family]),
    }),
  );
}

type Frames = readonly Buffer[];

const body = Buffer.alloc(24);
const routerTypes = [138, 141, 142, 151, 153, 155] as const;
const protocolIgmp = 2;

function igmpFrame(layer: Network, dst: Cidr): Buffer {
  return ipFrame({ ...layer, to: groupMac(dst) ?? layer.to, dst }, protocolIgmp, Buffer.alloc(8));
}

function trafficArbitrary(layer: Network, srcPort: number): fc.Arbitrary<Frames> {
  const six = layer.src.family === 6;
  const hidden = six ? ([{ kind: 'plain', header: 60, body: Buffer.alloc(6) }] as const) : [];
  const long = (dst: number) =>
    ipFrame({ ...layer, id: srcPort }, 17, buildUdp(layer.src, layer.dst, srcPort, dst, Buffer.alloc(1800)));
  const dst = fc.constantFrom(...dstPorts);
  return fc.oneof(
    { weight: 6, arbitrary: dst.map((port) => [udpFrame(layer, srcPort, port)]) },
    { weight: 4, arbitrary: dst.map((port) => [tcpFrame(layer, srcPort, port, tcpFlags.syn)]) },
    { weight: 1, arbitrary: dst.map((port) => [sctpFrame(layer, srcPort, port)]) },
    { weight: 3, arbitrary: fc.constant([echoFrame(layer, 'request', srcPort)]) },
    { weight: 1, arbitrary: fc.constant([echoFrame(layer, 'reply', srcPort)]) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(112, 47).map((protocol) => [ipFrame(layer, protocol, Buffer.alloc(20))]),
    },
    { weight: 1, arbitrary: dst.map((port) => [udpFrame({ ...layer, extensions: hidden }, srcPort, port)]) },
    { weight: 1, arbitrary: dst.map((port) => [tagged(udpFrame(layer, srcPort, port))]) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(dst, fc.constantFrom([1248], [400], [384, 776], [376]))
        .map(([port, cuts]) => fragmentsOf(long(port), cuts, nextDatagram())),
    },
    {
      weight: 1,
      arbitrary: fc.constant([six ? udpFrame(layer, 546, 547) : dhcpFrame(layer, 'client', layer.from)]),
    },
    {
      weight: 2,
      arbitrary: fc.constant([
        six
          ? udpFrame({ ...layer, to: mac('33:33:00:01:00:02'), dst: dhcpServers6 }, 546, 547)
          : dhcpFrame({ ...layer, to: broadcastMac, dst: broadcast4 }, 'client', layer.from),
      ]),
    },
    {
      weight: 1,
      arbitrary: fc.constant([six ? udpFrame(layer, 547, 546) : dhcpFrame(layer, 'server', layer.from)]),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.constantFrom(4000, 53), fc.boolean()).map(([from, cut]) => {
        const answer = (size: number) =>
          udpFrame({ ...layer, id: srcPort }, from, six ? 546 : 68, Buffer.alloc(size));
        // Fragments to several ports are judged one by one: the later ones of a forbidden datagram arrive,
        // without use.
        const pieces = cut && !isMulticastMac(layer.to);
        return pieces ? fragmentsOf(answer(1800), [1248], nextDatagram()) : [answer(8)];
      }),
    },
    {
      weight: 1,
      arbitrary: six
        ? fc.constantFrom(...routerTypes).map((type) => [icmpFrame(layer, { type, code: 0, rest: 0, body })])
        : fc
            .constantFrom('224.0.0.1', '224.0.0.106', '224.0.0.22', '239.1.2.3', null)
            .map((group) => [igmpFrame(layer, group === null ? layer.dst : ip(group))]),
    },
  );
}

function arpArbitrary(pool: Pool, layer: Network): fc.Arbitrary<Frames> {
  return fc
    .record({
      from: fc.constant(layer.from),
      to: fc.constantFrom(broadcastMac, broadcastMac, layer.to),
      op: fc.constantFrom(1, 1, 2),
      sha: nearly(layer.from, pool.macs),
      spa: nearly(layer.src, [...pool[4], ...nobodys[4]]),
      tha: fc.constantFrom(noMac, layer.to),
      tpa: nearly(layer.dst, [...pool[4], layer.src]),
      reverse: fc.constantFrom(false, false, false, false, true),
    })
    .map(({ reverse, ...fields }) =>
      reverse
        ? [rarpFrame({ ...fields, op: 3, tha: fields.sha, spa: ip('0.0.0.0'), tpa: ip('0.0.0.0') })]
        : [arpFrame(fields)],
    );
}

function neighbourArbitrary(pool: Pool, layer: Network): fc.Arbitrary<Frames> {
  const hopLimit = nearly(255, [64, 254]);
  const options = nearly([layer.from], [[], ...pool.macs.map((other) => [other])]);
  const target = nearly(layer.dst, pool[6]);
  const solicit = fc
    .tuple(hopLimit, options, target, fc.constantFrom(true, true, false))
    .map(([hops, macs, asked, multicast]) => {
      const dst = multicast ? solicitedNode(asked) : layer.dst;
      const to = multicast ? (groupMac(dst) ?? layer.to) : layer.to;
      return [
        icmpFrame(
          { ...layer, to, dst, hopLimit: hops },
          neighbourMessage(135, 0, asked, macs.map(sourceOption)),
        ),
      ];
    });
  const claimed = fc.constantFrom(layer.src, layer.src, linkLocalOf(layer.from), ip('fe80::1'), ...pool[6]);
  const detect = claimed.map((asked) => {
    const dst = solicitedNode(asked);
    const to = groupMac(dst) ?? layer.to;
    return [
      icmpFrame({ ...layer, to, dst, src: ip('::'), hopLimit: 255 }, neighbourMessage(135, 0, asked, [])),
    ];
  });
  const own = nearly(layer.src, pool[6]);
  const advertise = fc
    .tuple(hopLimit, options, own)
    .map(([hops, macs, told]) => [
      icmpFrame(
        { ...layer, hopLimit: hops },
        neighbourMessage(136, 0x20000000, told, macs.map(targetOption)),
      ),
    ]);
  const all = (text: string) => ({ ...layer, dst: ip(text), to: groupMac(ip(text)) ?? layer.to });
  return fc.oneof(
    { weight: 8, arbitrary: solicit },
    { weight: 2, arbitrary: detect },
    { weight: 4, arbitrary: advertise },
    {
      weight: 1,
      arbitrary: fc.constant([icmpFrame({ ...all('ff02::2'), hopLimit: 255 }, routerSolicitation([]))]),
    },
    {
      weight: 1,
      arbitrary: fc.constant([icmpFrame({ ...all('ff02::1'), hopLimit: 255 }, routerAdvertisement(9, []))]),
    },
    {
      weight: 1,
      arbitrary: nearly(1, [64]).map((hops) => [
        icmpFrame({ ...all('ff02::16'), hopLimit: hops }, listenerReport2([ip('ff02::7')])),
      ]),
    },
  );
}

/**
 * Two local ports of a network with an identity each: their own, or any that nobody holds. Mostly directly,
 * otherwise through forwarding ports, such as those without port security.
 */
function pairArbitrary(
  world: World,
  sender: Port,
  receiver: Port,
  others: readonly Port[],
): fc.Arbitrary<Talk> {
  const free = others.filter(({ mode }) => mode !== 'strict');
  const route = fc.oneof(
    { weight: 3, arbitrary: fc.constant(direct) },
    { weight: 2, arbitrary: routeArbitrary(free) },
    { weight: 1, arbitrary: routeArbitrary(others) },
  );
  return fc.constantFrom(4 as const, 6 as const).chain((family) =>
    fc
      .tuple(
        fc.constantFrom(...names(world, sender, family)),
        fc.constantFrom(...names(world, receiver, family)),
        route,
      )
      .map(([me, you, way]) => ({
        a: sender.id,
        b: receiver.id,
        there: { from: me.mac, to: you.mac, src: me.ip, dst: you.ip },
        namesakes: others
          .filter((other) =>
            identities(world, other, family).some(
              ({ mac, ip }) => mac === you.mac && ip.bits === you.ip.bits,
            ),
          )
          .map(({ id }) => id),
        route: way,
      })),
  );
}

/** Two local ports that can communicate, with their addresses; null when there are none. */
export function talkersArbitrary(world: World): fc.Arbitrary<Talk> | null {
  const locals = Driver.localPorts(world).flatMap((id) => world.ports.get(id) ?? []);
  const pairs = locals.flatMap((a) =>
    locals.filter((b) => a !== b && a.network === b.network).map((b) => [a, b] as const),
  );
  if (pairs.length === 0) return null;
  return fc.constantFrom(...pairs).chain(([a, b]) => {
    const others = locals.filter((port) => port !== a && port !== b && port.network === a.network);
    return pairArbitrary(world, a, b, others);
  });
}

function stepArbitrary(
  world: World,
  pool: Pool,
  locals: readonly Port[],
  number: number,
): fc.Arbitrary<Step[]> {
  const srcPort = 20_000 + number;
  const single = fc
    .tuple(fc.constantFrom(...locals), fc.constantFrom(4 as const, 6 as const))
    .chain(([sender, family]) =>
      layerArbitrary(world, pool, sender, family).chain((layer) =>
        fc
          .oneof(
            { weight: 3, arbitrary: trafficArbitrary(layer, srcPort) },
            {
              weight: 1,
              arbitrary: family === 4 ? arpArbitrary(pool, layer) : neighbourArbitrary(pool, layer),
            },
          )
          .map((frames): Step[] => [{ sender: sender.id, frames }]),
      ),
    );
  const talkers = talkersArbitrary(world);
  if (talkers === null) return single;
  const talk = talkers.chain((pair) => talkArbitrary(pair, number));
  return fc.oneof({ weight: 4, arbitrary: single }, { weight: 1, arbitrary: talk });
}

/** `count` steps in a world; none when it has no local port. */
export function stepsArbitrary(world: World, count: number): fc.Arbitrary<Step[]> {
  const locals = Driver.localPorts(world).flatMap((id) => world.ports.get(id) ?? []);
  if (locals.length === 0) return fc.constant([]);
  const pool = poolOf(world);
  const each = Array.from({ length: count }, (_, at) => stepArbitrary(world, pool, locals, at));
  return fc.tuple(...each).map((steps) => steps.flat());
}
