/** Who holds an address, on any host. No flows here. */
import type { Dataflow, Relation } from '../../../base/dataflow.ts';
import { formatCidr, isHost } from '../../../net/cidr.ts';
import type { PortId } from '../../../policy/world.ts';
import type { ClassifyFacts } from '../classify/facts.ts';
import type { NetworkRelations } from '../classify/networks.ts';
import type { RoutingRelations } from '../routing/relations.ts';
import { type Holder, holdings } from './holders.ts';

export interface ResponderRelations {
  /** By `network|address`; of networks with a port on this host, and of those that a router joins to them. */
  readonly holders: Relation<string, ReadonlyMap<PortId, Holder>>;
}

export const declareHolders = (
  graph: Dataflow,
  { ports }: ClassifyFacts,
  { subnetsOf, reachedKeyOf }: NetworkRelations & RoutingRelations,
): ResponderRelations => ({
  holders: graph.index('holders', ports, (_, port, read) => {
    if (read(reachedKeyOf, port.network) === undefined) return [];
    const subnets = port.pairs.every(({ ip }) => isHost(ip))
      ? []
      : [...(read(subnetsOf, port.network)?.values() ?? [])];
    return holdings(port, subnets).map(
      (holder) => [`${port.network}|${formatCidr(holder.address)}`, holder] as const,
    );
  }),
});
