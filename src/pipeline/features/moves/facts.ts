/** Facts of connections that ports had on the hosts that they left. */
import type { Dataflow, Input } from '../../../base/dataflow.ts';
import type { LeftConnections } from '../../../policy/moves.ts';
import type { PortId } from '../../../policy/world.ts';

export interface MoveFacts {
  readonly leftConnections: Input<PortId, LeftConnections>;
}

export const declareMoveFacts = (graph: Dataflow): MoveFacts => ({
  leftConnections: graph.input('left-connections'),
});
