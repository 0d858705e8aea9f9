/** Facts of who claimed an address last, of the ports that may. */
import type { Dataflow, Input } from '../../../base/dataflow.ts';
import type { Owner } from '../../../policy/world.ts';

export interface OwnerFacts {
  /** By `network|address`. */
  readonly owners: Input<string, Owner>;
}

const isSameOwner = (a: Owner, b: Owner): boolean =>
  a.port === b.port && a.mac === b.mac && a.generation === b.generation;

export const declareOwnerFacts = (graph: Dataflow): OwnerFacts => ({
  owners: graph.input('recorded-owners', isSameOwner),
});
