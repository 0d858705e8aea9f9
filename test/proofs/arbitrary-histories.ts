/**
 * Generated histories: conversations that go on while the world changes. A change takes a right away or gives
 * it back. A packet continues a conversation that may have been admitted long before, in either direction.
 * Some packets come from a port that has taken over the address.
 */
import fc from 'fast-check';
import { type Cidr, isHost } from '../../src/net/cidr.ts';
import { buildUdp, protocols, tcpFlags } from '../../src/net/packet/transport.ts';
import type {
  AddressGroupId,
  GroupId,
  NetworkId,
  Port,
  QosPolicyId,
  Rule,
  RuleId,
  World,
} from '../../src/policy/world.ts';
import {
  echoFrame,
  fragmentsOf,
  ipFrame,
  mac,
  type Network,
  sctpFrame,
  tcpFrame,
  udpFrame,
} from '../lib/frames.ts';
import { talkersArbitrary } from './arbitrary-steps.ts';
import { nextDatagram, type Pair, turned } from './arbitrary-talks.ts';
import { ownerBy, roles, withOwner, worldArbitrary } from './arbitrary-worlds.ts';
import type { Step } from './driver.ts';
import { forwarded } from './forwarding.ts';
import { generous, host } from './worlds.ts';

/** Events of a world, as numbers that are taken modulo the number of choices. */
export interface Change {
  readonly kind: (typeof kinds)[number];
  readonly which: number;
  readonly how: number;
}

const kinds = [
  'rule goes',
  'rule comes back',
  'groups of a port',
  'groups of far ports',
  'addresses of an address group',
  'port security',
  'addresses change hands',
  'pairs go',
  'port comes back',
  'admin state',
  'admin state of a network',
  'what a network lends',
  'gateway',
  'who answers DHCP',
  'DHCP of a subnet',
  'QoS policy',
  'host',
  'port is deleted',
  'role of a port',
  'state of a group',
  'gateway of a subnet',
  'address is taken by name',
  'address is claimed',
] as const;

const pick = <T>(items: readonly T[], at: number): T | undefined => items[at % Math.max(items.length, 1)];
const some = <T>(items: readonly T[], mask: number): T[] =>
  items.filter((_, at) => ((mask >> (at % 16)) & 1) === 1);
const having = <K, V>(map: ReadonlyMap<K, V>, key: K, value: V): Map<K, V> => new Map(map).set(key, value);
const without = <K, V>(map: ReadonlyMap<K, V>, key: K): Map<K, V> => {
  const copy = new Map(map);
  copy.delete(key);
  return copy;
};

const groupNames = ['g0', 'g1', 'g2', 'g3'] as GroupId[];
const addressGroupNames = ['a0', 'a1', 'a2'] as AddressGroupId[];

/** Neutron lets no port have groups of both kinds, nor any group while its port security is off. */
function sound(world: World, port: Port): Port {
  if (port.mode === 'off') return { ...port, groups: [], pairs: [] };
  const stateful = (group: GroupId): boolean => world.groups.get(group)?.stateful !== false;
  const kept = port.groups.filter(stateful);
  return kept.length === 0 ? port : { ...port, groups: kept };
}

function withPort(world: World, port: Port): World {
  return { ...world, ports: having(world.ports, port.id, sound(world, port)) };
}

function swapped(world: World, one: Port, other: Port): World {
  if (one.network !== other.network || one.id === other.id) return world;
  return withPort(withPort(world, { ...one, fixedIps: other.fixedIps }), {
    ...other,
    fixedIps: one.fixedIps,
  });
}

/** Addresses that ports of a network may use from now on, detected link-local addresses first. */
function addressesOfGuests(world: World, network: NetworkId | undefined): Cidr[] {
  const given = world.linkLocals.filter((item) => item.network === network).map(({ address }) => address);
  const ports = [...world.ports.values()].filter((port) => port.network === network && port.host === host);
  const named = ports.flatMap(({ fixedIps, pairs }) => [...fixedIps, ...pairs.map(({ ip }) => ip)]);
  return [...given, ...named.filter(isHost)];
}

