/** Ports that may move to a second host. No flows here. */
import type { Dataflow, Relation } from '../../../base/dataflow.ts';
import type { Arrival, PortId } from '../../../policy/world.ts';
import type { ClassifyFacts } from '../classify/facts.ts';

export interface ArrivalRelations {
  /** Of networks that tunnels carry: the switches of physical networks learn by themselves where a guest is. */
  readonly arrivals: Relation<PortId, Arrival>;
}

export const declareArrivals = (
  graph: Dataflow,
  { ports, networks }: Pick<ClassifyFacts, 'ports' | 'networks'>,
): ArrivalRelations => ({
  arrivals: graph.map('arrivals', ports, (_, { network, arrival }, read) => {
    const known = read(networks, network);
    return known === undefined || known.physical !== undefined ? undefined : arrival;
  }),
});
