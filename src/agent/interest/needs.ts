/**
 * Which prefixes of the store the flows of ports depend on: a pure function of the ports and of what is known of them.
 * It names more as more becomes known: a port's mark names its network, its record names groups, their rules name
 * address groups. A network's ports name its routers, and a router's ports the networks that it joins.
 *
 * A remote group's members are ports of the same networks, and nothing asks for its own record or its rules.
 */
import { keys } from '../../model/keys.ts';
import { networkOf, portOf, ruleOf } from '../../policy/records.ts';
import type {
  AddressGroupId,
  GroupId,
  Network,
  NetworkId,
  Port,
  PortId,
  QosPolicyId,
  Router,
  RouterId,
} from '../../policy/world.ts';
import type { StoreEvent } from '../../store/contract.ts';

/** What is known of records; undefined of those that are not. */
export interface Known {
  port(id: PortId): Pick<Port, 'network' | 'groups' | 'qosPolicy' | 'host' | 'arrival'> | undefined;
  /** The host that has reported the connections of a port that left it. */
  formerHost(id: PortId): string | undefined;
  /** The network that a port's mark names. */
  markedNetwork(id: PortId): NetworkId | undefined;
  network(id: NetworkId): Pick<Network, 'qosPolicy'> | undefined;
  /** The address groups that the rules of a group name. */
  addressGroupsOf(group: GroupId): Iterable<AddressGroupId>;
  /** The routers that ports of a network belong to. */
  routersOf(network: NetworkId): Iterable<RouterId>;
  router(id: RouterId): Pick<Router, 'ports'> | undefined;
}

/** What every host follows: the tunnel endpoints of all. */
export const commonPrefixes: readonly string[] = [keys.bridge.prefix];

/** The prefixes that ports need, and whole networks beside theirs. */
export function prefixesFor(
  ports: Iterable<PortId>,
  networks: Iterable<NetworkId>,
  known: Known,
): Set<string> {
  const prefixes = new Set<string>();
  const own = new Set<NetworkId>();
  const groups = new Set<GroupId>();
  const policies = new Set<QosPolicyId>();
  for (const id of ports) {
    const port = known.port(id);
    const network = port?.network ?? known.markedNetwork(id);
    if (port === undefined) prefixes.add(keys.portNetwork(id));
    if (network !== undefined) own.add(network);
    const former = port?.arrival === undefined ? known.formerHost(id) : port.host;
    if (network !== undefined && former) prefixes.add(keys.leaving(former, network, id));
    for (const group of port?.groups ?? []) groups.add(group);
    if (port?.qosPolicy) policies.add(port.qosPolicy);
  }
  const found = new Set<NetworkId>([...networks, ...own]);
  for (const network of own)
    for (const router of known.routersOf(network)) {
      prefixes.add(keys.router(router));
      for (const port of known.router(router)?.ports ?? []) {
        const joined = known.port(port)?.network ?? known.markedNetwork(port);
        if (known.port(port) === undefined) prefixes.add(keys.portNetwork(port));
        if (joined !== undefined) found.add(joined);
      }
    }
  for (const network of found) {
    for (const prefix of prefixesOfNetwork(network)) prefixes.add(prefix);
    const policy = known.network(network)?.qosPolicy;
    if (policy) policies.add(policy);
  }
  for (const group of groups) for (const prefix of prefixesOfGroup(group, known)) prefixes.add(prefix);
  for (const policy of policies) prefixes.add(keys.qosPolicy(policy));
  return prefixes;
}

export const prefixesOfNetwork = (network: NetworkId): readonly string[] => [
  keys.network(network),
  keys.subnet.under(network),
  keys.port.under(network),
  keys.binding.under(network),
  keys.linkLocal.under(network),
  keys.owner.under(network),
];

const prefixesOfGroup = (group: GroupId, known: Known): readonly string[] => [
  keys.group(group),
  keys.rule.under(group),
  ...[...known.addressGroupsOf(group)].map((id) => keys.addressGroup(id)),
];

/** Which records concern ports whose flows are installed. */
export interface Installed {
  any(): boolean;
  port(id: PortId): boolean;
  network(id: NetworkId): boolean;
  group(id: GroupId): boolean;
}

/** The prefixes that installed ports will need once an event has been taken over. */
export function prefixesAfter(event: StoreEvent, installed: Installed, known: Known): readonly string[] {
  if (event.type === 'delete') return [];
  const { key, value } = event.entry;
  try {
    return (
      afterPort(key, value, installed, known) ??
      afterRule(key, value, installed) ??
      afterNetwork(key, value, installed) ??
      []
    );
  } catch {
    // A record that cannot be read counts as absent.
    return [];
  }
}

function afterPort(key: string, value: string, installed: Installed, known: Known): string[] | null {
  const parts = keys.port.parse(key);
  if (parts === null) return null;
  const port = installed.port(parts.id as PortId) ? portOf(keys.port.read(value)) : null;
  if (port === null) return [];
  return [
    ...port.groups.flatMap((group) => prefixesOfGroup(group, known)),
    ...(port.qosPolicy === null ? [] : [keys.qosPolicy(port.qosPolicy)]),
  ];
}

function afterRule(key: string, value: string, installed: Installed): string[] | null {
  const parts = keys.rule.parse(key);
  if (parts === null) return null;
  const rule = installed.group(parts.group as GroupId) ? ruleOf(keys.rule.read(value)) : null;
  return rule?.remote.kind === 'addresses' ? [keys.addressGroup(rule.remote.group)] : [];
}

function afterNetwork(key: string, value: string, installed: Installed): string[] | null {
  const parts = keys.network.parse(key);
  if (parts === null) return null;
  if (!installed.network(parts.id as NetworkId)) return [];
  const { qosPolicy } = networkOf(keys.network.read(value));
  return qosPolicy === null ? [] : [keys.qosPolicy(qosPolicy)];
}
