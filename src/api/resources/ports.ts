/** Ports: addresses, groups and port security of a new or changed one, and what a reader sees of its binding. */

import { pairsBody, pairsOfBody, resolvePairs, withoutPairs, withPairs } from '../../model/address-pairs.ts';
import { type DhcpOptionDraft, withDhcpOptions } from '../../model/dhcp-options.ts';
import { refuse } from '../../model/faults.ts';
import { isIsolated, roleOf, shownRole } from '../../model/isolation.ts';
import { keys } from '../../model/keys.ts';
import { type PortDraft, type PortPatch, portAttributes, portVerbs } from '../../model/port.ts';
import { holderOf, statusOf, withoutBindingNotes, withSettledBindings } from '../../model/port-binding.ts';
import { checkGuardOfChange, groupsOfNewPort, guardOfNewPort } from '../../model/port-guard.ts';
import { notesOf, profileWith, shownNotes } from '../../model/port-notes.ts';
import { qosPolicyIdOf } from '../../model/qos-policy.ts';
import type { FixedIp, PortRecord } from '../../model/records.ts';
import { type Birth, born } from '../../model/standard-attributes.ts';
import { isAutoAddressed } from '../../model/subnet.ts';
import { tagsOf, withTags } from '../../model/tags.ts';
import { type Capabilities, ownerOf, type ResourceAction } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import { type Change, macClaim } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { IndexNames, Row } from '../state/table.ts';
import { admit } from './admission.ts';
import { ensureDefaultGroup } from './default-group.ts';
import { allocatePortKey } from './number-allocation.ts';
import { checkPairs } from './pair-rules.ts';
import { PortAddresses, requireKnownSubnets } from './port-addresses.ts';
import { plugOfPort, silentHosts } from './port-plug.ts';
import { removePortRecord, writePort } from './port-writes.ts';
import { admitNewQosPolicy } from './qos-policy-use.ts';
import { checkDevice, checkMove, releaseFromRouter } from './router-holds.ts';
import { statusOfRouterPort } from './router-port-status.ts';
import { StoredResource } from './stored-resource.ts';

/** Nobody can say what a dead host's switch has. */
function shownStatus(state: State, port: PortRecord): 'ACTIVE' | 'DOWN' {
  const [router] = state.routers.by('port', port.id);
  if (router !== undefined) return statusOfRouterPort(state, router.record, port);
  const held = state.bindings.get(port.id);
  return held !== undefined && state.isLive(held.host) ? statusOf(port, held) : 'DOWN';
}

