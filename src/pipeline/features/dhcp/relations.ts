/** The ports here that the built-in DHCP server serves, and with which subnets. No flows here. */
import type { Dataflow, Relation } from '../../../base/dataflow.ts';
import { type Cidr, contains, type Family } from '../../../net/cidr.ts';
import { metadata4 } from '../../../policy/address-owners.ts';
import type { NetworkId, Port, PortId, Subnet, SubnetId } from '../../../policy/world.ts';
import type { ClassifyFacts } from '../classify/facts.ts';
import type { LocalPortRelations } from '../classify/relations.ts';
import type { RoutingFacts } from '../routing/facts.ts';
import { type AdvertisementRelation, declareAdvertisements } from './advertisements.ts';
import type { DhcpFacts } from './facts.ts';

export interface DhcpRelations {
  /** Ports that may be DHCP servers, wherever they are: where there is one, the built-in server is silent. */
  readonly dhcpServers: Relation<NetworkId, ReadonlyMap<PortId, true>>;
  /** The IPv4 subnets by which a port here gets addresses. A port that gets none is not here. */
  readonly served4: Relation<PortId, readonly Subnet[]>;
  /** The IPv6 subnets by which it gets addresses or what belongs to them. */
  readonly served6: Relation<PortId, readonly Subnet[]>;
  readonly advertisements: AdvertisementRelation;
}

/** The address by which the built-in server names itself: the gateway, else the metadata address. */
export const serverAddress = ({ gateway }: Subnet): Cidr => gateway ?? metadata4;

/** Subnets of a family whose addresses the port gets by DHCP, in the order of the port's addresses. */
const subnetsFor = ({ fixedIps }: Port, subnets: readonly Subnet[], family: Family): Subnet[] => [
  ...new Set(
    fixedIps.flatMap((ip) =>
      subnets.filter(({ cidr, dhcp }) => dhcp && cidr.family === family && contains(cidr, ip)),
    ),
  ),
];

export function declareDhcp(
  graph: Dataflow,
  facts: ClassifyFacts & DhcpFacts & RoutingFacts,
  { locals }: LocalPortRelations,
  subnetsOf: Relation<NetworkId, ReadonlyMap<SubnetId, Subnet>>,
): DhcpRelations {
  const dhcpServers = graph.index('dhcp-servers', facts.ports, (_, { network, dhcpServer }) =>
    dhcpServer ? [[network, true as const] as const] : [],
  );
  const servedBy = (family: Family) =>
    graph.map(`dhcp${family}-served`, locals, (_, { port, up }, read) => {
      if (!up || port.cloudOwned || read(dhcpServers, port.network) !== undefined) return undefined;
      const subnets = subnetsFor(port, [...(read(subnetsOf, port.network)?.values() ?? [])], family);
      return subnets.length > 0 ? subnets : undefined;
    });
  const advertisements = declareAdvertisements(graph, facts, dhcpServers, subnetsOf);
  return { dhcpServers, served4: servedBy(4), served6: servedBy(6), advertisements };
}
