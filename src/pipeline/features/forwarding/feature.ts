/** Which ports of the network a packet goes to. */
import { type Mac, macToBits } from '../../../net/mac.ts';
import type { Feature } from '../../feature.ts';
import { flood, forwardingDefaults, unicast, unknownDestination } from './forwarding.ts';

export const forwarding: Feature = {
  defaults: forwardingDefaults,
  ofPort: unknownDestination,
  ofNetwork: ({ id, key, ports }) => flood(id, key, ports),

  declare: ({ graph, relations, install }) =>
    install(
      graph.map('mac-flows', relations.macHolders, (key, held) => {
        const [, mac = ''] = key.split('|');
        return unicast(macToBits(mac as Mac), held);
      }),
    ),
};
