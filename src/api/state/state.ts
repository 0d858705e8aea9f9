/**
 * The store's content as tables, and how one event changes it. Holds no connection to a store: the view feeds it.
 */
import { reasonOf } from '../../base/errors.ts';
import { zoneOf } from '../../model/availability-zone.ts';
import type { DefaultStatefulnessRecord } from '../../model/default-statefulness.ts';
import { KeyDispatch, type KeyHandler, on } from '../../model/key-dispatch.ts';
import type { AnyParts, Kind } from '../../model/key-kind.ts';
import { keys } from '../../model/keys.ts';
import { qosPolicyIdOf } from '../../model/qos-policy.ts';
import type { QuotaRecord, QuotaResource } from '../../model/quota.ts';
import type {
  AddressGroupRecord,
  AddressScopeRecord,
  AgentNote,
  AppliedRecord,
  BindingRecord,
  BridgeRecord,
  DefaultGroupRuleRecord,
  HostRecord,
  LinkLocalRecord,
  NetworkRecord,
  PortRecord,
  QosPolicyRecord,
  RbacPolicyRecord,
  SecurityGroupRecord,
  SecurityGroupRuleRecord,
  SubnetPoolRecord,
  SubnetRecord,
} from '../../model/records.ts';
import { gatewayOwner, isRouterPort, portsOfRouter, type RouterRecord } from '../../model/router.ts';
import { addressGroupIdOf, ruleIdentity } from '../../model/security-group-rule.ts';
import type { Owned } from '../../model/standard-attributes.ts';
import type { StoreEvent } from '../../store/contract.ts';
import { ClaimedNumbers } from './claimed-numbers.ts';
import { LastSeen } from './last-seen.ts';
import { NetworkHosts } from './network-hosts.ts';
import { OwnedAddresses } from './owned-addresses.ts';
import { RuleHits } from './rule-hits.ts';
import { type Row, Table } from './table.ts';
import { TakenSegments } from './taken-segments.ts';

/** An address of a subnet that no port has any more. */
export type OnReleased = (subnet: string, address: string) => void;

const qosPolicyIds = (user: { readonly qos_policy_id?: string | null }): readonly string[] => {
  const id = qosPolicyIdOf(user);
  return id === null ? [] : [id];
};

/** Keeps a table equal to its records in the store. `changed` receives the record before and after. */
function rowsOf<R extends Owned, P extends AnyParts & { readonly id: string }>(
  kind: Kind<R, P>,
  table: Table<R, string>,
  changed?: (before: R | null, after: R | null, parts: P) => void,
): KeyHandler {
  return on(kind, ({ key, parts, record, modRevision }) => {
    const before = record === null ? table.delete(parts.id) : table.put(key, record, modRevision);
    changed?.(before, record, parts);
  });
}

function keep<V>(map: Map<string, V>, key: string, value: V | null): void {
  if (value === null) map.delete(key);
  else map.set(key, value);
}

