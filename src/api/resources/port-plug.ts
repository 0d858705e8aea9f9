/**
 * How a host plugs a port, in the attributes that compute services read (`vif_type`, `vif_details`). Follows from the
 * records of hosts and bridges.
 */
import { holderOf, type PortBinding, type SilentAt } from '../../model/port-binding.ts';
import type { PortRecord } from '../../model/records.ts';
import type { State } from '../state/state.ts';

export interface VifPlug {
  readonly vif_type: 'unbound' | 'ovs' | 'binding_failed';
  readonly vif_details: Readonly<Record<string, unknown>>;
}

const unbound: VifPlug = { vif_type: 'unbound', vif_details: {} };
const failed: VifPlug = { vif_type: 'binding_failed', vif_details: {} };

/** The revisions of the records of dead hosts. */
export const silentHosts =
  (state: State): SilentAt =>
  (host) =>
    state.isLive(host) ? undefined : state.hostRevisions.get(host);

type Wish = Pick<PortBinding, 'host' | 'vnic_type' | 'profile' | 'silent'>;

/** Whether the switch can have such a device. A card's function counts when the card is in switchdev mode. */
function canPlug({ vnic_type: kind, profile }: Wish): boolean {
  if (kind !== 'direct') return kind === 'normal' || kind === 'vdpa';
  const { capabilities } = profile;
  return Array.isArray(capabilities) && capabilities.includes('switchdev');
}

/** Whether the host has a bridge to the physical network that carries the port's network. */
function reaches(state: State, host: string, network: string): boolean {
  const provider = state.networks.get(network)?.record.provider;
  if (provider?.type !== 'flat' && provider?.type !== 'vlan') return true;
  return state.hosts.get(host)?.bridge_mappings?.[provider.physical_network] !== undefined;
}

/**
 * Binding fails where no agent has ever met its bridge. It also fails at a host whose agent is missing, or dead since the
 * port was to be bound there. Nor can a host without a mapping for the physical network bind it. A host that holds the port is an
 * exception: its agent is only restarting.
 */
export function plugAt(state: State, port: Pick<PortRecord, 'id' | 'network_id'>, wish: Wish): VifPlug {
  const { host, silent } = wish;
  if (host === '') return unbound;
  const revision = state.hostRevisions.get(host);
  const bridge = state.bridges.get(host);
  const absent = revision === undefined || (!state.isLive(host) && revision === silent);
  if (bridge === undefined) return failed;
  const isAble = !absent && canPlug(wish) && reaches(state, host, port.network_id);
  if (!isAble && state.bindings.get(port.id)?.host !== host) return failed;
  return {
    vif_type: 'ovs',
    vif_details: {
      // The hypervisor needs neither its own filter nor a Linux bridge.
      port_filter: true,
      ovs_hybrid_plug: false,
      connectivity: 'l2',
      bridge_name: bridge.bridge,
      datapath_type: bridge.datapath_type,
    },
  };
}

/** Of the active binding: the port itself also says what binds it. */
export function plugOfPort(state: State, port: PortRecord): VifPlug {
  const held = state.bindings.get(port.id);
  const plug = plugAt(state, port, {
    host: holderOf(port, held),
    vnic_type: port['binding:vnic_type'],
    profile: port['binding:profile'],
    silent: port.silent_host,
  });
  if (plug.vif_type !== 'ovs') return plug;
  return { ...plug, vif_details: { ...plug.vif_details, bound_drivers: { '0': 'openvswitch' } } };
}
