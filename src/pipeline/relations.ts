/**
 * What the pipeline knows and what follows from it, as a graph of relations: the facts that the agent sets, and
 * everything between them and the flows. The stages read these and nothing else.
 * No flows, no I/O; ids of ports, sets, classes and rules are handed out here.
 */
import type { Dataflow, Relation } from '../base/dataflow.ts';
import type { NetworkKey } from '../model/numbers.ts';
import { type Family, formatCidr, isHost } from '../net/cidr.ts';
import { broadcastOf, reservedAddresses } from '../policy/address-owners.ts';
import type { GroupId, NetworkId, PortId, Rule, RuleId, Subnet, SubnetId } from '../policy/world.ts';
import type { Facts } from './facts.ts';
import { declareLinkLocals, type LinkLocalRelations } from './features/guards/link-locals.ts';
import { declareReserved, type Reserved } from './features/guards/reserved.ts';
import { declareQos, type QosRelations, qosMeters } from './features/qos/budgets.ts';
import { type Holder, holdings } from './features/responder/holders.ts';
import { type Classing, declareAddresses, declareMembers } from './features/security-groups/peers.ts';
import { IdSpace } from './ids.ts';
import { type LocalPort, localPort, setName, type Untracked } from './local-port.ts';

export interface Relations {
  readonly locals: Relation<PortId, LocalPort>;
  /** Key of each network with a port on this host. */
  readonly networkKeyOf: Relation<NetworkId, NetworkKey>;
  /** By `networkKey|key`, as punted packets name the port. */
  readonly localsByKey: Relation<string, ReadonlyMap<PortId, LocalPort>>;
  readonly localsOf: Relation<NetworkId, ReadonlyMap<PortId, LocalPort>>;
  readonly subnetsOf: Relation<NetworkId, ReadonlyMap<SubnetId, Subnet>>;
  readonly linkLocals: LinkLocalRelations;
  /** By `network|mac`: the local ports that may use the MAC, those that are down included. */
  readonly macHolders: Relation<string, ReadonlyMap<PortId, LocalPort>>;
  /** By `network|address`. */
  readonly holders: Relation<string, ReadonlyMap<PortId, Holder>>;
  /** Rules of groups that local ports have. */
  readonly activeRules: Relation<RuleId, Rule>;
  /** Sets of groups in use here, by name. */
  readonly sets: Relation<string, true>;
  readonly rulesOfGroup: Relation<GroupId, ReadonlyMap<RuleId, Rule>>;
  /** By set: all rules of its groups, in an order that does not depend on history. */
  readonly rulesOfSet: Relation<string, readonly Rule[]>;
  readonly stateless: Relation<GroupId, true>;
  /** By set of groups: the families in which its ports are not tracked. */
  readonly untracked: Relation<string, Untracked>;
  /** Whether what a group's rules let in is counted for each port apart. */
  readonly countedApart: Relation<GroupId, boolean>;
  /** What a peer is among security groups, and among address groups. */
  readonly members: Classing;
  readonly addresses: Classing;
  readonly reserved: readonly Relation<string, Reserved>[];
  readonly qos: QosRelations;
}

export interface Ids {
  readonly sets: IdSpace;
  readonly classes: IdSpace;
  readonly addressClasses: IdSpace;
  readonly rules: IdSpace;
  readonly meters: IdSpace;
}

export const newIds = (): Ids => ({
  sets: new IdSpace(),
  classes: new IdSpace(),
  addressClasses: new IdSpace(),
  rules: new IdSpace(),
  meters: new IdSpace(qosMeters),
});

/** Pairs of rule and port on this host up to which a group is counted by port, unless told: each takes two flows. */
const maxCountedPairs = 2048;

/** The register value of a set or class; the empty name is 0. */
export const idOrZero = (space: IdSpace, name: string): number => (name === '' ? 0 : space.of(name));