export class Ports extends StoredResource<PortRecord, typeof portAttributes, IndexNames<State['ports']>> {
  override readonly name = 'port';
  override readonly collection = 'ports';
  override readonly path = 'ports';
  override readonly table = portAttributes;
  override readonly verbs = portVerbs;
  protected override readonly missingCode = 'PortNotFound';
  protected override readonly rowsIn = (state: State) => state.ports;
  protected override readonly indexes = {
    device_id: 'device',
    name: 'name',
    security_groups: 'group',
    qos_policy_id: 'qos',
    network_id: 'network',
  } as const;
  protected override readonly ofParent = 'network';
  override readonly capabilities: Capabilities<PortRecord, typeof portAttributes> = {
    update: (change, { record }, patch, caller) => this.#updated(change, record, patch, caller),
    actions: {
      add_allowed_address_pairs: this.#pairAction('Adds allowed address pairs; others stay', withPairs),
      remove_allowed_address_pairs: this.#pairAction(
        'Removes allowed address pairs; others stay',
        withoutPairs,
      ),
    },
    tags: {},
    parent: { type: 'network', attribute: 'network_id' },
    quota: { counts: 'port', batched: true },
    computed: {
      ip_allocation: allocationOf,
      'binding:host_id': (port) => holderOf(port, this.state.bindings.get(port.id)),
    },
  };

  override show(port: PortRecord) {
    const { state } = this;
    const held = state.bindings.get(port.id);
    const plug = plugOfPort(state, port);
    const { key: _key, role: _role, ...shown } = withoutBindingNotes(port);
    return {
      ...shown,
      ...shownRole(state.networks.get(port.network_id)?.record, port),
      ...shownNotes(port),
      tags: tagsOf(port),
      extra_dhcp_opts: port.extra_dhcp_opts ?? [],
      ip_allocation: allocationOf(port),
      tenant_id: port.project_id,
      status: shownStatus(state, port),
      qos_policy_id: qosPolicyIdOf(port),
      qos_network_policy_id: qosPolicyIdOf(state.networks.get(port.network_id)?.record),
      'binding:host_id': holderOf(port, held),
      'binding:profile': profileWith(port['binding:profile'], port),
      'binding:vif_type': plug.vif_type,
      'binding:vif_details': plug.vif_details,
    };
  }

  override create(change: Change, drafts: readonly PortDraft[], caller: Caller): readonly PortRecord[] {
    for (const draft of drafts)
      checkDevice(this.state, caller, null, { ...draft, project_id: ownerOf(draft, caller) });
    // Named addresses of the whole request are claimed before any is chosen freely.
    const inOrder = drafts
      .map((draft, at) => ({ draft, at }))
      .sort((a, b) => namesAddresses(b.draft) - namesAddresses(a.draft));
    const created: PortRecord[] = [];
    for (const { draft, at } of inOrder)
      created[at] = this.createOne(change, draft, this.birthOf(change, draft, caller), caller);
    return created;
  }

  #updated(change: Change, before: PortRecord, patch: PortPatch, caller: Caller): PortRecord {
    const {
      allowed_address_pairs: pairs,
      fixed_ips: asked,
      extra_dhcp_opts: options,
      mac_address: wantedMac,
      pvlan_type: type,
      pvlan_community: community,
      ...plain
    } = patch;
    const mac =
      wantedMac === null
        ? this.context.addresses.newMac(change, before.network_id)
        : (wantedMac ?? before.mac_address);
    if (mac !== before.mac_address) this.#takeMac(change, before, mac);
    const updated: PortRecord = {
      ...before,
      ...plain,
      mac_address: mac,
      ...dhcpOptions(before, options ?? []),
      allowed_address_pairs: pairs === undefined ? before.allowed_address_pairs : resolvePairs(pairs, mac),
    };
    const merged = withSettledBindings(before, updated, silentHosts(this.state));
    checkDevice(this.state, caller, before, merged);
    this.#admitGroups(change, caller, before.security_groups, patch.security_groups ?? []);
    admitNewQosPolicy(change, this.state, caller, before, merged);
    requireKnownSubnets(this.state, caller, before.network_id, asked ?? []);
    const addressed = { ...merged, fixed_ips: this.#newAddresses(change, before, merged, asked) };
    checkMove(change, this.state, before, addressed);
    if (pairs !== undefined) this.#checkPairs(addressed);
    const guarded = checkGuardOfChange(before, patch, addressed);
    this.#keepTracking(change, before.security_groups, guarded.security_groups);
    return this.#withRole(change, guarded, { pvlan_type: type, pvlan_community: community });
  }

  override write(change: Change, before: Row<PortRecord>, after: PortRecord): void {
    writePort(change, before.record, after);
  }

  override remove(change: Change, row: Row<PortRecord>): void {
    releaseFromRouter(change, this.state, row.record);
    removePortRecord(change, this.context, row.record);
  }

  /** Takes no quota. */
  override createOne(change: Change, draft: PortDraft, birth: Birth, caller: Caller): PortRecord {
    const { addresses, view } = this.context;
    const network = view.state.networks.get(draft.network_id);
    if (network === undefined) return refuse({ code: 'NetworkNotFound', id: draft.network_id });
    change.requirePresent(network.key);
    admit(change, view.state, caller, 'network', draft.network_id);
    admitNewQosPolicy(change, view.state, caller, null, draft);
    requireKnownSubnets(view.state, caller, draft.network_id, draft.fixed_ips ?? []);
    const guard = guardOfNewPort(draft, network.record);
    const choice = groupsOfNewPort(draft, guard.port_security_enabled);
    if (choice !== 'default') this.#admitGroups(change, caller, [], choice);
    const mac = draft.mac_address ?? addresses.newMac(change, network.record.id);
    this.#claimMac(change, network.record.id, mac);
    const identity = { network_id: network.record.id, mac_address: mac, device_owner: draft.device_owner };
    const chooser = new PortAddresses(this.context, change, identity, []);
    // A new subnet would change the choice of addresses.
    change.requireQuiet(keys.subnet.under(network.record.id));
    const untagged: PortRecord = {
      ...born(birth, draft.description),
      name: draft.name,
      ...identity,
      key: allocatePortKey(change, view.state, { id: birth.id, network_id: network.record.id }),
      admin_state_up: draft.admin_state_up,
      fixed_ips: draft.fixed_ips === undefined ? chooser.chooseAll() : chooser.resolve(draft.fixed_ips),
      device_id: draft.device_id,
      security_groups:
        choice === 'default' ? [ensureDefaultGroup(change, this.context, birth.project)] : choice,
      allowed_address_pairs: resolvePairs(draft.allowed_address_pairs, mac),
      ...guard,
      'binding:host_id': draft['binding:host_id'],
      'binding:vnic_type': draft['binding:vnic_type'],
      'binding:profile': draft['binding:profile'],
      qos_policy_id: draft.qos_policy_id,
      ...notesOf(draft),
      ...dhcpOptions({}, draft.extra_dhcp_opts),
      ...(draft.fixed_ips?.length === 0 ? { ip_allocation: 'none' } : {}),
    };
    const tagged = withTags(this.name, untagged, draft.tags);
    const settled = withSettledBindings(null, tagged, silentHosts(view.state));
    const port = this.#withRole(change, settled, draft);
    this.#checkPairs(port);
    this.#keepTracking(change, [], port.security_groups);
    writePort(change, null, port);
    return port;
  }

  /** The network says what roles mean: it must not change meanwhile where the port gets one. */
  #withRole(change: Change, port: PortRecord, asked: Parameters<typeof roleOf>[3]): PortRecord {
    const network = this.state.networks.get(port.network_id);
    if (network === undefined) return port;
    const role = roleOf(network.record, port, port.role, asked);
    if (isIsolated(network.record)) change.requireUnchanged(network);
    return role === undefined ? port : { ...port, role };
  }

  #pairAction(summary: string, joined: typeof withPairs): ResourceAction<PortRecord> {
    return {
      body: pairsBody,
      summary,
      changes: (body) => ({ allowed_address_pairs: pairsOfBody(body) }),
      run: (change, { record }, body, caller) => {
        const pairs = joined(record.allowed_address_pairs, pairsOfBody(body), record.mac_address);
        return { record: this.#updated(change, record, { allowed_address_pairs: pairs }, caller) };
      },
    };
  }

  #checkPairs(port: PortRecord): void {
    checkPairs(this.state, port, this.context.strictPairs);
  }

  /** Groups that the port has already need no admission. */
  #admitGroups(change: Change, caller: Caller, held: readonly string[], ids: readonly string[]): void {
    const { state } = this.context.view;
    for (const id of ids) if (!held.includes(id)) admit(change, state, caller, 'security_group', id);
  }

  /** A port's groups are all stateful or all stateless. Makes it a condition of the change. */
  #keepTracking(change: Change, held: readonly string[], groups: readonly string[]): void {
    // A group in use cannot change its statefulness, and a single group needs no check.
    const gained = groups.filter((id) => !held.includes(id));
    if (groups.length < 2 || gained.length === 0) return;
    const stateful = (id: string): boolean => this.state.groups.get(id)?.record.stateful ?? true;
    if (new Set(groups.map(stateful)).size > 1) {
      const reason =
        'Cannot apply both stateful and stateless security groups on the same port at the same time';
      refuse({ code: 'SecurityGroupConflict', reason });
    }
    for (const id of gained) {
      if (stateful(id)) change.requireAbsent(keys.statelessGroup(id));
      else change.requirePresent(keys.statelessGroup(id));
    }
  }

  #claimMac(change: Change, network: string, mac: string): void {
    const taken = this.state.ports.by('mac', `${network}/${mac}`).size > 0;
    if (taken || !change.claim(macClaim(network, mac))) refuse({ code: 'MacAddressInUse', network, mac });
  }

  #takeMac(change: Change, before: PortRecord, mac: string): void {
    if (plugOfPort(this.state, before).vif_type === 'ovs') {
      refuse({ code: 'PortBound', port: before.id, oldMac: before.mac_address, newMac: mac });
    }
    this.#claimMac(change, before.network_id, mac);
  }

  /** Addresses that the MAC determines follow a new MAC; the others stay unless the request lists them. */
  #newAddresses(
    change: Change,
    before: PortRecord,
    after: PortRecord,
    asked: PortPatch['fixed_ips'],
  ): readonly FixedIp[] {
    const moved = after.mac_address !== before.mac_address;
    if (asked === undefined && !moved) return before.fixed_ips;
    const automatic = (subnet: string | undefined): boolean => {
      const record = this.state.subnets.get(subnet ?? '')?.record;
      return record !== undefined && isAutoAddressed(record);
    };
    const own = moved ? before.fixed_ips.filter((ip) => !automatic(ip.subnet_id)) : before.fixed_ips;
    const wanted =
      asked ?? before.fixed_ips.map((ip) => (automatic(ip.subnet_id) ? { subnet_id: ip.subnet_id } : ip));
    return new PortAddresses(this.context, change, after, own).resolve(wanted);
  }
}

const namesAddresses = (draft: PortDraft): number =>
  Number(draft.fixed_ips?.some((ip) => ip.ip_address !== undefined) ?? false);

const allocationOf = (port: PortRecord): string => port.ip_allocation ?? 'immediate';

/** The options that the port has from now on; nothing when it never had any. */
function dhcpOptions(
  before: Pick<PortRecord, 'extra_dhcp_opts'>,
  asked: readonly DhcpOptionDraft[],
): Pick<PortRecord, 'extra_dhcp_opts'> {
  const options = withDhcpOptions(before.extra_dhcp_opts ?? [], asked);
  return options.length === 0 && before.extra_dhcp_opts === undefined ? {} : { extra_dhcp_opts: options };
}
