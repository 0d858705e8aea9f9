/**
 * Addresses that prefix pairs do not give, since they belong to somebody: gateways, broadcasts, metadata, and what
 * ports have by name or by duplicate-address detection. Kept by network and only for prefixes of guarded ports here,
 * so a network without any costs nothing, and one more address one derivation. No flows here.
 */
import type { Dataflow, Read, Relation } from '../../../base/dataflow.ts';
import { type Cidr, contains, formatCidr } from '../../../net/cidr.ts';
import { broadcastOf, metadataAddresses, namedAddresses } from '../../../policy/address-owners.ts';
import type { LinkLocal, NetworkId, Pair, PortId } from '../../../policy/world.ts';
import type { LocalPort } from '../../local-port.ts';
import type { ClassifyFacts } from '../classify/facts.ts';

/** What one owner takes out of the prefixes of a network. */
export interface Reserved {
  readonly network: NetworkId;
  readonly addresses: readonly Cidr[];
}

const textOf = (addresses: readonly Cidr[]): string => addresses.map(formatCidr).join();
const sameReserved = (a: Reserved, b: Reserved): boolean =>
  a.network === b.network && textOf(a.addresses) === textOf(b.addresses);
const equal = { equal: sameReserved };

export interface ReservedRelations {
  /** One for each kind of owner. */
  readonly reserved: readonly Relation<string, Reserved>[];
}

export function declareReserved(
  graph: Dataflow,
  facts: ClassifyFacts,
  locals: Relation<PortId, LocalPort>,
  linkLocals: Relation<string, LinkLocal>,
): ReservedRelations {
  const prefixed = graph.index('prefixed-locals', locals, (_, { port, up, prefixes }) =>
    up && port.mode === 'strict' && prefixes.length > 0 ? [[port.network, prefixes] as const] : [],
  );
  const prefixesOf = graph.map<NetworkId, ReadonlyMap<PortId, readonly Pair[]>, readonly Cidr[]>(
    'prefixes-in',
    prefixed,
    (_, members) => {
      const pairs = [...members.values()].flat();
      const distinct = new Map(pairs.map(({ ip }) => [formatCidr(ip), ip]));
      return [...distinct].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, ip]) => ip);
    },
    { equal: (a, b) => textOf(a) === textOf(b) },
  );

  /** Undefined for the many that no prefix covers. */
  const within = (
    read: Read,
    network: NetworkId,
    addressesOf: () => Iterable<Cidr>,
  ): Reserved | undefined => {
    const prefixes = read(prefixesOf, network);
    if (prefixes === undefined) return undefined;
    const covered = [...addressesOf()].filter((ip) => prefixes.some((prefix) => contains(prefix, ip)));
    return covered.length === 0 ? undefined : { network, addresses: covered };
  };
  const lends = (read: Read, network: NetworkId): boolean =>
    read(facts.networks, network)?.allowsReservedPairs === true;

  const reserved = [
    graph.map(
      'reserved-by-port',
      facts.ports,
      (_, port, read) =>
        within(read, port.network, () =>
          port.cloudOwned && lends(read, port.network) ? [] : namedAddresses(port),
        ),
      equal,
    ),
    graph.map(
      'reserved-by-subnet',
      facts.subnets,
      (_, subnet, read) =>
        within(read, subnet.network, () => {
          const gateway = lends(read, subnet.network) ? null : subnet.gateway;
          return [gateway, broadcastOf(subnet)].filter((ip) => ip !== null);
        }),
      equal,
    ),
    graph.map(
      'reserved-by-probe',
      linkLocals,
      (_, { network, address }, read) => within(read, network, () => [address]),
      equal,
    ),
    graph.map(
      'reserved-by-metadata',
      prefixesOf,
      (network, _, read) => within(read, network, () => (lends(read, network) ? [] : metadataAddresses)),
      equal,
    ),
  ];
  return { reserved };
}
