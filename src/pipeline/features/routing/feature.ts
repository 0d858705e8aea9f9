/** Routing between networks. */

import type { Read } from '../../../base/dataflow.ts';
import { contains, formatCidr } from '../../../net/cidr.ts';
import type { Mac } from '../../../net/mac.ts';
import type { PortId, RouterRoute } from '../../../policy/world.ts';
import { noAbilities } from '../../abilities.ts';
import type { Draft } from '../../draft.ts';
import type { Feature } from '../../feature.ts';
import type { Relations } from '../../relations.ts';
import { sharedMeterOf } from '../../shared-meters.ts';
import type { Holder } from '../responder/holders.ts';
import type { RouterPort } from './relations.ts';
import {
  answersOfRouter,
  connectedRoutes,
  errorsOf,
  extraRoute,
  isSamePrefix,
  nextHop,
  ownAddress,
  routerPort,
  routingDefaults,
} from './routing.ts';

export const routing: Feature = {
  defaults: routingDefaults,

  ofPort: (local, { meterSpread }) => errorsOf(local, sharedMeterOf('router-error', local.key, meterSpread)),

  declare: ({ graph, facts, relations, ids, install }) => {
    const {
      maxMtuOf,
      routerPorts,
      routersHere,
      portsOfRouter,
      networkKeyOf,
      holders,
      reachedKeyOf,
      routedNetworks,
    } = relations;
    install(
      graph.map('router-port-flows', routerPorts, (_, port, read) => {
        if (read(routersHere, port.router) !== true) return undefined;
        const { answersNd } = read(facts.abilities, 'switch') ?? noAbilities;
        const asked = read(networkKeyOf, port.port.network) !== undefined;
        return [
          ...routerPort(port),
          ...connectedRoutes(port, read(maxMtuOf, port.router) ?? 0),
          ...port.port.fixedIps.flatMap((ip) => ownAddress(port, ip)),
          ...(asked ? answersOfRouter(port, answersNd) : []),
        ];
      }),
    );
    install(
      graph.map('extra-route-flows', facts.routers, (id, { routes }, read) =>
        read(routersHere, id) === true
          ? extraRoutes(inOrder(read(portsOfRouter, id)?.values() ?? []), routes, relations, read)
          : undefined,
      ),
    );
    install(
      graph.map('next-hop-flows', holders, (_, held, read) => {
        const [any] = held.values();
        const key = any && read(reachedKeyOf, any.port.network);
        if (any === undefined || key === undefined || read(routedNetworks, any.port.network) !== true)
          return undefined;
        const mac = soleMac(held, relations, read);
        return mac === null ? undefined : nextHop(key, any.port.network, any.address, mac);
      }),
    );
    graph.sink('router-ids', facts.routers, (name, value) => {
      if (value === undefined) ids.routers.release(name);
    });
  },
};

const inOrder = (ports: Iterable<RouterPort>): RouterPort[] =>
  [...ports].sort((a, b) => (a.port.id < b.port.id ? -1 : 1));

/** The one MAC that an address is at. Ports that no host has, and prefixes, say nothing. */
function soleMac(held: ReadonlyMap<PortId, Holder>, { routerPorts }: Relations, read: Read): Mac | null {
  const macs = new Set<Mac>();
  for (const { how, port, mac } of held.values())
    if (how !== 'prefix' && port.adminUp && (port.host !== null || read(routerPorts, port.id) !== undefined))
      macs.add(mac);
  const [mac] = macs;
  return mac === undefined || macs.size > 1 ? null : mac;
}

/** Of routes with one destination the first by its next hop. A subnet of the router comes before a route to it. */
function extraRoutes(
  ports: readonly RouterPort[],
  routes: readonly RouterRoute[],
  relations: Relations,
  read: Read,
): Draft[] {
  const chosen = new Map<string, Draft[]>();
  const inOrder = [...routes].sort((a, b) => (a.nextHop.bits < b.nextHop.bits ? -1 : 1));
  for (const { destination, nextHop: hop } of inOrder) {
    const name = formatCidr(destination);
    const by = ports.find(({ prefixes }) => prefixes.some((prefix) => contains(prefix, hop)));
    const isConnected = ports.some(({ prefixes }) =>
      prefixes.some((prefix) => isSamePrefix(prefix, destination)),
    );
    if (by === undefined || isConnected || chosen.has(name)) continue;
    const held = read(relations.holders, `${by.port.network}|${formatCidr(hop)}`);
    const maxMtu = read(relations.maxMtuOf, by.router) ?? 0;
    const mac = held === undefined ? null : soleMac(held, relations, read);
    chosen.set(name, extraRoute(by, destination, maxMtu, mac));
  }
  return [...chosen.values()].flat();
}