/** The world after a change; a change can go back to the state in `first`. */
export function changed(world: World, first: World, { kind, which, how }: Change): World {
  const port = pick([...world.ports.values()].slice(0, 12), which);
  const local = pick(
    [...world.ports.values()].filter((each) => each.host === host),
    which,
  );
  switch (kind) {
    case 'rule goes': {
      const id = pick([...world.rules.keys()], which);
      return id === undefined ? world : { ...world, rules: without(world.rules, id) };
    }
    case 'rule comes back': {
      const gone = [...first.rules.values()].filter(({ id }) => !world.rules.has(id));
      const rule = pick(gone, which);
      return rule === undefined ? world : { ...world, rules: having(world.rules, rule.id, rule) };
    }
    case 'groups of a port':
      if (port === undefined) return world;
      return withPort(world, { ...port, groups: port.mode === 'off' ? [] : some(groupNames, how) });
    case 'groups of far ports': {
      const far = [...world.ports.values()].filter(({ id }) => id.startsWith('far-'));
      return far.reduce((next, each) => withPort(next, { ...each, groups: some(groupNames, how) }), world);
    }
    case 'addresses of an address group': {
      const id = pick([...first.addressGroups.keys()], which);
      if (id === undefined) return world;
      const addresses = some(first.addressGroups.get(id)?.addresses ?? [], how);
      return { ...world, addressGroups: having(world.addressGroups, id, { id, addresses }) };
    }
    case 'port security':
      if (local === undefined) return world;
      return withPort(world, {
        ...local,
        mode: (['strict', 'mac-only', 'off'] as const)[how % 3] ?? 'strict',
      });
    case 'addresses change hands': {
      const other = pick([...world.ports.values()].slice(0, 12), how);
      return local === undefined || other === undefined ? world : swapped(world, local, other);
    }
    case 'pairs go':
      return port === undefined ? world : withPort(world, { ...port, pairs: some(port.pairs, how) });
    case 'port comes back': {
      const before = pick([...first.ports.values()].slice(0, 12), which);
      // Other ports may have its addresses by now.
      const fixedIps = before === undefined ? undefined : world.ports.get(before.id)?.fixedIps;
      return before === undefined ? world : withPort(world, { ...before, fixedIps: fixedIps ?? [] });
    }
    case 'admin state':
      return local === undefined ? world : withPort(world, { ...local, adminUp: !local.adminUp });
    case 'admin state of a network':
    case 'what a network lends': {
      const network = pick([...world.networks.values()], which);
      if (network === undefined) return world;
      const { adminUp, allowsReservedPairs, broadcastsPairs, isolated } = network;
      const next =
        kind === 'what a network lends'
          ? how % 3 === 0
            ? { broadcastsPairs: !broadcastsPairs }
            : how % 3 === 1
              ? { isolated: !isolated, trustsPhysical: how % 2 === 0, hairpin: how % 2 === 1 }
              : { allowsReservedPairs: !allowsReservedPairs }
          : { adminUp: !adminUp };
      return { ...world, networks: having(world.networks, network.id, { ...network, ...next }) };
    }
    case 'gateway': {
      const subnet = pick([...world.subnets.values()], which);
      if (subnet === undefined) return world;
      const addresses = [...world.ports.values()].flatMap(({ fixedIps }) => fixedIps);
      const same = addresses.filter(({ family }) => family === subnet.cidr.family);
      const gateway = subnet.gateway === null ? (pick(same, how) ?? null) : null;
      return { ...world, subnets: having(world.subnets, subnet.id, { ...subnet, gateway }) };
    }
    case 'DHCP of a subnet': {
      const subnet = pick([...world.subnets.values()], which);
      if (subnet === undefined) return world;
      return {
        ...world,
        subnets: having(world.subnets, subnet.id, {
          ...subnet,
          dhcp: !subnet.dhcp,
          advertised: subnet.cidr.family === 6 && !subnet.advertised,
        }),
      };
    }
    case 'who answers DHCP':
      return local === undefined ? world : withPort(world, { ...local, dhcpServer: !local.dhcpServer });
    case 'QoS policy': {
      if (local === undefined) return world;
      const other = (policy: QosPolicyId | null) => (policy === null ? generous.id : null);
      const network = how % 3 === 0 ? world.networks.get(local.network) : undefined;
      if (network === undefined) return withPort(world, { ...local, qosPolicy: other(local.qosPolicy) });
      const next = { ...network, qosPolicy: other(network.qosPolicy) };
      return { ...world, networks: having(world.networks, network.id, next) };
    }
    case 'role of a port': {
      const role = pick(roles, how);
      if (local === undefined || local.cloudOwned || role === undefined) return world;
      return withPort(world, { ...local, role });
    }
    case 'host':
      return local === undefined ? world : withPort(world, { ...local, host: 'elsewhere' });
    case 'port is deleted':
      return port === undefined ? world : { ...world, ports: without(world.ports, port.id) };
    case 'gateway of a subnet': {
      const subnet = pick([...world.subnets.values()], which);
      const gateways = addressesOfGuests(world, subnet?.network).filter(
        ({ family }) => family === subnet?.cidr.family,
      );
      if (subnet === undefined) return world;
      const gateway = pick([null, ...gateways], how) ?? null;
      const gatewayMac = how % 2 === 0 ? null : mac('02:00:00:00:99:99');
      return { ...world, subnets: having(world.subnets, subnet.id, { ...subnet, gateway, gatewayMac }) };
    }
    case 'address is taken by name': {
      if (port === undefined || port.mode === 'off') return world;
      const address = pick(addressesOfGuests(world, port.network), how);
      if (address === undefined) return world;
      return withPort(world, { ...port, pairs: [...port.pairs.slice(-2), { mac: port.mac, ip: address }] });
    }
    case 'address is claimed': {
      const able = [...world.ports.values()].filter(({ pairs }) => pairs.length > 0);
      const owner = ownerBy(pick(able, which), how, which + 2);
      return owner === null ? world : { ...world, owners: withOwner(world.owners, owner) };
    }
    case 'state of a group': {
      const group = pick([...world.groups.values()], which);
      if (group === undefined) return world;
      const next = {
        ...world,
        groups: having(world.groups, group.id, { ...group, stateful: !group.stateful }),
      };
      return { ...next, ports: new Map([...next.ports].map(([id, each]) => [id, sound(next, each)])) };
    }
  }
}

