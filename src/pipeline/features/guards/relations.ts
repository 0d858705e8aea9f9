/** Which addresses a port gains by a probe, and which of its pairs give it nothing. No flows here. */
import type { Dataflow, Relation } from '../../../base/dataflow.ts';
import type { Cidr } from '../../../net/cidr.ts';
import { broadcastOf, reservedAddresses } from '../../../policy/address-owners.ts';
import type { LinkLocal, NetworkId, PortId } from '../../../policy/world.ts';
import type { ClassifyFacts } from '../classify/facts.ts';
import type { NetworkRelations } from '../classify/networks.ts';
import type { GuardFacts } from './facts.ts';
import { declareLinkLocals, type LinkLocalRelations } from './link-locals.ts';

export interface GuardRelations {
  readonly linkLocals: LinkLocalRelations;
  readonly linkLocalsOf: Relation<PortId, ReadonlyMap<string, LinkLocal>>;
  /** Addresses of a network that no pair gives to a port. */
  readonly withheldIn: Relation<NetworkId, readonly Cidr[]>;
}

export function declareGuards(
  graph: Dataflow,
  facts: ClassifyFacts & GuardFacts,
  { subnetsOf }: NetworkRelations,
): GuardRelations {
  const linkLocals = declareLinkLocals(graph, facts, subnetsOf);
  const linkLocalsOf = graph.index('link-locals-of', linkLocals.granted, (_, item) => [
    [item.port, item] as const,
  ]);
  const cloudPortsOf = graph.index('cloud-ports-of', facts.ports, (_, port) =>
    port.cloudOwned ? [[port.network, port] as const] : [],
  );
  const withheldIn = graph.map('withheld-in', facts.networks, (id, { allowsReservedPairs }, read) => {
    const subnets = [...(read(subnetsOf, id)?.values() ?? [])];
    const reserved = allowsReservedPairs
      ? []
      : reservedAddresses(subnets, read(cloudPortsOf, id)?.values() ?? []);
    return [...subnets.map(broadcastOf).filter((ip) => ip !== null), ...reserved];
  });
  return { linkLocals, linkLocalsOf, withheldIn };
}
