/** Facts of addresses that ports came by without a record of the API. */
import type { Dataflow, Input } from '../../../base/dataflow.ts';
import type { LinkLocal } from '../../../policy/world.ts';

export interface GuardFacts {
  /** By `network|address`. */
  readonly linkLocals: Input<string, LinkLocal>;
}

export const declareGuardFacts = (graph: Dataflow): GuardFacts => ({
  linkLocals: graph.input('link-locals'),
});