const speeches = ['udp', 'tcp', 'echo', 'sctp', 'pieces', 'protocol'] as const;

interface Thread extends Pair {
  readonly speech: (typeof speeches)[number];
  readonly port: number;
}

interface Line {
  readonly thread: number;
  readonly back: boolean;
  /** Whether a TCP packet belongs to the handshake. */
  readonly opening: boolean;
  /** Whether another port sends it, with the same addresses. */
  readonly heir: number | null;
}

const servicePort = 2000;

function framesOf({ speech, port }: Thread, layer: Network, line: Line): Buffer[] {
  const [from, to] = line.back ? [servicePort, port] : [port, servicePort];
  switch (speech) {
    case 'udp':
      return [udpFrame(layer, from, to)];
    case 'tcp': {
      const { syn, ack } = tcpFlags;
      const flags = line.opening ? (line.back ? syn | ack : syn) : ack;
      const [seq, seen] = line.back ? [5000, 1001] : [1000, 5001];
      return [tcpFrame(layer, from, to, flags, { seq: line.opening ? seq : seq + 1, ack: seen })];
    }
    case 'echo':
      return [echoFrame(layer, line.back ? 'reply' : 'request', port)];
    case 'sctp':
      return [sctpFrame(layer, from, to)];
    case 'protocol':
      return [ipFrame(layer, 112, Buffer.alloc(20))];
    case 'pieces': {
      const body = buildUdp(layer.src, layer.dst, from, to, Buffer.alloc(2600));
      const cuts = port % 2 === 0 ? [1248, 2496] : [400, 1248];
      return fragmentsOf(ipFrame(layer, protocols.udp, body), cuts, nextDatagram());
    }
  }
}

/** The steps of a line in a world, with those who forward it; none when its sender is not here. */
function stepsOf(world: World, threads: readonly Thread[], line: Line): Step[] {
  const thread = pick(threads, line.thread);
  if (thread === undefined) return [];
  const layer = line.back ? turned(thread.there) : thread.there;
  const own = world.ports.get(line.back ? thread.b : thread.a);
  const others = [...world.ports.values()].filter(
    (port) => port.host === host && port.network === own?.network && port.id !== own.id,
  );
  const heir = line.heir === null ? undefined : pick(others, line.heir);
  const sender = heir ?? own;
  if (sender === undefined || sender.host !== host) return [];
  const from = heir === undefined ? layer.from : heir.mac;
  const step = { sender: sender.id, frames: framesOf(thread, { ...layer, from }, line) };
  const hops = thread.route[line.back ? 'back' : 'there'];
  return forwarded(
    step,
    hops.filter(({ id }) => id !== sender.id && world.ports.get(id)?.host === host),
  );
}

export interface Phase {
  readonly world: World;
  readonly changes: readonly string[];
  readonly steps: readonly Step[];
}

