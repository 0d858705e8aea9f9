/** Which ports of the network a packet goes to. */
import type { Read } from '../../../base/dataflow.ts';
import { type Mac, macToBits } from '../../../net/mac.ts';
import type { NetworkId, PortId } from '../../../policy/world.ts';
import type { Feature } from '../../feature.ts';
import type { RemotePorts } from '../tunnels/peers.ts';
import {
  flood,
  forwardingDefaults,
  type IsMoving,
  toLearned,
  toPhysical,
  unicast,
  unknownDestination,
} from './forwarding.ts';

const macOf = (name: string): bigint => {
  const [, mac = ''] = name.split('|');
  return macToBits(mac as Mac);
};
const networkOf = (name: string): NetworkId => (name.split('|')[0] ?? '') as NetworkId;
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
    const { segments, outerMacHolders, isolated, moves } = relations;
    const isMovingBy =
      (read: Read): IsMoving =>
      (port) =>
        read(moves, port) !== undefined;
    install(
      graph.map('mac-flows', macHolders, (name, held, read) => {
        const owners = read(macOwners, name);
        const isMoving = isMovingBy(read);
        const ports = read(remoteMacHolders, name) ?? nobody;
        const outer = read(segments, networkOf(name)) === undefined ? undefined : read(outerMacHolders, name);
        const outside = outer !== undefined && only(owners, outer).size > 0;
        return [
          ...unicast(macOf(name), only(owners, held), { ports: only(owners, ports), outside }, isMoving),
          ...(read(macsMoved, name) === undefined
            ? []
            : toLearned(macOf(name), [...held.values(), ...ports.values()], isMoving)),
        ];
      }),
    );
    install(
      graph.map('remote-mac-flows', remoteMacHolders, (name, held, read) =>
        read(macHolders, name) === undefined
          ? [
              ...unicast(
                macOf(name),
                new Map(),
                { ports: only(read(macOwners, name), held), outside: false },
                isMovingBy(read),
              ),
              ...(read(macsMoved, name) === undefined
                ? []
                : toLearned(macOf(name), held.values(), isMovingBy(read))),
            ]
          : undefined,
      ),
    );
    install(
      graph.map('flood-flows', localsOf, (network, ports, read) => {
        const key = read(networkKeyOf, network);
        if (key === undefined) return undefined;
        const peers = read(peersOf, network) ?? [];
        return flood(network, key, ports, { peers, outside: read(segments, network) !== undefined });
      }),
    );
    install(
      graph.map('to-physical-flows', segments, (network, segment, read) =>
        toPhysical(segment, read(isolated, network) === true),
      ),
    );
  },
};
