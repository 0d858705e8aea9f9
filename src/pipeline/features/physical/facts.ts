/** What the agent tells about physical networks. */
import type { Dataflow, Input } from '../../../base/dataflow.ts';

export interface PhysicalFacts {
  /** OpenFlow port number of the patch port to each physical network that this host is bridged to. */
  readonly patches: Input<string, number>;
}

export const declarePhysicalFacts = (graph: Dataflow): PhysicalFacts => ({
  patches: graph.input('patches'),
});
