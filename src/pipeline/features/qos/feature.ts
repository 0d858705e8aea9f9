/** How much a port may send and receive, and how its packets are marked. */
import type { Feature } from '../../feature.ts';
import { releaseMeters } from './budgets.ts';
import { qosDefaults, qosFlows } from './qos-flows.ts';

export const qos: Feature = {
  defaults: qosDefaults,

  declare: ({ graph, relations, ids, install }) => {
    install(graph.map('qos-flows', relations.qos.granted, qosFlows));
    graph.sink('meter-ids', relations.qos.asked, (port, value) => {
      if (value === undefined) releaseMeters(port, ids.meters);
    });
  },
};
