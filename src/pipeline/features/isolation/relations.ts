/** The gateways of isolated networks. No flows here. */
import type { Dataflow, Read, Relation } from '../../../base/dataflow.ts';
import { formatCidr } from '../../../net/cidr.ts';
import type { Mac } from '../../../net/mac.ts';
import type { NetworkId } from '../../../policy/world.ts';
import type { NetworkRelations } from '../classify/networks.ts';
import type { LocalPortRelations } from '../classify/relations.ts';
import type { Holder } from '../responder/holders.ts';
import type { ResponderRelations } from '../responder/relations.ts';
import type { RoutingRelations } from '../routing/relations.ts';
import type { Gateway } from './proxy-flows.ts';

export interface IsolationRelations {
  /** Of isolated networks with a port here: the subnets whose gateway's MAC is known. */
  readonly gatewaysOf: Relation<NetworkId, readonly Gateway[]>;
}

type Used = Pick<RoutingRelations, 'routerPorts' | 'routersHere'>;

/** The MAC that an address is at, when one port has it for good: a port of a host, or of a router here. */
export function soleMacOf(
  held: readonly Holder[],
  { routerPorts, routersHere }: Used,
  read: Read,
): Mac | null {
  const [sole, ...others] = held;
  if (sole === undefined || others.length > 0 || sole.how !== 'fixed' || !sole.port.adminUp) return null;
  const router = read(routerPorts, sole.port.id)?.router;
  const isRouter = router !== undefined && read(routersHere, router) === true;
  return sole.port.host === null && !isRouter ? null : sole.mac;
}

export function declareIsolation(
  graph: Dataflow,
  relations: NetworkRelations & LocalPortRelations & ResponderRelations & RoutingRelations,
): IsolationRelations {
  const { networkKeyOf, isolated, subnetsOf, holders } = relations;
  const gatewaysOf = graph.map('gateways-of', networkKeyOf, (network, _, read): Gateway[] | undefined => {
    if (read(isolated, network) !== true) return undefined;
    const found = [...(read(subnetsOf, network)?.values() ?? [])].flatMap((subnet): Gateway[] => {
      const { cidr, gateway, gatewayMac } = subnet;
      if (gatewayMac !== null) return [{ cidr, mac: gatewayMac }];
      if (gateway === null) return [];
      const held = [...(read(holders, `${network}|${formatCidr(gateway)}`)?.values() ?? [])].filter(
        ({ how }) => how !== 'prefix',
      );
      const mac = held.every(({ port }) => port.role.kind === 'promiscuous')
        ? soleMacOf(held, relations, read)
        : null;
      return mac === null ? [] : [{ cidr, mac }];
    });
    return found.length === 0 ? undefined : found;
  });
  return { gatewaysOf };
}
