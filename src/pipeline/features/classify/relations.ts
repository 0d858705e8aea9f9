/** The ports of this host with all that their flows need. No flows here. */
import type { Dataflow, Relation } from '../../../base/dataflow.ts';
import type { NetworkKey } from '../../../model/numbers.ts';
import type { Arrival, NetworkId, PortId } from '../../../policy/world.ts';
import { type IdSpace, idOrZero } from '../../ids.ts';
import { type LocalPort, localPort, setName } from '../../local-port.ts';
import type { GuardRelations } from '../guards/relations.ts';
import { type RoleIds, roleNumber } from '../isolation/roles.ts';
import type { ClassifyFacts } from './facts.ts';

export interface LocalPortRelations {
  /** Isolated networks only. */
  readonly isolated: Relation<NetworkId, true>;
  readonly locals: Relation<PortId, LocalPort>;
  /** Key of each network with a port on this host. */
  readonly networkKeyOf: Relation<NetworkId, NetworkKey>;
  /** By `networkKey|key`, as punted packets name the port. */
  readonly localsByKey: Relation<string, ReadonlyMap<PortId, LocalPort>>;
  readonly localsOf: Relation<NetworkId, ReadonlyMap<PortId, LocalPort>>;
}

export function declareLocalPorts(
  graph: Dataflow,
  facts: ClassifyFacts,
  { linkLocalsOf, withheldIn }: GuardRelations,
  arrivals: Relation<PortId, Arrival>,
  ids: RoleIds & { readonly sets: IdSpace },
  here: string,
): LocalPortRelations {
  const networksUp = graph.map('networks-up', facts.networks, (_, { adminUp }) =>
    adminUp ? true : undefined,
  );
  const isolated = graph.map('isolated-networks', facts.networks, (_, { isolated }) =>
    isolated ? true : undefined,
  );
  const locals = graph.map('locals', facts.ofports, (id, ofport, read) => {
    const port = read(facts.ports, id);
    if (port === undefined) return undefined;
    const key = read(facts.portKeys, id);
    const networkKey = read(facts.networkKeys, port.network);
    const zone = read(facts.zones, port.network);
    if (key === undefined || networkKey === undefined || zone === undefined) return undefined;
    const groups = port.mode === 'off' ? '' : setName(port.groups);
    const arrival = read(arrivals, id);
    const side = arrival?.host === here ? 'arriving' : 'leaving';
    return localPort(port, read(linkLocalsOf, id)?.values() ?? [], read(withheldIn, port.network) ?? [], {
      up: port.adminUp && read(networksUp, port.network) === true,
      ofport,
      zone,
      networkKey,
      key,
      role: read(isolated, port.network) === true ? roleNumber(ids, port.network, port.role) : 0,
      groups,
      set: idOrZero(ids.sets, groups),
      ...(arrival === undefined ? {} : { moving: { side, number: arrival.number } }),
    });
  });
  const localsOf = graph.index('locals-of', locals, (_, local) => [[local.port.network, local] as const]);
  const localsByKey = graph.index('locals-by-key', locals, (_, local) => [
    [`${local.networkKey}|${local.key}`, local] as const,
  ]);
  const networkKeyOf = graph.map('network-key-of', localsOf, (_, members) => {
    for (const { networkKey } of members.values()) return networkKey;
    return undefined;
  });
  return { isolated, locals, localsOf, localsByKey, networkKeyOf };
}
