/** What the agent tells about tunnels. */
import type { Dataflow, Input } from '../../../base/dataflow.ts';
import type { TunnelType, Vtep } from '../../../model/vtep.ts';
import { sameIp } from '../../../policy/identity.ts';

export interface TunnelFacts {
  /** Tunnel endpoint of each host that has one, this host included. */
  readonly vteps: Input<string, Vtep>;
  /** OpenFlow port number of each tunnel port here. */
  readonly tunnels: Input<TunnelType, number>;
}

const isSameVtep = (a: Vtep, b: Vtep): boolean =>
  sameIp(a.address, b.address) && a.types.join() === b.types.join();

export const declareTunnelFacts = (graph: Dataflow): TunnelFacts => ({
  vteps: graph.input('vteps', isSameVtep),
  tunnels: graph.input('tunnels'),
});
