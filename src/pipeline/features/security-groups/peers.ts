/**
 * Who a peer's address is, as rules ask: its class among security groups, known by network and address, and its
 * class among address groups, known by the address alone. Two classes, not one of both, so that what comes and
 * goes in one never multiplies with the other. A class is the set of those groups that local rules name.
 * Relations only; no flows here.
 */
import type { Dataflow, Read, Relation } from '../../../base/dataflow.ts';
import { type Cidr, cidr, contains, formatCidr } from '../../../net/cidr.ts';
import type { Direction, GroupId, NetworkId, PortId, Rule, RuleId } from '../../../policy/world.ts';
import { setName } from '../../local-port.ts';
import type { Holder } from '../responder/holders.ts';
import type { RouterPort, RoutingRelations } from '../routing/relations.ts';
import { blocksOf, bucketOf } from './blocks.ts';
import type { GroupFacts } from './facts.ts';

type Both<R> = Readonly<Record<Direction, R>>;

/** The named groups to which the addresses of a block belong; `name` is empty for none. */
export interface PeerClass {
  readonly name: string;
  /** Null for classes of address groups. */
  readonly network: NetworkId | null;
  /** The class is for packets that this router sends or gets; null where none does. */
  readonly router: RouterPort | null;
  readonly address: Cidr;
}

/** By block of one network, or of all. */
export type Blocks = Relation<string, ReadonlyMap<string, PeerClass>>;

/** One kind of class: security groups or address groups. */
export interface Classing {
  /** By `direction|group`: the active rules that name the group. */
  readonly rulesNaming: Relation<string, ReadonlyMap<RuleId, Rule>>;
  readonly peers: Both<Relation<string, PeerClass>>;
  readonly blocks: Both<Blocks>;
  /** Names of classes in use. */
  readonly classes: Both<Relation<string, true>>;
}

const sameClass = (a: PeerClass, b: PeerClass): boolean =>
  a.name === b.name && a.network === b.network && a.router?.number === b.router?.number;

/** Where a class holds: in a network, behind a router, or anywhere. */
const scopeOf = ({ network, router }: PeerClass): string =>
  router === null ? (network ?? '') : `router ${router.number}`;

/** The class of an address in its network, and behind each router that has a subnet with it. */
function* scopesOf(
  peer: PeerClass,
  routersOn: ReadonlyMap<PortId, RouterPort> | undefined,
): Generator<PeerClass> {
  yield peer;
  for (const router of routersOn?.values() ?? [])
    if (router.prefixes.some((prefix) => contains(prefix, peer.address))) yield { ...peer, router };
}

/** Blocks and class names of one direction's classed addresses. */
function gather(
  graph: Dataflow,
  label: string,
  peers: Relation<string, PeerClass>,
  routersOn: RoutingRelations['routersOn'] | null,
) {
  const buckets = graph.index(
    `${label}-buckets`,
    peers,
    (_, peer, read) => {
      const routers = routersOn === null || peer.network === null ? undefined : read(routersOn, peer.network);
      return [...scopesOf(peer, routers)].map(
        (each) => [`${scopeOf(each)}|${bucketOf(each.address)}`, each] as const,
      );
    },
    sameClass,
  );
  const blocks = graph.index(
    `${label}-blocks`,
    buckets,
    (_, members) =>
      blocksOf(members.values()).map(
        (block) => [`${scopeOf(block)}|${formatCidr(block.address)}`, block] as const,
      ),
    sameClass,
  );
  const users = graph.index(`${label}-class-users`, peers, (_, { name }) =>
    name === '' ? [] : [[name, true as const] as const],
  );
  return { blocks, classes: graph.map(`${label}-classes`, users, () => true as const) };
}

function classing(
  graph: Dataflow,
  label: string,
  rulesNaming: Classing['rulesNaming'],
  peersOf: (direction: Direction, name: string) => Relation<string, PeerClass>,
  routersOn: RoutingRelations['routersOn'] | null = null,
): Classing {
  const of = (direction: Direction) => {
    const name = `${direction}-${label}`;
    const peers = peersOf(direction, name);
    return { peers, ...gather(graph, name, peers, routersOn) };
  };
  const [egress, ingress] = [of('egress'), of('ingress')];
  return {
    rulesNaming,
    peers: { egress: egress.peers, ingress: ingress.peers },
    blocks: { egress: egress.blocks, ingress: ingress.blocks },
    classes: { egress: egress.classes, ingress: ingress.classes },
  };
}

