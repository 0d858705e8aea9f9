/**
 * The store's content as tables, and how one event changes it. Holds no connection to a store: the view feeds it.
 */

import { zoneOf } from '../../model/availability-zone.ts';
import type { DefaultStatefulnessRecord } from '../../model/default-statefulness.ts';
import type { QuotaRecord } from '../../model/quota.ts';
import type {
  AddressGroupRecord,
  AddressScopeRecord,
  AgentNote,
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
import { gatewayOwner, portsOf, type RouterRecord } from '../../model/router.ts';
import { addressGroupOf, ruleIdentity } from '../../model/security-group-rule.ts';
import type { Owned } from '../../model/standard-attributes.ts';
import type { Entry, StoreEvent } from '../../store/contract.ts';
import { RuleHits } from '../operator/rule-hits.ts';
import { NetworkHosts } from './network-hosts.ts';
import { type Row, Table } from './table.ts';

/** An address of a subnet that no port has any more. */
export type OnReleased = (subnet: string, address: string) => void;

/** None in records of before QoS. */
const qosPolicyIds = (user: { readonly qos_policy_id?: string | null }): readonly string[] => {
  const id = user.qos_policy_id ?? null;
  return id === null ? [] : [id];
};

type Keep = (key: string, id: string, entry: Entry | null) => void;

function keeperOf<R extends Owned, I extends string>(table: Table<R, I>): Keep {
  return (key, id, entry) => {
    if (entry === null) table.delete(id);
    else table.put(key, JSON.parse(entry.value) as R, entry.modRevision);
  };
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
    'name' | 'network' | 'device' | 'group' | 'mac' | 'ip' | 'subnet' | 'qos'
  >({
    name: (port) => [port.name],
    network: (port) => [port.network_id],
    device: (port) => [port.device_id],
    group: (port) => port.security_groups,
    mac: (port) => [`${port.network_id}/${port.mac_address}`],
    ip: (port) => port.fixed_ips.map((ip) => `${port.network_id}/${ip.ip_address}`),
    subnet: (port) => port.fixed_ips.map((ip) => ip.subnet_id),
    qos: qosPolicyIds,
  });
  readonly groups = new Table<SecurityGroupRecord, 'name'>({
    name: (group) => [group.name],
  });
  readonly rules = new Table<SecurityGroupRuleRecord, 'group' | 'remote' | 'addresses' | 'identity'>({
    group: (rule) => [rule.security_group_id],
    remote: (rule) => (rule.remote_group_id === null ? [] : [rule.remote_group_id]),
    addresses: (rule) => {
      const group = addressGroupOf(rule);
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
    port: portsOf,
  });
  /** By port. */
  readonly bindings = new Map<string, BindingRecord>();
  readonly networkHosts = new NetworkHosts();
  /** Keys of a port's link-local addresses. */
  readonly #linkLocals = new Map<string, { readonly port: string }>();
  readonly #linkLocalsOfPort = new Map<string, Set<string>>();
  readonly hosts = new Map<string, HostRecord>();
  /** When each was last written. */
  readonly hostRevisions = new Map<string, number>();
  /** By host. */
  readonly agentNotes = new Map<string, AgentNote>();
  /** By host, be its agent there or not. */
  readonly bridges = new Map<string, BridgeRecord>();
  readonly hits = new RuleHits();
  /** Project to its default group. */
  readonly defaultGroups = new Map<string, string>();
  readonly defaultGroupRules = new Table<DefaultGroupRuleRecord, never>({});
  readonly defaultStatefulness = new Table<DefaultStatefulnessRecord, never>({});
  /** Whether the store has had templates of rules, be they gone by now. */
  hasDefaultGroupRules = false;
  /** The id of the default external network. */
  defaultExternalNetwork: string | null = null;
  /** Project to the limits that it was given. */
  readonly quotas = new Map<string, Pick<Row<QuotaRecord>, 'key' | 'record' | 'modRevision'>>();
  /** Tables whose rows nothing else shows, by the first part of their keys; the second is the row's id. */
  readonly #plain: ReadonlyMap<string, Keep> = new Map([
    ['groups', keeperOf(this.groups)],
    ['qos', keeperOf(this.qosPolicies)],
    ['address-groups', keeperOf(this.addressGroups)],
    ['address-scopes', keeperOf(this.addressScopes)],
    ['routers', keeperOf(this.routers)],
    ['default-rules', keeperOf(this.defaultGroupRules)],
    ['default-statefulness', keeperOf(this.defaultStatefulness)],
  ]);
  readonly #onReleased: OnReleased;

  constructor(onReleased: OnReleased) {
    this.#onReleased = onReleased;
  }

  linkLocalKeys(port: string): ReadonlySet<string> {
    return this.#linkLocalsOfPort.get(port) ?? new Set();
  }

  apply(event: StoreEvent): void {
    const key = event.type === 'put' ? event.entry.key : event.key;
    const [kind = '', first = '', second = ''] = key.split('/');
    const entry = event.type === 'put' ? event.entry : null;
    const keep = this.#plain.get(kind);
    if (keep !== undefined) {
      keep(key, first, entry);
      return;
    }
    // What is found by more than its id, or shows in something else.
    switch (kind) {
      case 'networks':
        this.#applyNetwork(key, first, entry);
        break;
      case 'subnets':
        if (entry === null) this.subnets.delete(second);
        else this.subnets.put(key, JSON.parse(entry.value) as SubnetRecord, entry.modRevision);
        this.networks.outdate(first);
        break;
      case 'ports':
        this.#applyPort(key, second, entry);
        break;
      case 'rules':
        if (entry === null) this.rules.delete(second);
        else this.rules.put(key, JSON.parse(entry.value) as SecurityGroupRuleRecord, entry.modRevision);
        this.groups.outdate(first);
        break;
      case 'subnet-pools':
        if (entry === null) this.subnetPools.delete(first);
        else this.subnetPools.put(key, JSON.parse(entry.value) as SubnetPoolRecord, entry.modRevision);
        // Networks show the scopes of their subnets' pools.
        for (const { record } of this.subnets.by('pool', first)) this.networks.outdate(record.network_id);
        break;
      case 'rbac':
        this.#applyPolicy(key, first, entry);
        break;
      case 'bindings':
        this.#applyBinding(first, second, entry === null ? null : (JSON.parse(entry.value) as BindingRecord));
        break;
      case 'link-locals':
        this.#applyLinkLocal(key, entry === null ? null : (JSON.parse(entry.value) as LinkLocalRecord));
        break;
      case 'hosts':
        if (entry === null) this.hostRevisions.delete(first);
        else this.hostRevisions.set(first, entry.modRevision);
        this.#applyHost(first, entry === null ? null : (JSON.parse(entry.value) as HostRecord));
        break;
      case 'agent-notes':
        if (entry === null) this.agentNotes.delete(first);
        else this.agentNotes.set(first, JSON.parse(entry.value) as AgentNote);
        break;
      case 'bridges':
        if (entry === null) this.bridges.delete(first);
        else this.bridges.set(first, JSON.parse(entry.value) as BridgeRecord);
        this.ports.outdateAll();
        break;
      case 'planted':
        this.hasDefaultGroupRules = entry !== null;
        break;
      case 'default-external-network':
        this.defaultExternalNetwork = entry?.value ?? null;
        break;
      case 'quotas':
        this.#applyQuota(key, key.slice(kind.length + 1), entry);
        break;
      case 'default-groups':
        if (entry === null) this.defaultGroups.delete(key.slice(kind.length + 1));
        else this.defaultGroups.set(key.slice(kind.length + 1), entry.value);
        break;
      default:
        this.hits.apply(key, entry?.value ?? null);
    }
  }

  #applyNetwork(key: string, id: string, entry: Entry | null): void {
    if (entry === null) {
      this.networks.delete(id);
      return;
    }
    const after = JSON.parse(entry.value) as NetworkRecord;
    const before = this.networks.put(key, after, entry.modRevision);
    // Ports show their network's policy.
    if (before === null || qosPolicyIds(before)[0] === qosPolicyIds(after)[0]) return;
    for (const port of this.ports.by('network', id)) this.ports.outdate(port.record.id);
  }

  #applyPort(key: string, id: string, entry: Entry | null): void {
    const after = entry === null ? null : (JSON.parse(entry.value) as PortRecord);
    const before =
      after === null ? this.ports.delete(id) : this.ports.put(key, after, entry?.modRevision ?? 0);
    // Routers show where their gateways are.
    if (after?.device_owner === gatewayOwner) this.routers.outdate(after.device_id);
    if (before === null || before.fixed_ips.length === 0) return;
    const kept = new Set(after?.fixed_ips.map((ip) => ip.ip_address));
    for (const ip of before.fixed_ips) {
      if (!kept.has(ip.ip_address)) this.#onReleased(ip.subnet_id, ip.ip_address);
    }
  }

  #applyPolicy(
    key: string,
    id: string,
    entry: { readonly value: string; readonly modRevision: number } | null,
  ): void {
    const after = entry === null ? null : (JSON.parse(entry.value) as RbacPolicyRecord);
    const before =
      after === null
        ? this.rbacPolicies.delete(id)
        : this.rbacPolicies.put(key, after, entry?.modRevision ?? 0);
    const object = (after ?? before)?.object_id ?? '';
    const { networks, groups, addressGroups, qosPolicies, subnetPools, addressScopes } = this;
    for (const table of [networks, groups, addressGroups, qosPolicies, subnetPools, addressScopes])
      table.outdate(object);
  }

  #applyQuota(key: string, project: string, entry: Entry | null): void {
    if (entry === null) this.quotas.delete(project);
    else {
      const record = JSON.parse(entry.value) as QuotaRecord;
      this.quotas.set(project, { key, record, modRevision: entry.modRevision });
    }
  }

  #applyBinding(network: string, port: string, after: BindingRecord | null): void {
    const before = this.bindings.get(port) ?? null;
    if (after === null) this.bindings.delete(port);
    else this.bindings.set(port, after);
    this.ports.outdate(port);
    const moved = this.networkHosts.moved(network, before?.host ?? null, after?.host ?? null);
    // Networks show the zones of their hosts.
    if (moved) this.networks.outdate(network);
  }

  #applyHost(name: string, after: HostRecord | null): void {
    const before = this.hosts.get(name) ?? null;
    if (after === null) this.hosts.delete(name);
    else this.hosts.set(name, after);
    // A heartbeat is not seen in ports; that the host is there again is.
    const appeared = (before === null) !== (after === null);
    const revived = before !== null && after !== null && after.heartbeat - before.heartbeat >= before.ttl;
    if (appeared || revived) this.ports.outdateAll();
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
