/**
 * The networks in which a change may have forbidden something that was allowed. The agent judges their live
 * connections again. Compares each fact with its value in the run before; a change that only allows more marks nothing.
 * May mark a network without need, must not miss one. Reads no connection.
 */
import type { Dataflow, Relation } from '../base/dataflow.ts';
import { type Cidr, contains, formatCidr, isHost } from '../net/cidr.ts';
import type {
  AddressGroup,
  AddressGroupId,
  GroupId,
  GuardMode,
  NetworkId,
  Port,
  PortId,
  Rule,
} from '../policy/world.ts';
import type { Facts } from './facts.ts';
import type { Reserved } from './features/guards/reserved.ts';
import type { LocalPort } from './local-port.ts';
import type { Relations } from './relations.ts';

const strictness: Readonly<Record<GuardMode, number>> = { off: 0, 'mac-only': 1, strict: 2 };

const addressesOf = (port: Port): Cidr[] => [...port.fixedIps, ...port.pairs.map(({ ip }) => ip)];

/** Those of `before` that are not in `after`. */
function lost(before: readonly Cidr[], after: readonly Cidr[]): Cidr[] {
  if (before.length === 0) return [];
  const kept = new Set(after.map(formatCidr));
  return before.filter((address) => !kept.has(formatCidr(address)));
}

const withoutGroups = (before: Port, after: Port): GroupId[] =>
  before.groups.filter((group) => !after.groups.includes(group));

/** Whether a port on this host may send or hear less than before. */
function isNarrower(before: LocalPort, after: LocalPort): boolean {
  const { port: old } = before;
  const { port } = after;
  if (old.network !== port.network || before.zone !== after.zone) return true;
  if (strictness[port.mode] > strictness[old.mode] || (before.up && !after.up)) return true;
  if (port.mode === 'off') return false;
  if ((old.dhcpServer && !port.dhcpServer) || withoutGroups(old, port).length > 0) return true;
  const heard = ({ pairs4, pairs6 }: LocalPort) => [...pairs4, ...pairs6].map(({ ip }) => ip);
  const named = (local: LocalPort) => local.named.map(({ ip }) => ip);
  return lost(heard(before), heard(after)).length > 0 || lost(named(before), named(after)).length > 0;
}

/** Whether two rules say the same: a record that was only described anew is no change. */
function isSame(a: Rule, b: Rule): boolean {
  const text = ({ group, direction, family, service, remote }: Rule): string => {
    const peer = remote.kind === 'prefix' ? formatCidr(remote.prefix) : remote;
    return JSON.stringify([group, direction, family, service, peer]);
  };
  return text(a) === text(b);
}

export class ListedTightening {
  readonly #facts: Facts;
  readonly #relations: Relations;
  /** Ports with a prefix among their addresses, which a longer one takes members from. */
  readonly #wide: Relation<NetworkId, ReadonlyMap<PortId, Port>>;
  readonly #networks = new Set<NetworkId>();
  /** Groups whose ports may be held to less, wherever they are on this host. */
  readonly #groups = new Set<GroupId>();
  readonly #addressGroups = new Set<AddressGroupId>();
  /** Groups that an address of these networks may have left. */
  readonly #memberships = new Map<GroupId, Set<NetworkId>>();
  /** Ports that were here and went, whose connections may still be. */
  readonly #gone = new Set<PortId>();
  #everywhere = false;

  constructor(graph: Dataflow, facts: Facts, relations: Relations) {
    this.#facts = facts;
    this.#relations = relations;
    this.#wide = graph.index('wide-ports', facts.ports, (_, port) =>
      port.pairs.every(({ ip }) => isHost(ip)) ? [] : [[port.network, port] as const],
    );
    graph.compare('port-tightening', facts.ports, (id, old, port) => this.#comparePorts(id, old, port));
    graph.compare('local-tightening', relations.locals, (id, old, local) =>
      this.#compareLocals(id, old, local),
    );
    graph.compare('rule-tightening', relations.activeRules, (_, old, rule) => {
      if (old !== undefined && (rule === undefined || !isSame(old, rule))) this.#groups.add(old.group);
    });
    graph.compare('network-tightening', facts.networks, (id, old, network) => {
      // Connections of ports that are away for now are in its zone too.
      if (old?.adminUp === true && network?.adminUp !== true) this.#networks.add(id);
    });
    graph.compare('group-tightening', facts.groups, (id, old, group) => {
      if ((old?.stateful ?? true) !== (group?.stateful ?? true)) this.#groups.add(id);
    });
    graph.compare('address-group-tightening', facts.addressGroups, (id, old, group) =>
      this.#compareAddresses(id, old, group),
    );
    for (const reserved of relations.reserved)
      graph.compare(`${reserved.name}-tightening`, reserved, (_, old, value) =>
        this.#compareReserved(old, value),
      );
    graph.compare('subnet-tightening', facts.subnets, (_, old, subnet) => {
      // A prefix reaches as far as its subnet, so its holders may have lost what lies in it.
      if (old === undefined) return;
      const kept = subnet?.network === old.network && lost([old.cidr], [subnet.cidr]).length === 0;
      if (!kept) this.#networks.add(old.network);
    });
  }

