/** Facts of routers. Their ports are facts as all ports are. */
import type { Dataflow, Input } from '../../../base/dataflow.ts';
import type { Router, RouterId } from '../../../policy/world.ts';

export interface RoutingFacts {
  readonly routers: Input<RouterId, Router>;
}

export const declareRoutingFacts = (graph: Dataflow): RoutingFacts => ({
  routers: graph.input('routers'),
});
