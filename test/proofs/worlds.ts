/**
 * Worlds from short descriptions, for tests that name their cases.
 */
import type { PortRole } from '../../src/model/records.ts';
import type { TunnelType, Vtep } from '../../src/model/vtep.ts';
import type {
  AddressGroup,
  AddressGroupId,
  Direction,
  Group,
  GroupId,
  GuardMode,
  L4Match,
  LinkLocal,
  Network,
  NetworkId,
  Owner,
  Pair,
  Port,
  PortId,
  QosPolicy,
  QosPolicyId,
  Remote,
  Router,
  RouterId,
  Rule,
  RuleId,
  SubnetId,
  World,
} from '../../src/policy/world.ts';
import { ip, mac, net } from '../lib/frames.ts';

export const host = 'here';

/** A limit that no test's traffic reaches, so its meters pass everything. */
const plenty = { rate: 10_000_000, burst: 10_000_000 };
export const generous: QosPolicy = {
  id: 'generous' as QosPolicyId,
  egress: { bandwidth: plenty, packets: plenty },
  ingress: { bandwidth: plenty, packets: plenty },
  dscp: null,
};

export interface PortText {
  readonly id: string;
  readonly network?: string;
  readonly mac: string;
  readonly ips?: readonly string[];
  /** Address or prefix, and its MAC when it is not the port's. */
  readonly pairs?: readonly (readonly [ip: string, mac?: string])[];
  readonly mode?: GuardMode;
  readonly groups?: readonly string[];
  readonly adminUp?: boolean;
  readonly dhcpServer?: boolean;
  readonly service?: boolean;
  /** `isolated`; means nothing where the network is not isolated. */
  readonly role?: PortRole;
  /** `here` by default. */
  readonly host?: string | null;
}

export interface RuleText {
  readonly group: string;
  readonly direction: Direction;
  readonly family?: 4 | 6;
  readonly l4?: L4Match;
  /** A prefix, a group's name behind `@`, or an address group's behind `#`; any when absent. */
  readonly remote?: string;
}

export interface OwnerText {
  readonly port: string;
  readonly address: string;
  readonly mac: string;
  /** Its place among the owners, from 1, when absent. */
  readonly generation?: number;
}

export interface RouterText {
  readonly ports: readonly string[];
  readonly adminUp?: boolean;
  /** Destination and next hop. */
  readonly routes?: readonly (readonly [destination: string, nextHop: string])[];
}

export interface WorldText {
  readonly ports: readonly PortText[];
  readonly rules?: readonly RuleText[];
  /** Groups without state. */
  readonly stateless?: readonly string[];
  readonly addressGroups?: Readonly<Record<string, readonly string[]>>;
  /** Prefixes of network `n1`. */
  readonly subnets?: readonly string[];
  /** Prefixes of other networks, by network. */
  readonly subnetsOf?: Readonly<Record<string, readonly string[]>>;
  /** Of the subnets, in their order. */
  readonly gateways?: readonly string[];
  /** Whether hosts answer their ports' DHCP requests and router solicitations. */
  readonly dhcp?: boolean;
  readonly allowsReservedPairs?: boolean;
  readonly isolated?: boolean;
  readonly trustsPhysical?: boolean;
  /** Of the gateways of all subnets. */
  readonly gatewayMac?: string;
  readonly hairpin?: boolean;
  /** Hosts with tunnels to each other. */
  readonly connectedHosts?: readonly string[];
  readonly routers?: Readonly<Record<string, RouterText>>;
  /** Of networks that have a limit. */
  readonly mtus?: Readonly<Record<string, number>>;
  /** `geneve`. */
  readonly tunnelType?: TunnelType;
  readonly owners?: readonly OwnerText[];
  readonly linkLocals?: readonly { readonly port: string; readonly address: string; readonly mac: string }[];
}

/** Endpoints 192.0.2.1, 192.0.2.2 and so on. */
export const vtepsOf = (hosts: readonly string[], type: TunnelType = 'geneve'): ReadonlyMap<string, Vtep> =>
  new Map(hosts.map((name, at) => [name, { address: ip(`192.0.2.${at + 1}`), types: [type] }]));

/** A network as it is by default. */
export const networkFrom = (
  given: Pick<Network, 'id'> & { readonly [K in keyof Network]?: Network[K] },
): Network => ({
  adminUp: true,
  allowsReservedPairs: false,
  broadcastsPairs: false,
  isolated: false,
  trustsPhysical: false,
  hairpin: false,
  qosPolicy: null,
  ...given,
});

export function portFrom(text: PortText): Port {
  const own = mac(text.mac);
  const pairs: Pair[] = (text.pairs ?? []).map(([address, other]) => ({
    mac: other === undefined ? own : mac(other),
    ip: net(address),
  }));
  return {
    id: text.id as PortId,
    network: (text.network ?? 'n1') as NetworkId,
    adminUp: text.adminUp ?? true,
    mac: own,
    fixedIps: (text.ips ?? []).map(ip),
    pairs,
    mode: text.mode ?? 'strict',
    dhcpServer: text.dhcpServer ?? false,
    cloudOwned: text.service ?? false,
    role: text.role ?? { kind: 'isolated' },
    qosPolicy: null,
    groups: (text.groups ?? []) as GroupId[],
    host: text.host === undefined ? host : text.host,
  };
}