export const changeArbitrary: fc.Arbitrary<Change> = fc.record({
  // A remote change can only be noticed by its effect on the local ports.
  kind: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...kinds) },
    { weight: 1, arbitrary: fc.constantFrom('groups of far ports', 'addresses of an address group') },
  ),
  which: fc.nat(999),
  how: fc.nat(0xffff),
});

const lineArbitrary: fc.Arbitrary<Line> = fc.record({
  thread: fc.nat(999),
  back: fc.boolean(),
  // A handshake in the middle of a connection depends on windows, which the evaluator does not model.
  opening: fc.constant(false),
  heir: fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat(99) }),
});

/** Establishes every allowed thread: a first packet and an answer. */
const beginnings = (threads: readonly Thread[]): Line[] =>
  threads.flatMap((_, thread) => [
    { thread, back: false, opening: true, heir: null },
    { thread, back: true, opening: true, heir: null },
    { thread, back: false, opening: false, heir: null },
  ]);

function phasesOf(
  first: World,
  threads: readonly Thread[],
  drawn: readonly { readonly changes: readonly Change[]; readonly lines: readonly Line[] }[],
): Phase[] {
  let world = first;
  const say = (lines: readonly Line[]): Step[] => lines.flatMap((line) => stepsOf(world, threads, line));
  const phases: Phase[] = [{ world, changes: [], steps: say(beginnings(threads)) }];
  for (const { changes, lines } of drawn) {
    for (const change of changes) world = changed(world, first, change);
    phases.push({ world, changes: changes.map(({ kind }) => kind), steps: say(lines) });
  }
  return phases;
}

/** Rules that admit by membership alone, so that connections depend on the members. */
const membershipArbitrary: fc.Arbitrary<Omit<Rule, 'id'>[]> = fc.array(
  fc.record({
    group: fc.constantFrom(...groupNames),
    direction: fc.constant('ingress' as const),
    family: fc.constantFrom<(4 | 6)[]>(4, 6),
    l4: fc.constant({ kind: 'any' } as const),
    remote: fc.oneof(
      fc.constantFrom(...groupNames).map((group) => ({ kind: 'group', group }) as const),
      fc.constantFrom(...addressGroupNames).map((group) => ({ kind: 'addresses', group }) as const),
    ),
  }),
  { minLength: 5, maxLength: 14 },
);

const outwards = groupNames.flatMap((group) =>
  ([4, 6] as const).map((family): Omit<Rule, 'id'> => {
    const any = { kind: 'any' } as const;
    return { group, direction: 'egress', family, l4: any, remote: any };
  }),
);

/** Worlds that admit much, and little of it for ever: mostly without stateless groups, and every port may send. */
export const historicWorldArbitrary: fc.Arbitrary<World> = fc
  .tuple(worldArbitrary, membershipArbitrary, fc.nat(3))
  .map(([world, rules, stateless]) => {
    const named = [...outwards, ...rules].map((rule, at): Rule => ({ ...rule, id: `m${at}` as RuleId }));
    const groups = [...world.groups.values()].map((group) => ({ ...group, stateful: true }));
    return {
      ...world,
      rules: new Map([...world.rules, ...named.map((rule) => [rule.id, rule] as const)]),
      groups: stateless === 0 ? world.groups : new Map(groups.map((group) => [group.id, group])),
    };
  });

/** The first phase begins every conversation; each later one changes the world and goes on. */
export const historyArbitrary: fc.Arbitrary<Phase[]> = historicWorldArbitrary.chain((world) => {
  const talkers = talkersArbitrary(world);
  if (talkers === null) return fc.constant([]);
  const threads = fc
    .array(fc.tuple(talkers, fc.constantFrom(...speeches)), { minLength: 5, maxLength: 10 })
    .map((drawn) => drawn.map(([pair, speech], at): Thread => ({ ...pair, speech, port: 30_000 + at })));
  const phases = fc.array(
    fc.record({
      // Mostly one change alone, because a second one may hide a mistake.
      changes: fc.oneof(
        { weight: 3, arbitrary: changeArbitrary.map((change) => [change]) },
        { weight: 1, arbitrary: fc.array(changeArbitrary, { minLength: 2, maxLength: 3 }) },
      ),
      lines: fc.array(lineArbitrary, { minLength: 4, maxLength: 14 }),
    }),
    { minLength: 2, maxLength: 5 },
  );
  return fc.tuple(threads, phases).map(([all, drawn]) => phasesOf(world, all, drawn));
});
