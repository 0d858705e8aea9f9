/**
 * How a host plugs a port, in the words that compute services read (`vif_type`, `vif_details`). Follows from what
 * the hosts say of themselves; knows nothing of requests.
 */
import type { State } from '../state/state.ts';

export interface Plug {
  readonly vif_type: 'unbound' | 'ovs' | 'binding_failed';
  readonly vif_details: Readonly<Record<string, unknown>>;
}

const unbound: Plug = { vif_type: 'unbound', vif_details: {} };
const failed: Plug = { vif_type: 'binding_failed', vif_details: {} };

/**
 * At a host that has no agent there is nothing to plug into. One that holds the port has one, even if it is just
 * being started again.
 */
export function plugAt(state: State, port: string, host: string): Plug {
  if (host === '') return unbound;
  const agent = state.hosts.get(host);
  if (agent === undefined && state.bindings.get(port)?.host !== host) return failed;
  return {
    vif_type: 'ovs',
    vif_details: {
      // Neither a hypervisor's own filter nor a Linux bridge for one is wanted.
      port_filter: true,
      ovs_hybrid_plug: false,
      connectivity: 'l2',
      bridge_name: agent?.bridge ?? 'br-int',
      datapath_type: agent?.datapath_type ?? 'system',
    },
  };
}

/** Of the active binding: the port itself also says what binds it. */
export function plugOfPort(state: State, port: string, host: string): Plug {
  const plug = plugAt(state, port, host);
  if (plug.vif_type !== 'ovs') return plug;
  return { ...plug, vif_details: { ...plug.vif_details, bound_drivers: { '0': 'openvswitch' } } };
}
