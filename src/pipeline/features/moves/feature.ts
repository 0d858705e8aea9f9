/** Ports that move between hosts: the target has their flows before they come, and an announcement moves them at once. */
import type { Feature } from '../../feature.ts';
import { moveDefaults, receiverFlows, senderFlows, senderFlowsFromTunnel } from './move-flows.ts';

export const moves: Feature = {
  defaults: moveDefaults,
  ofPort: (local) => (local.moving === undefined || !local.up ? [] : senderFlows(local, local.moving)),

  declare: ({ graph, relations: { moves: moving, arrivingRemotes, arrivals }, install }) => {
    install(
      graph.map('moving-sender-flows', arrivingRemotes, (id, remote, read) => {
        const arrival = read(arrivals, id);
        return arrival === undefined || !remote.up
          ? undefined
          : senderFlowsFromTunnel(remote, arrival.number);
      }),
    );
    install(graph.map('moving-receiver-flows', moving, (_, move) => receiverFlows(move)));
  },
};
