/**
 * Who owns the addresses of several ports, on any host, and so who gets what is for their MACs. No flows here.
 *
 * Invariants: a record names an owner only while its port may use the address with that MAC, and can carry packets. No
 * claim takes from a port what is for its own MAC.
 */
import type { Dataflow, Relation } from '../../../base/dataflow.ts';
import { formatCidr } from '../../../net/cidr.ts';
import { mayUse } from '../../../policy/address-owners.ts';
import type { Owner, PortId } from '../../../policy/world.ts';
import type { ClassifyFacts } from '../classify/facts.ts';
import type { OwnerFacts } from './facts.ts';

export interface OwnerRelations {
  /** By `network|address`: records that hold. */
  readonly owners: Relation<string, Owner>;
  /** By `network|mac`: the only ports that get what is for the MAC. Absent: every port that may use it. */
  readonly macOwners: Relation<string, ReadonlySet<PortId>>;
  /** By `network|mac`: MACs that a claim moves between ports, with what the records say of them. */
  readonly macsMoved: Relation<string, string>;
}

const isSameSet = (a: ReadonlySet<PortId>, b: ReadonlySet<PortId>): boolean =>
  a.size === b.size && [...a].every((port) => b.has(port));

export function declareOwners(
  graph: Dataflow,
  { networks, ports, owners: recorded }: ClassifyFacts & OwnerFacts,
): OwnerRelations {
  const owners = graph.map('owners', recorded, (_, owner, read) => {
    const port = read(ports, owner.port);
    if (port === undefined || port.network !== owner.network) return undefined;
    return port.adminUp && port.host !== null && mayUse(port, owner) ? owner : undefined;
  });
  const ownMacs = graph.index('own-macs', ports, (_, { network, mac }) => [
    [`${network}|${mac}`, true as const] as const,
  ]);
  const ownersByMac = graph.index('owners-by-mac', owners, (_, owner) => [
    [`${owner.network}|${owner.mac}`, owner] as const,
  ]);
  const macOwners = graph.map(
    'mac-owners',
    ownersByMac,
    (name, owned, read) => {
      const [any] = owned.values();
      if (any === undefined || read(networks, any.network)?.broadcastsPairs !== false) return undefined;
      if (read(ownMacs, name) !== undefined) return undefined;
      return new Set([...owned.values()].map(({ port }) => port));
    },
    { equal: isSameSet },
  );
  const pairMacs = graph.index('pair-macs', ports, (_, { network, mac, pairs }) =>
    [...new Set(pairs.map((pair) => pair.mac))]
      .filter((other) => other !== mac)
      .map((other) => [`${network}|${other}`, network] as const),
  );
  const macsMoved = graph.map('macs-moved', pairMacs, (name, held, read) => {
    const [network] = held.values();
    if (network === undefined || held.size < 2 || read(ownMacs, name) !== undefined) return undefined;
    const { broadcastsPairs = true, physical } = read(networks, network) ?? {};
    // What other hosts' ports claim comes from outside, where nobody says which port it is. The records decide.
    if (broadcastsPairs || physical !== undefined) return undefined;
    const owned = [...(read(ownersByMac, name)?.values() ?? [])];
    return owned
      .map(({ address, port, generation }) => `${formatCidr(address)} ${port} ${generation}`)
      .sort()
      .join();
  });
  return { owners, macOwners, macsMoved };
}