/** Members of security groups, with all the addresses that they hold. */
export function declareMembers(
  graph: Dataflow,
  activeRules: Relation<RuleId, Rule>,
  holders: Relation<string, ReadonlyMap<PortId, Holder>>,
  routersOn: RoutingRelations['routersOn'],
): Classing {
  const rulesNaming = graph.index('rules-naming', activeRules, (_, rule) =>
    rule.remote.kind === 'group' ? [[`${rule.direction}|${rule.remote.group}`, rule] as const] : [],
  );
  const isNamed = graph.map('is-named', rulesNaming, () => true as const);
  const prefixesOf = graph.index('prefixes-of', holders, (_, held) => {
    const first = [...held.values()].find(({ how }) => how === 'prefix');
    return first === undefined ? [] : [[first.port.network, first.address] as const];
  });
  /** An address inside somebody's prefix pair that another port holds must not pass for a member. */
  const isCovered = (read: Read, network: NetworkId, address: Cidr): boolean =>
    [...(read(prefixesOf, network)?.values() ?? [])].some(
      (prefix) => prefix.length < address.length && contains(prefix, address),
    );
  return classing(
    graph,
    'peer',
    rulesNaming,
    (direction, name) =>
      graph.map(
        `${name}-members`,
        holders,
        (_, held, read): PeerClass | undefined => {
          const [first] = held.values();
          if (first === undefined) return undefined;
          const { address, port } = first;
          const groups = new Set<GroupId>();
          for (const holder of held.values()) {
            if (holder.port.mode === 'off') continue;
            for (const group of holder.port.groups)
              if (read(isNamed, `${direction}|${group}`)) groups.add(group);
          }
          const peer = { name: setName([...groups]), network: port.network, router: null, address };
          return groups.size > 0 || isCovered(read, port.network, address) ? peer : undefined;
        },
        { equal: sameClass },
      ),
    routersOn,
  );
}

/** Prefixes of address groups. One that lies in another belongs to the groups of both. */
export function declareAddresses(
  graph: Dataflow,
  activeRules: Relation<RuleId, Rule>,
  addressGroups: GroupFacts['addressGroups'],
): Classing {
  const rulesNaming = graph.index('rules-naming-addresses', activeRules, (_, rule) =>
    rule.remote.kind === 'addresses' ? [[`${rule.direction}|${rule.remote.group}`, rule] as const] : [],
  );
  const isNamed = graph.map('addresses-are-named', rulesNaming, () => true as const);
  return classing(graph, 'address', rulesNaming, (direction, name) => {
    const entries = graph.index(`${name}-entries`, addressGroups, (id, { addresses }, read) =>
      read(isNamed, `${direction}|${id}`)
        ? addresses.map((address) => [formatCidr(address), address] as const)
        : [],
    );
    const lengths = graph.index(`${name}-lengths-of`, entries, (_, held) => {
      const [first] = held.values();
      return first === undefined ? [] : [[first.family, first.length] as const];
    });
    const lengthsInUse = graph.map(
      `${name}-lengths`,
      lengths,
      (_, held) => [...new Set(held.values())].sort((a, b) => a - b),
      { equal: (a, b) => a.join() === b.join() },
    );
    return graph.map(
      `${name}-prefixes`,
      entries,
      (_, held, read): PeerClass | undefined => {
        const [address] = held.values();
        if (address === undefined) return undefined;
        const wider = (read(lengthsInUse, address.family) ?? []).filter((length) => length <= address.length);
        const groups = wider.flatMap((length) => [
          ...(read(entries, formatCidr(cidr(address.family, address.bits, length)))?.keys() ?? []),
        ]);
        return { name: setName(groups), network: null, router: null, address };
      },
      { equal: sameClass },
    );
  });
}
