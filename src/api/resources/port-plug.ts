/**
 * How a host plugs a port, in the words that compute services read (`vif_type`, `vif_details`). Follows from what
 * the hosts say of themselves; knows nothing of requests.
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

/** Hosts whose next heartbeat is overdue. */
export const silentHosts =
  (state: State): SilentAt =>
  (host) => {
    const agent = state.hosts.get(host);
    return agent === undefined || state.liveness.isLive(agent) ? undefined : agent.heartbeat;
  };

type Wish = Pick<PortBinding, 'host' | 'vnic_type' | 'profile' | 'silent'>;

/** Whether the switch has such devices; a function of a card is one where the card leaves its frames to the switch. */
function canPlug({ vnic_type: kind, profile }: Wish): boolean {
  if (kind !== 'direct') return kind === 'normal' || kind === 'vdpa';
  const { capabilities } = profile;
  return Array.isArray(capabilities) && capabilities.includes('switchdev');
}

/**
 * At a host that has no agent, or had been `silent` since then when it was to bind the port, there is nothing to plug
 * into, nor where no agent has ever met its bridge. One that holds the port has an agent, even if that is just being
 * started again, and what it holds is plugged.
 */
export function plugAt(state: State, port: string, wish: Wish): VifPlug {
  const { host, silent } = wish;
  if (host === '') return unbound;
  const agent = state.hosts.get(host);
  const bridge = state.bridges.get(host);
  const absent = agent === undefined || agent.heartbeat === silent;
  if (bridge === undefined) return failed;
  if ((absent || !canPlug(wish)) && state.bindings.get(port)?.host !== host) return failed;
  return {
    vif_type: 'ovs',
    vif_details: {
      // Neither a hypervisor's own filter nor a Linux bridge for one is wanted.
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
  const plug = plugAt(state, port.id, {
    host: holderOf(port, held),
    vnic_type: port['binding:vnic_type'],
    profile: port['binding:profile'],
    silent: port.silent_host,
  });
  if (plug.vif_type !== 'ovs') return plug;
  return { ...plug, vif_details: { ...plug.vif_details, bound_drivers: { '0': 'openvswitch' } } };
}
