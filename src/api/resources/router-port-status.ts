/**
 * Whether a router's ports carry packets. Nobody plugs them: each host routes for its own ports. So their status follows from
 * the hosts that have ports of the router's networks.
 */
import type { PortRecord } from '../../model/records.ts';
import { portsOfRouter, type RouterRecord } from '../../model/router.ts';
import type { State } from '../state/state.ts';
import { rowsOf } from './router-holds.ts';

/** Before its networks have a port on any host, each live host is ready to route. */
function isRouted(state: State, router: RouterRecord): boolean {
  let hosts = 0;
  for (const { record: port } of rowsOf(state, portsOfRouter(router)))
    for (const host of state.routingHosts.of(port.network_id)) {
      if (state.isLive(host)) return true;
      hosts += 1;
    }
  return hosts === 0 && state.liveHosts.length > 0;
}

export function statusOfRouterPort(state: State, router: RouterRecord, port: PortRecord): 'ACTIVE' | 'DOWN' {
  return router.admin_state_up && port.admin_state_up && isRouted(state, router) ? 'ACTIVE' : 'DOWN';
}
