/** What belongs to a network, on any host. No flows here. */
import type { Dataflow, Relation } from '../../../base/dataflow.ts';
import type { NetworkId, Subnet, SubnetId } from '../../../policy/world.ts';
import type { ClassifyFacts } from './facts.ts';

export interface NetworkRelations {
  readonly subnetsOf: Relation<NetworkId, ReadonlyMap<SubnetId, Subnet>>;
}

export const declareNetworks = (graph: Dataflow, { subnets }: ClassifyFacts): NetworkRelations => ({
  subnetsOf: graph.index('subnets-of', subnets, (_, subnet) => [[subnet.network, subnet] as const]),
});
