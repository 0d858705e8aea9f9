/**
 * What is advertised on networks: subnets with `ipv6_ra_mode`, each by the router that holds its gateway. A subnet without a
 * router is advertised without a default route, so that its guests have addresses. No flows here.
 *
 * Where somebody else may advertise, the hosts are silent: a port that may serve, or a plugged gateway without guards.
 */
import type { Dataflow, Relation } from '../../../base/dataflow.ts';
import type { Cidr } from '../../../net/cidr.ts';
import type { Mac } from '../../../net/mac.ts';
import type { NetworkId, Port, PortId, Subnet, SubnetId } from '../../../policy/world.ts';
import type { ClassifyFacts } from '../classify/facts.ts';
import type { RoutingFacts } from '../routing/facts.ts';
import type { DhcpFacts } from './facts.ts';

export interface AdvertisedPrefix {
  readonly prefix: Cidr;
  /** Guests make addresses of it. */
  readonly autonomous: boolean;
}

export interface Advertisement {
  /** The MAC of the router; null for none: no default route. */
  readonly router: Mac | null;
  /** Guests get addresses, or the rest, by DHCPv6. */
  readonly managed: boolean;
  readonly otherConfig: boolean;
  readonly mtu: number | null;
  readonly prefixes: readonly AdvertisedPrefix[];
  readonly dnsServers: readonly Cidr[];
}

export type AdvertisementRelation = Relation<NetworkId, readonly Advertisement[]>;

const isGateway = ({ fixedIps }: Port, { gateway }: Subnet): boolean =>
  gateway !== null && fixedIps.some(({ family, bits }) => family === gateway.family && bits === gateway.bits);

export function declareAdvertisements(
  graph: Dataflow,
  facts: ClassifyFacts & DhcpFacts & RoutingFacts,
  dhcpServers: Relation<NetworkId, ReadonlyMap<PortId, true>>,
  subnetsOf: Relation<NetworkId, ReadonlyMap<SubnetId, Subnet>>,
): AdvertisementRelation {
  const unguardedOf = graph.index('unguarded-of', facts.ports, (_, port) =>
    port.mode === 'off' ? [[port.network, port] as const] : [],
  );
  const downRouterPorts = graph.index('down-router-ports', facts.routers, (id, { adminUp, ports }) =>
    adminUp ? [] : ports.map((port) => [port, id] as const),
  );
  return graph.map('advertisements', subnetsOf, (network, all, read) => {
    const subnets = [...all.values()].filter(({ advertised }) => advertised);
    if (subnets.length === 0 || read(dhcpServers, network) !== undefined) return undefined;
    const ports = [...(read(unguardedOf, network)?.values() ?? [])];
    if (ports.some((port) => port.host !== null && subnets.some((subnet) => isGateway(port, subnet))))
      return undefined;
    const routers = ports.filter(
      ({ id, cloudOwned, adminUp }) => cloudOwned && adminUp && read(downRouterPorts, id) === undefined,
    );
    const byRouter = new Map<Mac | null, Subnet[]>();
    for (const subnet of subnets) {
      const router = routers.find((port) => isGateway(port, subnet))?.mac ?? null;
      byRouter.set(router, [...(byRouter.get(router) ?? []), subnet]);
    }
    const mtu = read(facts.networks, network)?.mtu ?? null;
    // Default routers first: some clients take the first answer alone.
    const senders = [...byRouter].sort(([a], [b]) => Number(a === null) - Number(b === null));
    return senders.map(([router, of]): Advertisement => {
      const known = of.map((subnet) => ({ subnet, dhcp: read(facts.dhcpSubnets, subnet.id) }));
      const has = (mode: string) => known.some(({ dhcp }) => dhcp?.advertisedMode === mode);
      return {
        router,
        managed: has('dhcpv6-stateful'),
        otherConfig: has('dhcpv6-stateless'),
        mtu,
        prefixes: known.map(({ subnet, dhcp }) => ({
          prefix: subnet.cidr,
          autonomous: dhcp?.advertisedMode !== 'dhcpv6-stateful',
        })),
        dnsServers: known.flatMap(({ dhcp }) => dhcp?.dnsServers ?? []).filter(({ family }) => family === 6),
      };
    });
  });
}
