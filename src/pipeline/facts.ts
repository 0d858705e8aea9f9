/** What the agent tells the pipeline, as inputs of its graph. Nothing is derived here. */
import type { Dataflow, Input } from '../base/dataflow.ts';
import type { NetworkKey, PortKey } from '../model/numbers.ts';
import type {
  AddressGroup,
  AddressGroupId,
  Group,
  GroupId,
  LinkLocal,
  Network,
  NetworkId,
  Port,
  PortId,
  QosPolicy,
  QosPolicyId,
  Rule,
  RuleId,
  Subnet,
  SubnetId,
} from '../policy/world.ts';
import type { Zone } from './zone.ts';

/** What the switch can do for the flows. */
export interface Abilities {
  /** The datapath can rewrite neighbour-discovery options, so the switch may answer solicitations. */
  readonly answersNd: boolean;
  /** Numbers that each kind of shared meter may use; 0 where the switch has no meters. */
  readonly meterSpread: number;
}

/** Until the switch has said more. */
export const noAbilities: Abilities = { answersNd: false, meterSpread: 0 };

export interface Facts {
  readonly networks: Input<NetworkId, Network>;
  readonly subnets: Input<SubnetId, Subnet>;
  readonly ports: Input<PortId, Port>;
  readonly groups: Input<GroupId, Group>;
  readonly rules: Input<RuleId, Rule>;
  readonly addressGroups: Input<AddressGroupId, AddressGroup>;
  readonly qosPolicies: Input<QosPolicyId, QosPolicy>;
  /** By `network|address`. */
  readonly linkLocals: Input<string, LinkLocal>;
  /** OpenFlow port number of each port that is plugged here. */
  readonly ofports: Input<PortId, number>;
  /** Keys of networks and of ports, those of other hosts included. */
  readonly networkKeys: Input<NetworkId, NetworkKey>;
  readonly portKeys: Input<PortId, PortKey>;
  /** Conntrack zone of each network that has ports here. */
  readonly zones: Input<NetworkId, Zone>;
  /** Meters that the switch does not give, by number. */
  readonly withheldMeters: Input<number, true>;
  readonly abilities: Input<'switch', Abilities>;
}

export function declareFacts(graph: Dataflow): Facts {
  return {
    networks: graph.input('networks'),
    subnets: graph.input('subnets'),
    ports: graph.input('ports'),
    groups: graph.input('groups'),
    rules: graph.input('rules'),
    addressGroups: graph.input('address-groups'),
    qosPolicies: graph.input('qos-policies'),
    linkLocals: graph.input('link-locals'),
    ofports: graph.input('ofports'),
    networkKeys: graph.input('network-keys'),
    portKeys: graph.input('port-keys'),
    zones: graph.input('zones'),
    withheldMeters: graph.input('withheld-meters'),
    abilities: graph.input(
      'abilities',
      (a, b) => a.answersNd === b.answersNd && a.meterSpread === b.meterSpread,
    ),
  };
}
