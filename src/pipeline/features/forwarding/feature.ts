/** Which ports of the network a packet goes to. */
import { type Mac, macToBits } from '../../../net/mac.ts';
import type { PortId } from '../../../policy/world.ts';
import type { Feature } from '../../feature.ts';
import type { RemotePorts } from '../tunnels/peers.ts';
import { flood, forwardingDefaults, toLearned, unicast, unknownDestination } from './forwarding.ts';

const macOf = (name: string): bigint => {
  const [, mac = ''] = name.split('|');
  return macToBits(mac as Mac);
};
const nobody: RemotePorts = new Map();

/** Those of the ports that get what is for the MAC. */
const only = <P>(
  owners: ReadonlySet<PortId> | undefined,
  ports: ReadonlyMap<PortId, P>,
): ReadonlyMap<PortId, P> =>
  owners === undefined ? ports : new Map([...ports].filter(([id]) => owners.has(id)));

export const forwarding: Feature = {
  defaults: forwardingDefaults,
  ofPort: unknownDestination,

  declare: ({ graph, relations, install }) => {
    const { macHolders, remoteMacHolders, macOwners, macsMoved, localsOf, networkKeyOf, peersOf } = relations;
    install(
      graph.map('mac-flows', macHolders, (name, held, read) => {
        const owners = read(macOwners, name);
        const elsewhere = read(remoteMacHolders, name) ?? nobody;
        return [
          ...unicast(macOf(name), only(owners, held), only(owners, elsewhere)),
          ...(read(macsMoved, name) === undefined
            ? []
            : toLearned(macOf(name), [...held.values(), ...elsewhere.values()])),
        ];
      }),
    );
    install(
      graph.map('remote-mac-flows', remoteMacHolders, (name, held, read) =>
        read(macHolders, name) === undefined
          ? [
              ...unicast(macOf(name), new Map(), only(read(macOwners, name), held)),
              ...(read(macsMoved, name) === undefined ? [] : toLearned(macOf(name), held.values())),
            ]
          : undefined,
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
