/** Facts of QoS policies, and of the meters that they need. */
import type { Dataflow, Input } from '../../../base/dataflow.ts';
import type { QosPolicy, QosPolicyId } from '../../../policy/world.ts';

export interface QosFacts {
  readonly qosPolicies: Input<QosPolicyId, QosPolicy>;
  /** Meters that the switch does not give, by number. */
  readonly withheldMeters: Input<number, true>;
}

export const declareQosFacts = (graph: Dataflow): QosFacts => ({
  qosPolicies: graph.input('qos-policies'),
  withheldMeters: graph.input('withheld-meters'),
});