export function declareRelations(
  graph: Dataflow,
  facts: Facts,
  ids: Ids,
  countedTo: number = maxCountedPairs,
): Relations {
  const subnetsOf = graph.index('subnets-of', facts.subnets, (_, subnet) => [
    [subnet.network, subnet] as const,
  ]);
  const linkLocals = declareLinkLocals(graph, facts, subnetsOf);
  const linkLocalsOf = graph.index('link-locals-of', linkLocals.granted, (_, item) => [
    [item.port, item] as const,
  ]);

  const servicesOf = graph.index('services-of', facts.ports, (_, port) =>
    port.cloudOwned ? [[port.network, port] as const] : [],
  );
  const withheldIn = graph.map('withheld-in', facts.networks, (id, { allowsReservedPairs }, read) => {
    const subnets = [...(read(subnetsOf, id)?.values() ?? [])];
    const reserved = allowsReservedPairs
      ? []
      : reservedAddresses(subnets, read(servicesOf, id)?.values() ?? []);
    return [...subnets.map(broadcastOf).filter((ip) => ip !== null), ...reserved];
  });

  const networksUp = graph.map('networks-up', facts.networks, (_, { adminUp }) =>
    adminUp ? true : undefined,
  );

  const locals = graph.map('locals', facts.ofports, (id, ofport, read) => {
    const port = read(facts.ports, id);
    if (port === undefined) return undefined;
    const key = read(facts.portKeys, id);
    const networkKey = read(facts.networkKeys, port.network);
    const zone = read(facts.zones, port.network);
    if (key === undefined || networkKey === undefined || zone === undefined) return undefined;
    const groups = port.mode === 'off' ? '' : setName(port.groups);
    return localPort(port, read(linkLocalsOf, id)?.values() ?? [], read(withheldIn, port.network) ?? [], {
      up: port.adminUp && read(networksUp, port.network) === true,
      ofport,
      zone,
      networkKey,
      key,
      groups,
      set: idOrZero(ids.sets, groups),
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
  const macHolders = graph.index('mac-holders', locals, (_, local) =>
    local.macs.map((mac) => [`${local.port.network}|${mac}`, local] as const),
  );

  const holders = graph.index('holders', facts.ports, (_, port, read) => {
    if (read(networkKeyOf, port.network) === undefined) return [];
    const subnets = port.pairs.every(({ ip }) => isHost(ip))
      ? []
      : [...(read(subnetsOf, port.network)?.values() ?? [])];
    return holdings(port, subnets).map(
      (holder) => [`${port.network}|${formatCidr(holder.address)}`, holder] as const,
    );
  });
  const localGroups = graph.index('local-groups', locals, (_, { port }) =>
    port.mode === 'off' ? [] : port.groups.map((group) => [group, true as const] as const),
  );
  const groupIsLocal = graph.map('group-is-local', localGroups, () => true as const);
  const activeRules = graph.map('active-rules', facts.rules, (_, rule, read) =>
    read(groupIsLocal, rule.group) ? rule : undefined,
  );
  const rulesOfGroup = graph.index('rules-of-group', activeRules, (_, rule) => [[rule.group, rule] as const]);
  const setPorts = graph.index('set-ports', locals, (_, { groups }) =>
    groups === '' ? [] : [[groups, true as const] as const],
  );
  const sets = graph.map('sets', setPorts, () => true as const);
  const rulesOfSet = graph.map('rules-of-set', sets, (name, _, read) =>
    name
      .split(',')
      .flatMap((group) => [...(read(rulesOfGroup, group as GroupId)?.values() ?? [])])
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
  );
  const stateless = graph.map('stateless', facts.groups, (_, { stateful }) => (stateful ? undefined : true));
  const untracked = graph.map<string, true, Untracked>(
    'untracked-sets',
    sets,
    (name, _, read) => {
      const names = name.split(',') as GroupId[];
      if (names.every((group) => read(stateless, group))) return { 4: true, 6: true };
      const rules = read(rulesOfSet, name) ?? [];
      return { 4: isOpen(rules, 4), 6: isOpen(rules, 6) };
    },
    { equal: (a, b) => a[4] === b[4] && a[6] === b[6] },
  );
  const countedApart = graph.map(
    'counted-apart',
    localGroups,
    (group, members, read) => members.size * (read(rulesOfGroup, group)?.size ?? 0) <= countedTo,
  );

  return {
    locals,
    networkKeyOf,
    localsByKey,
    localsOf,
    subnetsOf,
    linkLocals,
    macHolders,
    holders,
    activeRules,
    sets,
    rulesOfGroup,
    rulesOfSet,
    stateless,
    untracked,
    countedApart,
    members: declareMembers(graph, activeRules, holders),
    addresses: declareAddresses(graph, activeRules, facts.addressGroups),
    reserved: declareReserved(graph, facts, locals, linkLocals.granted),
    qos: declareQos(graph, facts, locals, ids.meters),
  };
}

/** Whether rules let everything of a family through, both ways. */
function isOpen(rules: readonly Rule[], family: Family): boolean {
  const through = rules.filter(
    ({ service, remote, ...rule }) =>
      rule.family === family && service.kind === 'any' && remote.kind === 'any',
  );
  return (['egress', 'ingress'] as const).every((way) => through.some(({ direction }) => direction === way));
}
