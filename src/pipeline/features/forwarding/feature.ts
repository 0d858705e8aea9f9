/** Which ports of the network a packet goes to. */
import { type Mac, macToBits } from '../../../net/mac.ts';
import type { Feature } from '../../feature.ts';
import type { RemotePorts } from '../tunnels/peers.ts';
import { flood, forwardingDefaults, unicast, unknownDestination } from './forwarding.ts';

const macOf = (name: string): bigint => {
  const [, mac = ''] = name.split('|');
  return macToBits(mac as Mac);
};
const nobody: RemotePorts = new Map();

export const forwarding: Feature = {
  defaults: forwardingDefaults,
  ofPort: unknownDestination,

  declare: ({ graph, relations, install }) => {
    const { macHolders, remoteMacHolders, localsOf, networkKeyOf, peersOf } = relations;
    install(
      graph.map('mac-flows', macHolders, (name, held, read) =>
        unicast(macOf(name), held, read(remoteMacHolders, name) ?? nobody),
      ),
    );
    install(
      graph.map('remote-mac-flows', remoteMacHolders, (name, held, read) =>
        read(macHolders, name) === undefined ? unicast(macOf(name), new Map(), held) : undefined,
      ),
    );
    install(
      graph.map('flood-flows', localsOf, (network, ports, read) => {
        const key = read(networkKeyOf, network);
        return key === undefined ? undefined : flood(network, key, ports, read(peersOf, network) ?? []);
      }),
    );
  },
};