export class State {
  readonly networks = new Table<NetworkRecord, 'name' | 'qos'>({
    name: (network) => [network.name],
    qos: qosPolicyIds,
  });
  readonly subnets = new Table<SubnetRecord, 'name' | 'network' | 'pool'>({
    name: (subnet) => [subnet.name],
    network: (subnet) => [subnet.network_id],
    pool: (subnet) => (subnet.subnetpool_id === undefined ? [] : [subnet.subnetpool_id]),
  });
  readonly ports = new Table<
    PortRecord,
    'name' | 'network' | 'device' | 'group' | 'mac' | 'ip' | 'subnet' | 'qos' | 'router-port-on'
  >({
    name: (port) => [port.name],
    network: (port) => [port.network_id],
    device: (port) => [port.device_id],
    group: (port) => port.security_groups,
    mac: (port) => [`${port.network_id}/${port.mac_address}`],
    ip: (port) => port.fixed_ips.map((ip) => `${port.network_id}/${ip.ip_address}`),
    subnet: (port) => port.fixed_ips.map((ip) => ip.subnet_id),
    qos: qosPolicyIds,
    'router-port-on': (port) => (isRouterPort(port) ? [port.network_id] : []),
  });
  readonly groups = new Table<SecurityGroupRecord, 'name'>({
    name: (group) => [group.name],
  });
  readonly rules = new Table<SecurityGroupRuleRecord, 'group' | 'remote' | 'addresses' | 'identity'>({
    group: (rule) => [rule.security_group_id],
    remote: (rule) => (rule.remote_group_id === null ? [] : [rule.remote_group_id]),
    addresses: (rule) => {
      const group = addressGroupIdOf(rule);
      return group === null ? [] : [group];
    },
    identity: (rule) => [ruleIdentity(rule)],
  });
  readonly addressGroups = new Table<AddressGroupRecord, 'name'>({ name: (group) => [group.name] });
  readonly addressScopes = new Table<AddressScopeRecord, 'name'>({ name: (scope) => [scope.name] });
  readonly subnetPools = new Table<SubnetPoolRecord, 'name' | 'scope' | 'default'>({
    name: (pool) => [pool.name],
    scope: (pool) => (pool.address_scope_id === null ? [] : [pool.address_scope_id]),
    default: (pool) => (pool.is_default ? [String(pool.ip_version)] : []),
  });
  readonly rbacPolicies = new Table<RbacPolicyRecord, 'object'>({ object: (policy) => [policy.object_id] });
  readonly qosPolicies = new Table<QosPolicyRecord, 'name' | 'default' | 'rule'>({
    name: (policy) => [policy.name],
    default: (policy) => (policy.is_default ? [policy.project_id] : []),
    rule: (policy) => policy.rules.map((rule) => rule.id),
  });
  readonly routers = new Table<RouterRecord, 'name' | 'port'>({
    name: (router) => [router.name],
    port: portsOfRouter,
  });
  /** The tables whose rows quotas count. */
  readonly counted: Readonly<Record<QuotaResource, Pick<Table<Owned, never>, 'countOf'>>> = {
    network: this.networks,
    subnet: this.subnets,
    subnetpool: this.subnetPools,
    port: this.ports,
    security_group: this.groups,
    security_group_rule: this.rules,
    rbac_policy: this.rbacPolicies,
    router: this.routers,
  };
  /** By port. */
  readonly bindings = new Map<string, BindingRecord>();
  readonly networkHosts = new NetworkHosts();
  /** Hosts that have ports of a network plugged in: they route for it. */
  readonly routingHosts = new NetworkHosts();
  /** Keys of a port's link-local addresses. */
  readonly #linkLocals = new Map<string, { readonly port: string }>();
  readonly #linkLocalsOfPort = new Map<string, Set<string>>();
  readonly owners = new OwnedAddresses();
  /** All that are known, dead ones too. */
  readonly hosts = new Map<string, HostRecord>();
  /** Of each host's record: another one in each life. */
  readonly hostRevisions = new Map<string, number>();
  readonly #lives = new Set<string>();
  /** By live host, once a server has waited for it. */
  readonly applied = new Map<string, AppliedRecord>();
  /** The revision that a server last waited for. */
  syncTarget = 0;
  /** By host. */
  readonly agentNotes = new Map<string, AgentNote>();
  /** By host, also while its agent is away. */
  readonly bridges = new Map<string, BridgeRecord>();
  readonly hits = new RuleHits();
  /** Keys of records that cannot be read, with the reason. */
  readonly unreadable = new Map<string, string>();
  readonly claimedNumbers = new ClaimedNumbers();
  readonly takenSegments = new TakenSegments();
  /** Project to its default group. */
  readonly defaultGroups = new Map<string, string>();
  readonly defaultGroupRules = new Table<DefaultGroupRuleRecord, never>({});
  readonly defaultStatefulness = new Table<DefaultStatefulnessRecord, never>({});
  /** Whether the store ever had templates of rules. */
  hasDefaultGroupRules = false;
  /** The id of the default external network. */
  defaultExternalNetwork: string | null = null;
  /** Project to the limits that it was given. */
  readonly quotas = new Map<string, Pick<Row<QuotaRecord>, 'key' | 'record' | 'modRevision'>>();
  readonly #dispatch = new KeyDispatch(this.#handlers());
  readonly #onReleased: OnReleased;

