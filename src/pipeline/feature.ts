/**
 * What a feature adds to the pipeline. Its rows and pass reasons stand in its `tables.ts`, since the types of all flows
 * follow from rows; all else it adds stands in its `feature.ts`. `pipeline.ts` lists the features in a packet's order.
 */
import type { Dataflow, Relation } from '../base/dataflow.ts';
import type { NetworkKey } from '../model/numbers.ts';
import type { NetworkId, PortId, Subnet } from '../policy/world.ts';
import type { Draft } from './draft.ts';
import type { Abilities, Facts } from './facts.ts';
import type { LocalPort, Untracked } from './local-port.ts';
import type { Ids, Relations } from './relations.ts';
import type { Zone } from './zone.ts';

/** A network with a port on this host. */
export interface LocalNetwork {
  readonly id: NetworkId;
  readonly key: NetworkKey;
  readonly zone: Zone;
  readonly ports: ReadonlyMap<PortId, LocalPort>;
  readonly subnets: readonly Subnet[];
}

/** What a feature may build relations from. */
export interface FeatureContext {
  readonly graph: Dataflow;
  readonly facts: Facts;
  readonly relations: Relations;
  readonly ids: Ids;
  /** Makes the drafts of a relation desired flows, under the relation's name. */
  readonly install: <K extends string>(flows: Relation<K, readonly Draft[]>) => void;
}

export interface Feature {
  /** Flows that are always there. */
  readonly defaults: readonly Draft[];
  /** Flows of a port on this host. */
  readonly ofPort?: (local: LocalPort, abilities: Abilities) => readonly Draft[];
  /** Flows of a port that also depend on whether its groups ask for conntrack. */
  readonly ofTrackedPort?: (local: LocalPort, untracked: Untracked) => readonly Draft[];
  readonly ofNetwork?: (network: LocalNetwork) => readonly Draft[];
  /** Relations of the feature's own. */
  readonly declare?: (context: FeatureContext) => void;
}
