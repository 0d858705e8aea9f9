/** Networks: what creating, changing and removing one means for its subnets and ports. */

import type { networkScopeAttributes } from '../../model/address-scope.ts';
import { checkHints, zoneOf } from '../../model/availability-zone.ts';
import { refuse } from '../../model/faults.ts';
import { isolationOf, roleOf, shownNetworkIsolation, withoutIsolation } from '../../model/isolation.ts';
import { keys } from '../../model/keys.ts';
import {
  checkMtu,
  external,
  mtuFor,
  type NetworkDraft,
  type NetworkPatch,
  networkAttributes,
  networkVerbs,
  newNetwork,
} from '../../model/network.ts';
import {
  askedSegment,
  askedVlanChange,
  networkType,
  physicalNetwork,
  segmentationId,
  shownProvider,
  withoutProvider,
} from '../../model/provider.ts';
import { qosPolicyIdOf } from '../../model/qos-policy.ts';
import type { NetworkRecord } from '../../model/records.ts';
import { maxMtuOf } from '../../model/segments.ts';
import { isSharedWith } from '../../model/sharing.ts';
import { type Birth, touched } from '../../model/standard-attributes.ts';
import type { Capabilities } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { IndexNames, Row } from '../state/table.ts';
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
import { isDisposable, removePortRecord, writePort } from './port-writes.ts';
import { admitNewQosPolicy, defaultQosPolicy, writeQosPolicyUse } from './qos-policy-use.ts';
import { allocateSegment, moveToVlan, releaseSegment } from './segment-allocation.ts';
import { policiesOf, removePolicies, shareWithAll } from './sharing.ts';
import { StoredResource } from './stored-resource.ts';
import { removeSubnet } from './subnet-placing.ts';

export class Networks extends StoredResource<
  NetworkRecord,
  typeof networkAttributes,
  IndexNames<State['networks']>