function remoteFrom(text: string | undefined): Remote {
  if (text === undefined) return { kind: 'any' };
  if (text.startsWith('@')) return { kind: 'group', group: text.slice(1) as GroupId };
  if (text.startsWith('#')) return { kind: 'addresses', group: text.slice(1) as AddressGroupId };
  return { kind: 'prefix', prefix: net(text) };
}

export function ruleFrom(text: RuleText, at: number): Rule {
  return {
    id: `r${at}` as RuleId,
    group: text.group as GroupId,
    direction: text.direction,
    family: text.family ?? 4,
    l4: text.l4 ?? { kind: 'any' },
    remote: remoteFrom(text.remote),
  };
}

const ownerFrom =
  (ports: ReadonlyMap<PortId, Port>) =>
  (text: OwnerText, at: number): Owner => ({
    network: ports.get(text.port as PortId)?.network ?? ('n1' as NetworkId),
    address: ip(text.address),
    port: text.port as PortId,
    mac: mac(text.mac),
    generation: text.generation ?? at + 1,
  });

export function worldFrom(text: WorldText): World {
  const ports = new Map(text.ports.map(portFrom).map((port) => [port.id, port]));
  const names = new Set<NetworkId>([...ports.values()].map((port) => port.network));
  const prefixes = [
    ...(text.subnets ?? ['10.0.0.0/24', '2001:db8::/64']).map((prefix) => ['n1', prefix] as const),
    ...Object.entries(text.subnetsOf ?? {}).flatMap(([network, all]) =>
      all.map((prefix) => [network, prefix] as const),
    ),
  ];
  const subnets = prefixes.map(([network, prefix], at) => ({
    id: `s${at}` as SubnetId,
    network: network as NetworkId,
    cidr: net(prefix),
    gateway: text.gateways?.[at] === undefined ? null : ip(text.gateways[at]),
    gatewayMac: text.gatewayMac === undefined ? null : mac(text.gatewayMac),
    dhcp: text.dhcp ?? false,
    advertised: (text.dhcp ?? false) && prefix.includes(':'),
  }));
  const linkLocals: LinkLocal[] = (text.linkLocals ?? []).map((entry) => ({
    network: ports.get(entry.port as PortId)?.network ?? ('n1' as NetworkId),
    address: ip(entry.address),
    port: entry.port as PortId,
    mac: mac(entry.mac),
  }));
  return {
    networks: new Map(
      [...names].map((id) => [
        id,
        networkFrom({
          id,
          allowsReservedPairs: text.allowsReservedPairs ?? false,
          isolated: text.isolated ?? false,
          trustsPhysical: text.trustsPhysical ?? false,
          hairpin: text.hairpin ?? false,
          ...(text.mtus?.[id] === undefined ? {} : { mtu: text.mtus[id] }),
        }),
      ]),
    ),
    subnets: new Map(subnets.map((subnet) => [subnet.id, subnet])),
    ports,
    groups: new Map(
      (text.stateless ?? []).map((name): [GroupId, Group] => [
        name as GroupId,
        { id: name as GroupId, stateful: false },
      ]),
    ),
    addressGroups: new Map(
      Object.entries(text.addressGroups ?? {}).map(([name, prefixes]): [AddressGroupId, AddressGroup] => [
        name as AddressGroupId,
        { id: name as AddressGroupId, addresses: prefixes.map(net) },
      ]),
    ),
    rules: new Map((text.rules ?? []).map(ruleFrom).map((rule) => [rule.id, rule])),
    linkLocals,
    owners: (text.owners ?? []).map(ownerFrom(ports)),
    routers: routersFrom(text.routers ?? {}),
    vteps: vtepsOf(text.connectedHosts ?? [], text.tunnelType),
    bridged: new Map(),
  };
}

const routersFrom = (texts: Readonly<Record<string, RouterText>>): Map<RouterId, Router> =>
  new Map(
    Object.entries(texts).map(([name, { ports, adminUp = true, routes = [] }]) => [
      name as RouterId,
      {
        id: name as RouterId,
        adminUp,
        ports: ports as PortId[],
        routes: routes.map(([destination, hop]) => ({ destination: net(destination), nextHop: ip(hop) })),
      },
    ]),
  );

/** Rules of a group that admits everything in both directions, so that its ports are not tracked. */
export const openGroup = (group: string): RuleText[] =>
  (['ingress', 'egress'] as const).flatMap((direction) =>
    ([4, 6] as const).map((family) => ({ group, direction, family })),
  );

/** The same in halves: no rule alone admits everything, so its ports are tracked. */
export const wideGroup = (group: string): RuleText[] =>
  (['ingress', 'egress'] as const).flatMap((direction) => [
    ...['0.0.0.0/1', '128.0.0.0/1'].map((remote) => ({ group, direction, family: 4 as const, remote })),
    ...['::/1', '8000::/1'].map((remote) => ({ group, direction, family: 6 as const, remote })),
  ]);
