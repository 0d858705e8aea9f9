/** Ports that move between hosts: the target has their flows before they come, and an announcement moves them at once. */
import { noAbilities } from '../../abilities.ts';
import type { Feature } from '../../feature.ts';
import { sharedMeterOf } from '../../shared-meters.ts';
import { moveDefaults, receiverFlows, senderFlows, senderFlowsFromTunnel } from './move-flows.ts';
import { isOfThisMove, movedConnectionFlows } from './moved-connections.ts';

export const moves: Feature = {
  defaults: moveDefaults,
  ofPort: (local) => (local.moving === undefined || !local.up ? [] : senderFlows(local, local.moving)),

  declare: ({ graph, facts, relations, install }) => {
    const { moves: moving, arrivingRemotes, arrivals, locals } = relations;
    install(
      graph.map('moved-connection-flows', facts.leftConnections, (id, left, read) => {
        const local = read(locals, id);
        const { meterSpread } = read(facts.abilities, 'switch') ?? noAbilities;
        const meter = local === undefined ? null : sharedMeterOf('answer', local.key, meterSpread);
        if (local === undefined || meter === null || !isOfThisMove(local, left)) return undefined;
        return movedConnectionFlows(local, meter);
      }),
    );
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