  readonly lastSeen: LastSeen;

  constructor(onReleased: OnReleased, lastSeen = new LastSeen()) {
    this.#onReleased = onReleased;
    this.lastSeen = lastSeen;
  }

  /** Whether the store holds the host's life. No clock says more. */
  isLive(host: string): boolean {
    return this.#lives.has(host);
  }

  get liveHosts(): readonly string[] {
    return [...this.#lives];
  }

  linkLocalKeys(port: string): ReadonlySet<string> {
    return this.#linkLocalsOfPort.get(port) ?? new Set();
  }

  apply(event: StoreEvent): void {
    if (event.type === 'delete') {
      this.#dispatch.take(event.key, null);
      this.unreadable.delete(event.key);
      return;
    }
    const { key, value, modRevision } = event.entry;
    try {
      this.#dispatch.take(key, value, modRevision);
      this.unreadable.delete(key);
    } catch (error) {
      // It counts as absent, and stops no other record. Marks keep what it takes from being given away.
      this.#dispatch.take(key, null);
      this.unreadable.set(key, reasonOf(error));
    }
  }

  #handlers(): readonly KeyHandler[] {
    return [
      rowsOf(keys.group, this.groups),
      rowsOf(keys.qosPolicy, this.qosPolicies),
      rowsOf(keys.addressGroup, this.addressGroups),
      rowsOf(keys.addressScope, this.addressScopes),
      rowsOf(keys.router, this.routers, (before, after) => this.#routerChanged(before, after)),
      rowsOf(keys.defaultGroupRule, this.defaultGroupRules),
      rowsOf(keys.defaultStatefulness, this.defaultStatefulness),
      // Other rows show something of these.
      rowsOf(keys.network, this.networks, (before, after) => this.#networkChanged(before, after)),
      rowsOf(keys.subnet, this.subnets, (_before, _after, { network }) => this.networks.outdate(network)),
      rowsOf(keys.port, this.ports, (before, after) => this.#portChanged(before, after)),
      rowsOf(keys.rule, this.rules, (_before, _after, { group }) => this.groups.outdate(group)),
      rowsOf(keys.subnetPool, this.subnetPools, (_before, _after, { id }) => {
        // Networks show the scopes of their subnets' pools.
        for (const { record } of this.subnets.by('pool', id)) this.networks.outdate(record.network_id);
      }),
      rowsOf(keys.rbacPolicy, this.rbacPolicies, (before, after) => this.#grantChanged(after ?? before)),
      // Records without rows of their own.
      on(keys.binding, ({ parts, record }) => this.#applyBinding(parts.network, parts.id, record)),
      on(keys.linkLocal, ({ key, record }) => this.#applyLinkLocal(key, record)),
      on(keys.owner, ({ key, parts, record }) => this.owners.apply(key, parts, record)),
      on(keys.host, ({ parts: { host }, record, modRevision }) => {
        keep(this.hostRevisions, host, record && modRevision);
        this.#applyHost(host, record);
      }),
      on(keys.life, ({ parts: { host }, record }) => {
        if (record === null) this.#lives.delete(host);
        else this.#lives.add(host);
        if (record === null) this.lastSeen.isGone(host);
        else this.lastSeen.lives(host);
        // Ports show whether their host lives.
        this.ports.outdateAll();
      }),
      on(keys.applied, ({ parts, record }) => keep(this.applied, parts.host, record)),
      on(keys.syncTarget, ({ modRevision }) => {
        this.syncTarget = modRevision;
      }),
      on(keys.agentNote, ({ parts, record }) => keep(this.agentNotes, parts.host, record)),
      on(keys.bridge, ({ parts, record }) => {
        keep(this.bridges, parts.host, record);
        this.ports.outdateAll();
      }),
      on(keys.defaultGroupRulesPlanted, ({ record }) => {
        this.hasDefaultGroupRules = record !== null;
      }),
      on(keys.defaultExternalNetwork, ({ record }) => {
        this.defaultExternalNetwork = record;
      }),
      on(keys.quota, ({ key, parts, record, modRevision }) =>
        keep(this.quotas, parts.project, record && { key, record, modRevision }),
      ),
      on(keys.defaultGroup, ({ parts, record }) => keep(this.defaultGroups, parts.project, record)),
      ...this.hits.handlers,
      ...this.claimedNumbers.handlers,
      ...this.takenSegments.handlers,
    ];
  }

  #networkChanged(before: NetworkRecord | null, after: NetworkRecord | null): void {
    if (before === null || after === null) return;
    // Ports show their network's policy, and a role where it is isolated.
    if (qosPolicyIdOf(before) === qosPolicyIdOf(after) && before.isolated === after.isolated) return;
    for (const port of this.ports.by('network', after.id)) this.ports.outdate(port.record.id);
  }

  #portChanged(before: PortRecord | null, after: PortRecord | null): void {
    // Routers show where their gateways are.
    if (after?.device_owner === gatewayOwner) this.routers.outdate(after.device_id);
    if (before === null || before.fixed_ips.length === 0) return;
    const kept = new Set(after?.fixed_ips.map((ip) => ip.ip_address));
    for (const ip of before.fixed_ips) {
      if (!kept.has(ip.ip_address)) this.#onReleased(ip.subnet_id, ip.ip_address);
    }
  }

  #grantChanged(policy: RbacPolicyRecord | null): void {
    const { networks, groups, addressGroups, qosPolicies, subnetPools, addressScopes } = this;
    for (const table of [networks, groups, addressGroups, qosPolicies, subnetPools, addressScopes])
      table.outdate(policy?.object_id ?? '');
  }

  #applyBinding(network: string, port: string, after: BindingRecord | null): void {
    const before = this.bindings.get(port) ?? null;
    keep(this.bindings, port, after);
    this.ports.outdate(port);
    const moved = this.networkHosts.moved(network, before?.host ?? null, after?.host ?? null);
    // Networks show the zones of their hosts.
    if (moved) this.networks.outdate(network);
    const plugged = (record: BindingRecord | null) => (record?.status === 'ACTIVE' ? record.host : null);
    if (this.routingHosts.moved(network, plugged(before), plugged(after))) this.#routingChanged(network);
  }

  /** Ports of a router show whether it is up and routed for. */
  #routerChanged(before: RouterRecord | null, after: RouterRecord | null): void {
    for (const router of [before, after])
      if (router !== null) for (const port of portsOfRouter(router)) this.ports.outdate(port);
  }

  #routingChanged(network: string): void {
    for (const port of this.ports.by('router-port-on', network))
      for (const { record } of this.routers.by('port', port.record.id)) this.#routerChanged(record, null);
  }

  #applyHost(name: string, after: HostRecord | null): void {
    const before = this.hosts.get(name) ?? null;
    keep(this.hosts, name, after);
    if (!this.isLive(name)) this.lastSeen.isGone(name);
    // Ports do not show hosts; they show whether their host is known, and since when.
    this.ports.outdateAll();
    if ((before && zoneOf(before)) !== (after && zoneOf(after))) this.networks.outdateAll();
  }

  #applyLinkLocal(key: string, record: LinkLocalRecord | null): void {
    const before = this.#linkLocals.get(key);
    if (before !== undefined) {
      this.#linkLocalsOfPort.get(before.port)?.delete(key);
      this.#linkLocals.delete(key);
    }
    if (record === null) return;
    this.#linkLocals.set(key, record);
    const keys = this.#linkLocalsOfPort.get(record.port) ?? new Set();
    this.#linkLocalsOfPort.set(record.port, keys.add(key));
  }
}
