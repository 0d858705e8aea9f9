/** Networks: what creating, changing and removing one means for its subnets and ports. */

import type { networkScopeAttributes } from '../../model/address-scope.ts';
import type { Draft } from '../../model/attribute.ts';
import { checkHints, zoneOf } from '../../model/availability-zone.ts';
import { refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import {
  checkMtu,
  external,
  mtuFor,
  type NetworkDraft,
  networkAttributes,
  networkVerbs,
  newNetwork,
} from '../../model/network.ts';
import { checkProviderUpdate, providerOfNetwork, withoutProvider } from '../../model/provider.ts';
import type { NetworkRecord } from '../../model/records.ts';
import { isSharedWith } from '../../model/sharing.ts';
import { tagsOf } from '../../model/tags.ts';
import { type Filters, rowsById, rowsByIndex } from '../http/filters.ts';
import { type Context, ownerOf, type Resource } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { Row } from '../state/table.ts';
import { ensureDefaultGroup } from './default-group.ts';
import {
  closeToAll,
  isExternal,
  openToAll,
  requireOpenToAll,
  withDefault,
  withPolicies,
  writeDefault,
} from './external-networks.ts';
import { isDisposable, removePort } from './port-writes.ts';
import { admitNewQosPolicy, defaultQosPolicy, qosPolicyOf, writeQosPolicyUse } from './qos-policy-use.ts';
import { quotaLane, takeQuotaForEach } from './quota-use.ts';
import { isOpenTo, policiesOf, removePolicies, shareWithAll } from './sharing.ts';
import { removeSubnet } from './subnet-placing.ts';

export class Networks implements Resource<NetworkRecord> {
  readonly name = 'network';
  readonly collection = 'networks';
  readonly path = 'networks';
  readonly table = networkAttributes;
  readonly verbs = networkVerbs;
  readonly computed = {
    tags: tagsOf,
    [external]: isExternal,
    shared: (network: NetworkRecord, reader: Caller) => this.isShared(network, reader.project),
  };
  readonly isShared = (network: NetworkRecord, project: string): boolean =>
    isOpenTo(this.#context.view.state, network, project);
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  find(id: string): Row<NetworkRecord> | undefined {
    return this.#context.view.state.networks.get(id);
  }

  candidates(filters: Filters): Iterable<Row<NetworkRecord>> {
    const { networks } = this.#context.view.state;
    return (
      rowsById(filters, (id) => networks.get(id)) ??
      rowsByIndex(filters, 'name', (name) => networks.by('name', name)) ??
      rowsByIndex(filters, 'qos_policy_id', (policy) => networks.by('qos', policy)) ??
      rowsByIndex(filters, 'project_id', (project) => networks.of(project)) ??
      networks.all()
    );
  }

  missing(id: string) {
    return { code: 'NetworkNotFound', id } as const;
  }

  show(network: NetworkRecord, reader: Caller): Record<string, unknown> {
    const { state } = this.#context.view;
    return {
      ...network,
      shared: this.isShared(network, reader.project),
      tags: tagsOf(network),
      [external]: isExternal(network),
      ...(isExternal(network) ? { is_default: network.is_default ?? false } : {}),
      ...providerOfNetwork,
      tenant_id: network.project_id,
      status: 'ACTIVE',
      qos_policy_id: qosPolicyOf(network),
      subnets: [...state.subnets.by('network', network.id)].map((row) => row.record.id),
      availability_zone_hints: network.availability_zone_hints ?? [],
      ...this.#scopesOf(network.id),
      availability_zones: this.#zonesOf(network.id),
    };
  }

  lane(draft: Draft, caller: Caller): string {
    return quotaLane(ownerOf(draft, caller));
  }

  create(change: Change, drafts: readonly Draft[], caller: Caller): readonly NetworkRecord[] {
    takeQuotaForEach(
      change,
      this.#context,
      'network',
      drafts.map((draft) => ownerOf(draft, caller)),
    );
    return drafts.map((draft) => {
      const birth = { id: this.#context.newId(), project: ownerOf(draft, caller), now: change.now };
      const { state } = this.#context.view;
      const asked = draft as unknown as NetworkDraft;
      admitNewQosPolicy(change, state, caller, null, asked);
      const policy = asked.qos_policy_id ?? defaultQosPolicy(state, birth.project);
      checkHints(asked.availability_zone_hints, state.hosts.values());
      const mtu = mtuFor(asked.mtu, this.#context.mtu);
      const network = newNetwork(birth, { ...asked, mtu, qos_policy_id: policy });
      ensureDefaultGroup(change, this.#context, birth.project);
      this.#write(change, null, network);
      if (isExternal(network)) openToAll(change, this.#context.newId, network);
      if (network.shared) shareWithAll(change, this.#context, 'network', network);
      return network;
    });
  }

  update(change: Change, row: Row<NetworkRecord>, draft: Draft, caller: Caller): NetworkRecord {
    const before = row.record;
    checkProviderUpdate(draft);
    const {
      [external]: leadsOut,
      is_default: preferred,
      ...plain
    } = withoutProvider(draft as Partial<NetworkDraft>);
    const mtu = plain.mtu === undefined ? before.mtu : mtuFor(plain.mtu, this.#context.mtu);
    const after = { ...before, ...plain, mtu };
    admitNewQosPolicy(change, this.#context.view.state, caller, before, after);
    if (plain.mtu !== undefined) {
      // A subnet that comes meanwhile is a revision of the network.
      for (const row of this.#context.view.state.subnets.by('network', before.id))
        checkMtu(after, row.record.ip_version);
    }
    if (draft['shared'] === false) this.#unshare(change, before);
    if (draft['shared'] === true && !before.shared) shareWithAll(change, this.#context, 'network', before);
    const led = this.#lead(change, before, after, leadsOut);
    if (preferred === undefined) return led;
    // One that begins to lead out is opened to all by that.
    if (preferred && isExternal(before) && isExternal(led))
      requireOpenToAll(this.#context.view.state, before.id);
    return withDefault(led, preferred);
  }

  write(change: Change, before: NetworkRecord, after: NetworkRecord): void {
    this.#write(change, before, after);
  }

  remove(change: Change, row: Row<NetworkRecord>): void {
    const { id } = row.record;
    const { ports, subnets } = this.#context.view.state;
    const portRows = [...ports.by('network', id)];
    const used = portRows.filter((port) => !isDisposable(port.record));
    if (used.length > 0) refuse({ code: 'NetworkInUse', id, ports: used.map((port) => port.record.id) });
    change.requireQuiet(keys.port(id, ''));
    change.requireQuiet(keys.subnet(id, ''));
    for (const port of portRows) {
      change.requireUnchanged(port);
      removePort(change, this.#context, port.record);
    }
    for (const subnet of subnets.by('network', id)) removeSubnet(change, subnet.record);
    writeQosPolicyUse(change, row.record, null);
    writeDefault(change, this.#context.view.state, row.record, null);
    removePolicies(change, this.#context.view.state, id);
    change.remove(row.key);
  }

  /** Its subnets of one family are of pools of one scope, or of none. */
  #scopesOf(network: string): Readonly<Record<keyof typeof networkScopeAttributes, string | null>> {
    const { subnets, subnetPools } = this.#context.view.state;
    const scopes = { ipv4_address_scope: null as string | null, ipv6_address_scope: null as string | null };
    for (const { record } of subnets.by('network', network)) {
      const pool = subnetPools.get(record.subnetpool_id ?? '')?.record;
      if (pool?.ip_version === 4) scopes.ipv4_address_scope = pool.address_scope_id;
      if (pool?.ip_version === 6) scopes.ipv6_address_scope = pool.address_scope_id;
    }
    return scopes;
  }

  #zonesOf(network: string): readonly string[] {
    const { hosts, networkHosts } = this.#context.view.state;
    const zones = [...networkHosts.of(network)].flatMap((name) => {
      const host = hosts.get(name);
      return host === undefined ? [] : [zoneOf(host)];
    });
    return [...new Set(zones)].sort();
  }

  /** Out of the cloud or not, when the request says. */
  #lead(
    change: Change,
    before: NetworkRecord,
    after: NetworkRecord,
    out: boolean | undefined,
  ): NetworkRecord {
    if (out === undefined || out === isExternal(before)) return after;
    if (out) {
      openToAll(change, this.#context.newId, before);
      return { ...after, [external]: true };
    }
    closeToAll(change, this.#context.view.state, before.id);
    return withPolicies(after, []);
  }

  #write(change: Change, before: NetworkRecord | null, after: NetworkRecord): void {
    change.put(keys.network(after.id), after);
    writeQosPolicyUse(change, before, after);
    writeDefault(change, this.#context.view.state, before, after);
  }

  /** Shared with all, by attribute or by policy, it is no more; projects that a policy names stay. */
  #unshare(change: Change, network: NetworkRecord): void {
    const { state } = this.#context.view;
    const open = [...state.rbacPolicies.by('object', network.id)].filter(
      ({ record }) => record.action === 'access_as_shared' && record.target_tenant === '*',
    );
    if (!network.shared && open.length === 0) return;
    for (const row of open) {
      change.replace(row);
      change.remove(row.key);
    }
    change.requireQuiet(keys.port(network.id, ''));
    const policies = policiesOf(state, network.id).filter((policy) => policy.target_tenant !== '*');
    for (const { record } of state.ports.by('network', network.id)) {
      if (record.project_id !== network.project_id && !isSharedWith(record.project_id, policies))
        refuse({ code: 'InvalidSharedSetting', name: network.name });
    }
  }
}
