/** Tunnels: packets from and to guests of other hosts. */
import { tunnelTypes } from '../../../model/vtep.ts';
import type { Feature } from '../../feature.ts';
import {
  arrivingSender,
  fromTunnelPort,
  peerFlows,
  routerSender,
  senderByKey,
  senderByMac,
  senderOfAnyMac,
  tunnelDefaults,
  unknownSender,
} from './tunnel-flows.ts';

export const tunnels: Feature = {
  defaults: tunnelDefaults,

  declare: ({ graph, facts, relations, ids, install }) => {
    const {
      peers,
      peersAt,
      remotes,
      arrivingRemotes,
      vxlanSenders,
      vxlanUnguarded,
      networkKeyOf,
      routerPorts,
    } = relations;
    install(graph.map('tunnel-port-flows', facts.tunnels, (_, ofport) => fromTunnelPort(ofport)));
    install(graph.map('peer-flows', peers, (_, all) => all.flatMap(peerFlows)));
    install(graph.map('sender-flows', remotes, (_, remote) => senderByKey(remote)));
    install(graph.map('arriving-sender-flows', arrivingRemotes, (_, remote) => arrivingSender(remote)));
    install(
      graph.map('router-sender-flows', routerPorts, (_, port, read) =>
        tunnelTypes.some((type) => read(facts.tunnels, type) !== undefined) ? routerSender(port) : undefined,
      ),
    );
    install(graph.map('vxlan-sender-flows', vxlanSenders, senderByMac));
    install(graph.map('vxlan-unguarded-flows', vxlanUnguarded, (_, ports) => senderOfAnyMac(ports)));
    install(
      graph.map('tunnelled-network-flows', networkKeyOf, (network, key, read) =>
        tunnelTypes.some((type) => read(facts.tunnels, type) !== undefined)
          ? unknownSender(network, key)
          : undefined,
      ),
    );
    graph.sink('host-ids', peersAt, (name, value) => {
      if (value === undefined) ids.hosts.release(name);
    });
  },
};
