/** What the switch can do for the flows: a fact that belongs to no feature, since every feature may ask for it. */
import type { Dataflow, Input } from '../base/dataflow.ts';

export interface Abilities {
  /** The datapath can rewrite neighbour-discovery options, so the switch may answer solicitations. */
  readonly answersNd: boolean;
  /** Numbers that each kind of shared meter may use; 0 where the switch has no meters. */
  readonly meterSpread: number;
}

/** Until the switch has reported more. */
export const noAbilities: Abilities = { answersNd: false, meterSpread: 0 };

export interface SwitchFacts {
  readonly abilities: Input<'switch', Abilities>;
}

export const declareSwitchFacts = (graph: Dataflow): SwitchFacts => ({
  abilities: graph.input(
    'abilities',
    (a, b) => a.answersNd === b.answersNd && a.meterSpread === b.meterSpread,
  ),
});
