/**
 * What a feature adds to the pipeline. A feature is a folder: `tables.ts` has its rows and pass reasons, `facts.ts` what the
 * agent sets, `relations.ts` what follows from facts, `feature.ts` its defaults and flows. Types of flows follow from rows,
 * so `tables.ts` imports no flows. Drop reasons are in `policy/drop-reasons.ts`, since the evaluator has them too.
 */
import type { Dataflow, Relation } from '../base/dataflow.ts';
import type { NetworkKey } from '../model/numbers.ts';
import type { NetworkId, PortId, Subnet } from '../policy/world.ts';
import type { Abilities } from './abilities.ts';
import type { Draft } from './draft.ts';
import type { Facts } from './facts.ts';
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
