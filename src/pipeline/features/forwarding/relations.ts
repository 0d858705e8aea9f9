/** Which ports of this host a destination MAC means. No flows here. */
import type { Dataflow, Relation } from '../../../base/dataflow.ts';
import type { PortId } from '../../../policy/world.ts';
import type { LocalPort } from '../../local-port.ts';
import type { LocalPortRelations } from '../classify/relations.ts';

export interface ForwardingRelations {
  /** By `network|mac`: the local ports that may use the MAC, those that are down included. */
  readonly macHolders: Relation<string, ReadonlyMap<PortId, LocalPort>>;
}

export const declareForwarding = (graph: Dataflow, { locals }: LocalPortRelations): ForwardingRelations => ({
  macHolders: graph.index('mac-holders', locals, (_, local) =>
    local.macs.map((mac) => [`${local.port.network}|${mac}`, local] as const),
  ),
});
