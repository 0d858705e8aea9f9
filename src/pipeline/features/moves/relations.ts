/** Ports on the move, as this host sees both of their places. No flows here. */
import type { Dataflow, Relation } from '../../../base/dataflow.ts';
import type { PortId } from '../../../policy/world.ts';
import { isArriving, type LocalPort } from '../../local-port.ts';
import type { LocalPortRelations } from '../classify/relations.ts';
import type { RemotePort, TunnelRelations } from '../tunnels/peers.ts';
import type { ArrivalRelations } from './arrivals.ts';

/** A port that is to move from one place to another. */
export interface Move {
  /** Number of the arrival. */
  readonly number: number;
  readonly from: LocalPort | RemotePort;
  readonly to: LocalPort | RemotePort;
}

export interface MoveRelations {
  readonly moves: Relation<PortId, Move>;
}

export const declareMoves = (
  graph: Dataflow,
  {
    arrivals,
    locals,
    remotes,
    arrivingRemotes,
  }: ArrivalRelations & LocalPortRelations & Pick<TunnelRelations, 'remotes' | 'arrivingRemotes'>,
): MoveRelations => ({
  moves: graph.map('moves', arrivals, (id, { number }, read): Move | undefined => {
    const local = read(locals, id);
    const [leaving, arriving] =
      local === undefined || !isArriving(local) ? [local, undefined] : [undefined, local];
    const from = leaving ?? read(remotes, id);
    const to = arriving ?? read(arrivingRemotes, id);
    return from === undefined || to === undefined ? undefined : { number, from, to };
  }),
});
