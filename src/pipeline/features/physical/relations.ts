/** The networks of this host that a physical network carries, and who else may have a MAC there. No flows here. */
import type { Dataflow, Relation } from '../../../base/dataflow.ts';
import type { NetworkKey } from '../../../model/numbers.ts';
import { macsOf } from '../../../policy/address-owners.ts';
import type { NetworkId, PortId } from '../../../policy/world.ts';
import type { Zone } from '../../zone.ts';
import type { ClassifyFacts } from '../classify/facts.ts';
import type { LocalPortRelations } from '../classify/relations.ts';
import type { PhysicalFacts } from './facts.ts';

/** A network with a port here, and where it is on the physical network. */
export interface LocalSegment {
  readonly network: NetworkId;
  readonly key: NetworkKey;
  readonly zone: Zone;
  /** Null: frames without a tag. */
  readonly vlan: number | null;
  /** OpenFlow port number of the patch port. */
  readonly ofport: number;
}

export interface PhysicalRelations {
  readonly segments: Relation<NetworkId, LocalSegment>;
  /** By `network|mac`: ports of other hosts that may have the MAC. */
  readonly outerMacHolders: Relation<string, ReadonlyMap<PortId, PortId>>;
}

const isSameSegment = (a: LocalSegment, b: LocalSegment): boolean =>
  a.key === b.key && a.zone === b.zone && a.vlan === b.vlan && a.ofport === b.ofport;

/** `here` is the name of this host. */
export function declarePhysical(
  graph: Dataflow,
  { networks, zones, ports, patches }: ClassifyFacts & PhysicalFacts,
  { locals, networkKeyOf }: LocalPortRelations,
  here: string,
): PhysicalRelations {
  const segments = graph.map(
    'segments',
    networkKeyOf,
    (network, key, read): LocalSegment | undefined => {
      const physical = read(networks, network)?.physical;
      const ofport = physical === undefined ? undefined : read(patches, physical.network);
      const zone = read(zones, network);
      if (physical === undefined || ofport === undefined || zone === undefined) return undefined;
      return { network, key, zone, vlan: physical.vlan, ofport };
    },
    { equal: isSameSegment },
  );
  const outerMacHolders = graph.index('outer-mac-holders', ports, (id, port, read) => {
    const isOuter = port.host !== null && port.host !== here && read(locals, id) === undefined;
    if (!isOuter || read(segments, port.network) === undefined) return [];
    return macsOf(port).map((mac) => [`${port.network}|${mac}`, id] as const);
  });
  return { segments, outerMacHolders };
}