> {
  override readonly name = 'network';
  override readonly collection = 'networks';
  override readonly path = 'networks';
  override readonly table = networkAttributes;
  override readonly verbs = networkVerbs;
  protected override readonly missingCode = 'NetworkNotFound';
  protected override readonly rowsIn = (state: State) => state.networks;
  protected override readonly indexes = { name: 'name', qos_policy_id: 'qos' } as const;
  override readonly capabilities: Capabilities<NetworkRecord, typeof networkAttributes> = {
    update: (change, { record }, patch, caller) => this.#updated(change, record, patch, caller),
    tags: {},
    sharing: this.byPolicies,
    quota: { counts: 'network', batched: true },
    computed: {
      [external]: isExternal,
      ...Object.fromEntries(
        ([networkType, physicalNetwork, segmentationId] as const).map((name) => [
          name,
          (network: NetworkRecord) => shownProvider(network)[name],
        ]),
      ),
    },
  };

  override show(network: NetworkRecord, reader: Caller) {
    const { subnets } = this.state;
    const { vni: _vni, provider: _provider, ...shown } = super.show(network, reader);
    return {
      ...withoutIsolation(shown),
      ...shownNetworkIsolation(network),
      [external]: isExternal(network),
      ...(isExternal(network) ? { is_default: network.is_default ?? false } : {}),
      ...shownProvider(network),
      address_pairs_forwarding: network.address_pairs_forwarding ?? 'detect',
      status: 'ACTIVE',
      qos_policy_id: qosPolicyIdOf(network),
      subnets: [...subnets.by('network', network.id)].map((row) => row.record.id),
      availability_zone_hints: network.availability_zone_hints ?? [],
      ...this.#scopesOf(network.id),
      availability_zones: this.#zonesOf(network.id),
    };
  }

  protected override createOne(
    change: Change,
    draft: NetworkDraft,
    birth: Birth,
    caller: Caller,
  ): NetworkRecord {
    const { context, state } = this;
    admitNewQosPolicy(change, state, caller, null, draft);
    const policy = draft.qos_policy_id ?? defaultQosPolicy(state, birth.project);
    checkHints(draft.availability_zone_hints, state.hosts.values());
    const rules = context.segments;
    const asked = askedSegment(draft, rules);
    const carriage = allocateSegment({ change, state, rules, id: birth.id }, asked);
    const mtu = mtuFor(draft.mtu, maxMtuOf(carriage.provider, context.mtu, rules));
    const network = newNetwork(birth, carriage, {
      ...draft,
      mtu,
      qos_policy_id: policy,
      address_pairs_forwarding: draft.address_pairs_forwarding ?? context.pairForwarding,
    });
    ensureDefaultGroup(change, context, birth.project);
    this.#write(change, null, network);
    if (isExternal(network)) openToAll(change, context.newId, network);
    if (network.shared) shareWithAll(change, context, 'network', network);
    return network;
  }

  #updated(change: Change, before: NetworkRecord, patch: NetworkPatch, caller: Caller): NetworkRecord {
    const vlan = askedVlanChange(before, patch);
    const {
      [external]: leadsOut,
      is_default: preferred,
      isolated,
      pvlan,
      isolated_hairpin: hairpin,
      physical_promiscuous: trusts,
      ...plain
    } = withoutProvider(patch);
    const { context, state } = this;
    const maxMtu = maxMtuOf(before.provider, context.mtu, context.segments);
    const mtu = plain.mtu === undefined ? before.mtu : mtuFor(plain.mtu, maxMtu);
    const moved = vlan === null ? before : moveToVlan(change, state, before, vlan);
    const settled = { ...moved, ...plain, mtu };
    const asked = { isolated, pvlan, isolated_hairpin: hairpin, physical_promiscuous: trusts };
    const after: NetworkRecord = { ...withoutIsolation(settled), ...isolationOf(settled, asked) };
    if (after.pvlan === true && before.pvlan !== true) this.#makePromiscuous(change, after);
    admitNewQosPolicy(change, this.state, caller, before, after);
    if (plain.mtu !== undefined) {
      // A new subnet would be a revision of the network, and the change would lose the race.
      for (const row of this.state.subnets.by('network', before.id)) checkMtu(after, row.record.ip_version);
    }
    if (patch.shared === false) this.#unshare(change, before);
    if (patch.shared === true && !before.shared) shareWithAll(change, this.context, 'network', before);
    const led = this.#lead(change, before, after, leadsOut);
    if (preferred === undefined) return led;
    // A network that becomes external is opened to all by that.
    if (preferred && isExternal(before) && isExternal(led)) requireOpenToAll(this.state, before.id);
    return withDefault(led, preferred);
  }

  override write(change: Change, before: Row<NetworkRecord>, after: NetworkRecord): void {
    this.#write(change, before.record, after);
  }

  override remove(change: Change, row: Row<NetworkRecord>): void {
    const { id } = row.record;
    const { ports, subnets } = this.state;
    const portRows = [...ports.by('network', id)];
    const used = portRows.filter((port) => !isDisposable(port.record));
    if (used.length > 0) refuse({ code: 'NetworkInUse', id, ports: used.map((port) => port.record.id) });
    change.requireQuiet(keys.port.under(id));
    change.requireQuiet(keys.subnet.under(id));
    for (const port of portRows) {
      change.requireUnchanged(port);
      removePortRecord(change, this.context, port.record);
    }
    for (const subnet of subnets.by('network', id)) removeSubnet(change, subnet.record);
    writeQosPolicyUse(change, row.record, null);
    writeDefault(change, this.state, row.record, null);
    removePolicies(change, this.state, id);
    change.remove(keys.networkKey(String(row.record.vni)));
    releaseSegment(change, row.record);
    change.remove(row.key);
  }

  /** With `pvlan`, ports that have no role are promiscuous. */
  #makePromiscuous(change: Change, network: NetworkRecord): void {
    change.requireQuiet(keys.port.under(network.id));
    for (const row of this.state.ports.by('network', network.id)) {
      const role = roleOf(network, row.record, row.record.role, {});
      if (role === undefined || row.record.role !== undefined) continue;
      change.requireUnchanged(row);
      writePort(change, row.record, touched({ ...row.record, role }, change.now));
    }
  }

  /** All its subnets of one family come from pools of one scope, or from none. */
  #scopesOf(network: string): Readonly<Record<keyof typeof networkScopeAttributes, string | null>> {
    const { subnets, subnetPools } = this.state;
    const scopes = { ipv4_address_scope: null as string | null, ipv6_address_scope: null as string | null };
    for (const { record } of subnets.by('network', network)) {
      const pool = subnetPools.get(record.subnetpool_id ?? '')?.record;
      if (pool?.ip_version === 4) scopes.ipv4_address_scope = pool.address_scope_id;
      if (pool?.ip_version === 6) scopes.ipv6_address_scope = pool.address_scope_id;
    }
    return scopes;
  }

  #zonesOf(network: string): readonly string[] {
    const { hosts, networkHosts } = this.state;
    const zones = [...networkHosts.of(network)].flatMap((name) => {
      const host = hosts.get(name);
      return host === undefined ? [] : [zoneOf(host)];
    });
    return [...new Set(zones)].sort();
  }

  /** Makes it external or internal, when the request says so. */
  #lead(
    change: Change,
    before: NetworkRecord,
    after: NetworkRecord,
    out: boolean | undefined,
  ): NetworkRecord {
    if (out === undefined || out === isExternal(before)) return after;
    if (out) {
      openToAll(change, this.context.newId, before);
      return { ...after, [external]: true };
    }
    closeToAll(change, this.state, before.id);
    return withPolicies(after, []);
  }

  #write(change: Change, before: NetworkRecord | null, after: NetworkRecord): void {
    change.put(keys.network(after.id), after);
    writeQosPolicyUse(change, before, after);
    writeDefault(change, this.state, before, after);
  }

  /** Ends the sharing with all projects, by attribute and by policy. Projects that a policy names keep their access. */
  #unshare(change: Change, network: NetworkRecord): void {
    const { state } = this;
    const open = [...state.rbacPolicies.by('object', network.id)].filter(
      ({ record }) => record.action === 'access_as_shared' && record.target_tenant === '*',
    );
    if (!network.shared && open.length === 0) return;
    for (const row of open) {
      change.replace(row);
      change.remove(row.key);
    }
    change.requireQuiet(keys.port.under(network.id));
    const policies = policiesOf(state, network.id).filter((policy) => policy.target_tenant !== '*');
    for (const { record } of state.ports.by('network', network.id)) {
      if (record.project_id !== network.project_id && !isSharedWith(record.project_id, policies))
        refuse({ code: 'InvalidSharedSetting', name: network.name });
    }
  }
}
