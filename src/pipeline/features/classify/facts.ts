/** Facts of networks and ports, and of the ports that are plugged into this host. */
import type { Dataflow, Input } from '../../../base/dataflow.ts';
import type { NetworkKey, PortKey } from '../../../model/numbers.ts';
import type { Network, NetworkId, Port, PortId, Subnet, SubnetId } from '../../../policy/world.ts';
import type { Zone } from '../../zone.ts';

export interface ClassifyFacts {
  readonly networks: Input<NetworkId, Network>;
  readonly subnets: Input<SubnetId, Subnet>;
  readonly ports: Input<PortId, Port>;
  /** OpenFlow port number of each port that is plugged here. */
  readonly ofports: Input<PortId, number>;
  /** Keys of networks and of ports, those of other hosts included. */
  readonly networkKeys: Input<NetworkId, NetworkKey>;
  readonly portKeys: Input<PortId, PortKey>;
  /** Conntrack zone of each network that has ports here. */
  readonly zones: Input<NetworkId, Zone>;
}

export const declareClassifyFacts = (graph: Dataflow): ClassifyFacts => ({
  networks: graph.input('networks'),
  subnets: graph.input('subnets'),
  ports: graph.input('ports'),
  ofports: graph.input('ofports'),
  networkKeys: graph.input('network-keys'),
  portKeys: graph.input('port-keys'),
  zones: graph.input('zones'),
});