  /** Of what a prefix gave, something has become somebody's. */
  #compareReserved(old: Reserved | undefined, reserved: Reserved | undefined): void {
    if (reserved !== undefined && lost(reserved.addresses, old?.addresses ?? []).length > 0)
      this.#networks.add(reserved.network);
  }

  #comparePorts(id: PortId, old: Port | undefined, port: Port | undefined): void {
    if (port === undefined) this.#gone.delete(id);
    if (old !== undefined) {
      const moved = port === undefined || port.network !== old.network;
      const left = moved || lost(addressesOf(old), addressesOf(port)).length > 0;
      this.#leave(old.network, left ? old.groups : withoutGroups(old, port));
    }
    if (port === undefined) return;
    const gained = lost(addressesOf(port), old?.network === port.network ? addressesOf(old) : []);
    for (const other of this.#wide.get(port.network)?.values() ?? []) {
      const taken = gained.some((address) =>
        other.pairs.some(({ ip }) => ip.length < address.length && contains(ip, address)),
      );
      if (taken && other.id !== id) this.#leave(port.network, withoutGroups(other, port));
    }
  }

  #leave(network: NetworkId, groups: readonly GroupId[]): void {
    for (const group of groups) {
      const networks = this.#memberships.get(group);
      if (networks === undefined) this.#memberships.set(group, new Set([network]));
      else networks.add(network);
    }
  }

  #compareLocals(id: PortId, old: LocalPort | undefined, local: LocalPort | undefined): void {
    if (old === undefined) {
      // Rules may have changed while the port was away; no network was marked for its sake then.
      if (this.#gone.delete(id) && local !== undefined) this.#networks.add(local.port.network);
      return;
    }
    if (local !== undefined && !isNarrower(old, local)) return;
    this.#networks.add(old.port.network);
    if (local === undefined && this.#facts.ports.get(id) !== undefined) this.#gone.add(id);
  }

  #compareAddresses(
    id: AddressGroupId,
    old: AddressGroup | undefined,
    group: AddressGroup | undefined,
  ): void {
    if (old !== undefined && lost(old.addresses, group?.addresses ?? []).length > 0)
      this.#addressGroups.add(id);
  }

  /** Marks every network: for a new connection to a switch whose state is not known. */
  markAll(): void {
    this.#everywhere = true;
  }

  /** The connections of a port that is away were not judged. They are judged when it returns. */
  isAway(port: PortId): void {
    this.#gone.add(port);
  }

  /** Marks networks again whose connections could not be judged. */
  mark(networks: Iterable<NetworkId>): void {
    for (const network of networks) this.#networks.add(network);
  }

  /**
   * The marked networks that have a zone; clears the marks. Call it after the switch has acknowledged the last run.
   * A caller that fails gives them back by `mark`.
   */
  take(): ReadonlySet<NetworkId> {
    const { zones } = this.#facts;
    this.#resolve();
    const marked = this.#everywhere ? [...zones.entries()].map(([network]) => network) : this.#networks;
    const found = new Set([...marked].filter((network) => zones.get(network) !== undefined));
    this.#networks.clear();
    this.#everywhere = false;
    return found;
  }

  #resolve(): void {
    const { activeRules, locals } = this.#relations;
    if (this.#addressGroups.size > 0 || this.#memberships.size > 0) {
      for (const [, { remote, group }] of activeRules.entries()) {
        if (remote.kind === 'group') this.mark(this.#memberships.get(remote.group) ?? []);
        if (remote.kind === 'addresses' && this.#addressGroups.has(remote.group)) this.#groups.add(group);
      }
    }
    if (this.#groups.size > 0) {
      for (const [, { port }] of locals.entries())
        if (port.groups.some((group) => this.#groups.has(group))) this.#networks.add(port.network);
    }
    this.#addressGroups.clear();
    this.#memberships.clear();
    this.#groups.clear();
  }
}
