/**
 * The pipeline at work: facts in, desired flows out. Gives features what they have in common; holds no rule of its own.
 * The agent sets `facts`, calls `run`, and asks `desired` what changed.
 */
import { Dataflow, type Edge, type Relation } from '../base/dataflow.ts';
import { type Abilities, noAbilities } from './abilities.ts';
import { DesiredFlows } from './desired.ts';
import type { Draft } from './draft.ts';
import { declareFacts, type Facts } from './facts.ts';
import { features } from './pipeline.ts';
import { declareRelations, type Ids, newIds, type RelationOptions, type Relations } from './relations.ts';
import { missDefaults } from './table-miss.ts';
import { Tightening } from './tightening/tightening.ts';

export interface PipelineOptions extends RelationOptions {
  /** What the switch can do, where that is known from the start; `facts.abilities` says it later. */
  readonly abilities?: Abilities;
}

export class Pipeline {
  readonly facts: Facts;
  readonly relations: Relations;
  readonly desired = new DesiredFlows();
  readonly ids: Ids = newIds();
  /** Where live connections may have become forbidden. */
  readonly tightening: Tightening;
  readonly #graph = new Dataflow();

  constructor({ abilities = noAbilities, ...options }: PipelineOptions = {}) {
    const graph = this.#graph;
    const { ids } = this;
    const facts = declareFacts(graph);
    const relations = declareRelations(graph, facts, ids, options);
    this.facts = facts;
    this.relations = relations;
    facts.abilities.set('switch', abilities);

    this.desired.contribute('defaults', [...features.flatMap(({ defaults }) => defaults), ...missDefaults]);
    this.#installCommon();
    const install = <K extends string>(flows: Relation<K, readonly Draft[]>): void => this.#install(flows);
    for (const { declare } of features) declare?.({ graph, facts, relations, ids, install });
    this.tightening = new Tightening(graph, facts, relations, ids, this.desired);
  }

  /** One derivation a port, or a network, for all features: each more would cost a start its time. */
  #installCommon(): void {
    const graph = this.#graph;
    const { abilities } = this.facts;
    const { locals, localsOf, subnetsOf, untracked } = this.relations;
    this.#install(
      graph.map('port-flows', locals, (_, local, read) => {
        const able = read(abilities, 'switch') ?? noAbilities;
        return features.flatMap(({ ofPort }) => ofPort?.(local, able) ?? []);
      }),
    );
    this.#install(
      graph.map('state-flows', locals, (_, local, read) => {
        const families = read(untracked, local.groups) ?? { 4: false, 6: false };
        return features.flatMap(({ ofTrackedPort }) => ofTrackedPort?.(local, families) ?? []);
      }),
    );
    this.#install(
      graph.map('network-flows', localsOf, (id, ports, read) => {
        const [local] = ports.values();
        if (local === undefined) return [];
        const subnets = [...(read(subnetsOf, id)?.values() ?? [])];
        const network = { id, key: local.networkKey, zone: local.zone, ports, subnets };
        return features.flatMap(({ ofNetwork }) => ofNetwork?.(network) ?? []);
      }),
    );
  }

  #install<K extends string>(flows: Relation<K, readonly Draft[]>): void {
    const { name } = flows;
    this.#graph.sink(`${name}-installed`, flows, (key, drafts) =>
      this.desired.contribute(`${name}|${key}`, drafts ?? []),
    );
  }

  /** Derives what the changed facts ask for; `desired.takeChanged()` then tells which flows may differ. */
  run(): void {
    this.#graph.run();
  }

  /** How relations depend on each other, as far as derivations have read until now. */
  get edges(): readonly Edge[] {
    return this.#graph.edges;
  }

  /** Derivations run so far, by relation: what changes have cost. */
  get derivations(): ReadonlyMap<string, number> {
    return this.#graph.derivations;
  }
}
