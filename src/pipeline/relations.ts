/**
 * All relations between facts and flows, and the numbers that they use. Features declare them; this file only joins them,
 * each after those that it reads. Stages read these and nothing else.
 */
import type { Dataflow } from '../base/dataflow.ts';
import type { Facts } from './facts.ts';
import { declareNetworks, type NetworkRelations } from './features/classify/networks.ts';
import { declareLocalPorts, type LocalPortRelations } from './features/classify/relations.ts';
import { type DhcpRelations, declareDhcp } from './features/dhcp/relations.ts';
import { declareForwarding, type ForwardingRelations } from './features/forwarding/relations.ts';
import { declareGuards, type GuardRelations } from './features/guards/relations.ts';
import { declareReserved, type ReservedRelations } from './features/guards/reserved.ts';
import { declareIsolation, type IsolationRelations } from './features/isolation/relations.ts';
import { newRoleIds, type RoleIds } from './features/isolation/roles.ts';
import { type ArrivalRelations, declareArrivals } from './features/moves/arrivals.ts';
import { declareMoves, type MoveRelations } from './features/moves/relations.ts';
import { declareOwners, type OwnerRelations } from './features/owners/relations.ts';
import { declarePhysical, type PhysicalRelations } from './features/physical/relations.ts';
import { declareQos, newQosIds, type QosIds, type QosRelations } from './features/qos/budgets.ts';
import { declareHolders, type ResponderRelations } from './features/responder/relations.ts';
import {
  declareRouting,
  newRouterIds,
  type RouterIds,
  type RoutingRelations,
} from './features/routing/relations.ts';
import { type GroupIds, newGroupIds } from './features/security-groups/ids.ts';
import { declareGroups, type GroupRelations } from './features/security-groups/relations.ts';
import { declareTunnels, type HostIds, newHostIds, type TunnelRelations } from './features/tunnels/peers.ts';

export interface Relations
  extends NetworkRelations,
    GuardRelations,
    LocalPortRelations,
    ForwardingRelations,
    DhcpRelations,
    ResponderRelations,
    OwnerRelations,
    GroupRelations,
    ReservedRelations,
    QosRelations,
    TunnelRelations,
    RoutingRelations,
    IsolationRelations,
    PhysicalRelations,
    ArrivalRelations,
    MoveRelations {}

export interface Ids extends GroupIds, QosIds, HostIds, RouterIds, RoleIds {}

export const newIds = (): Ids => ({
  ...newGroupIds(),
  ...newQosIds(),
  ...newHostIds(),
  ...newRouterIds(),
  ...newRoleIds(),
});

export interface RelationOptions {
  /** The name of this host. */
  readonly host?: string;
  /** Max pairs of rule and port in a group whose hits are counted by port. */
  readonly maxCountedApart?: number;
}

export function declareRelations(
  graph: Dataflow,
  facts: Facts,
  ids: Ids,
  { host = '', maxCountedApart }: RelationOptions,
): Relations {
  const networks = declareNetworks(graph, facts);
  const guards = declareGuards(graph, facts, networks);
  const arrivals = declareArrivals(graph, facts);
  const locals = declareLocalPorts(graph, facts, guards, arrivals.arrivals, ids, host);
  const ports = { ...networks, ...locals };
  const routing = declareRouting(graph, facts, ports, ids);
  const forwarding = declareForwarding(graph, ports);
  const owners = declareOwners(graph, facts);
  const dhcp = declareDhcp(graph, facts, ports, guards.linkLocals.subnetsOf);
  const responder = declareHolders(graph, facts, { ...ports, ...routing });
  const isolation = declareIsolation(graph, { ...ports, ...responder, ...routing });
  const groups = declareGroups(graph, facts, { ...ports, ...responder, ...routing }, maxCountedApart);
  const reserved = declareReserved(graph, facts, ports.locals, guards.linkLocals.granted);
  const qos = declareQos(graph, facts, ports.locals, ids.meters);
  const tunnels = declareTunnels(graph, facts, { ...ports, ...routing, ...arrivals }, ids, host);
  const moves = declareMoves(graph, { ...ports, ...arrivals, ...tunnels });
  const physical = declarePhysical(graph, facts, ports, host);
  return {
    ...guards,
    ...ports,
    ...forwarding,
    ...owners,
    ...dhcp,
    ...responder,
    ...groups,
    ...reserved,
    ...qos,
    ...tunnels,
    ...routing,
    ...isolation,
    ...physical,
    ...arrivals,
    ...moves,
  };
}
