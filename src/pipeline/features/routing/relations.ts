/**
 * Routers of this host: those that have a port on a network with a port here. Each host routes for its own ports, so such
 * a router's ports are here without an interface. No flows here.
 */
import type { Dataflow, Relation } from '../../../base/dataflow.ts';
import type { NetworkKey, PortKey } from '../../../model/numbers.ts';
import { type Cidr, contains } from '../../../net/cidr.ts';
import type { NetworkId, Port, PortId, RouterId } from '../../../policy/world.ts';
import { IdSpace } from '../../ids.ts';
import type { Zone } from '../../zone.ts';
import type { ClassifyFacts } from '../classify/facts.ts';
import type { NetworkRelations } from '../classify/networks.ts';
import type { LocalPortRelations } from '../classify/relations.ts';
import { type RoleIds, roleNumber } from '../isolation/roles.ts';
import type { RoutingFacts } from './facts.ts';

/** A port of a router that carries packets. */
export interface RouterPort {
  readonly router: RouterId;
  /** Stands for the router in a register. */
  readonly number: number;
  readonly port: Port;
  readonly key: PortKey;
  readonly networkKey: NetworkKey;
  /** Undefined for a network without a port here. */
  readonly zone: Zone | undefined;
  /** As of a local port. */
  readonly role: number;
  /** Whether it may send back what came by it. */
  readonly hairpin: boolean;
  /** Of its network; infinite where it is not known. */
  readonly mtu: number;
  /** The subnets in which it has an address. */
  readonly prefixes: readonly Cidr[];
}

export interface RoutingRelations {
  readonly routerPorts: Relation<PortId, RouterPort>;
  readonly portsOfRouter: Relation<RouterId, ReadonlyMap<PortId, RouterPort>>;
  /** The same by the number that stands for the router in a register. */
  readonly portsOfNumber: Relation<number, ReadonlyMap<PortId, RouterPort>>;
  /** The largest MTU of its networks. */
  readonly maxMtuOf: Relation<RouterId, number>;
  readonly routersHere: Relation<RouterId, true>;
  /** The ports of routers here, by their networks. */
  readonly routersOn: Relation<NetworkId, ReadonlyMap<PortId, RouterPort>>;
  /** Networks that a router here joins. */
  readonly routedNetworks: Relation<NetworkId, true>;
  /** Key of each network with a port here, and of each that a router here joins. */
  readonly reachedKeyOf: Relation<NetworkId, NetworkKey>;
}

export interface RouterIds {
  readonly routers: IdSpace;
}

export const newRouterIds = (): RouterIds => ({ routers: new IdSpace() });

export function declareRouting(
  graph: Dataflow,
  facts: ClassifyFacts & RoutingFacts,
  { subnetsOf, networkKeyOf, isolated }: NetworkRelations & LocalPortRelations,
  ids: RouterIds & RoleIds,
): RoutingRelations {
  const routerOf = graph.index('router-of', facts.routers, (_, { id, adminUp, ports }) =>
    adminUp ? ports.map((port) => [port, id] as const) : [],
  );
  const routerPorts = graph.map('router-ports', routerOf, (id, routers, read): RouterPort | undefined => {
    const [router] = [...routers.values()].sort();
    const port = read(facts.ports, id);
    const key = read(facts.portKeys, id);
    if (router === undefined || port === undefined || key === undefined) return undefined;
    const networkKey = read(facts.networkKeys, port.network);
    const up = port.adminUp && read(facts.networks, port.network)?.adminUp === true;
    if (networkKey === undefined || !up) return undefined;
    const isHere = read(networkKeyOf, port.network) !== undefined;
    const prefixes = [...(read(subnetsOf, port.network)?.values() ?? [])]
      .map(({ cidr }) => cidr)
      .filter((cidr) => port.fixedIps.some((ip) => contains(cidr, ip)));
    const zone = isHere ? read(facts.zones, port.network) : undefined;
    const role = read(isolated, port.network) === true ? roleNumber(ids, port.network, port.role) : 0;
    const hairpin = role === 0 || read(facts.networks, port.network)?.hairpin === true;
    const number = ids.routers.of(router);
    const mtu = read(facts.networks, port.network)?.mtu ?? Number.POSITIVE_INFINITY;
    return { router, number, port, key, networkKey, zone, role, hairpin, mtu, prefixes };
  });
  const portsOfRouter = graph.index('ports-of-router', routerPorts, (_, each) => [
    [each.router, each] as const,
  ]);
  const portsOfNumber = graph.index('ports-of-number', routerPorts, (_, each) => [
    [each.number, each] as const,
  ]);
  const maxMtuOf = graph.map('maxMtu-of', portsOfRouter, (_, ports) =>
    Math.max(...[...ports.values()].map(({ mtu }) => mtu)),
  );
  const routersHere = graph.map('routers-here', portsOfRouter, (_, ports, read) =>
    [...ports.values()].some(({ port }) => read(networkKeyOf, port.network) !== undefined) ? true : undefined,
  );
  const routersOn = graph.index('routers-on', routerPorts, (_, each, read) =>
    read(routersHere, each.router) === true ? [[each.port.network, each] as const] : [],
  );
  const routedNetworks = graph.map('routed-networks', routersOn, () => true as const);
  const reachedKeyOf = graph.map('reached-key-of', facts.networkKeys, (network, key, read) =>
    read(networkKeyOf, network) !== undefined || read(routedNetworks, network) === true ? key : undefined,
  );
  return {
    routerPorts,
    portsOfRouter,
    portsOfNumber,
    maxMtuOf,
    routersHere,
    routersOn,
    routedNetworks,
    reachedKeyOf,
  };
}
