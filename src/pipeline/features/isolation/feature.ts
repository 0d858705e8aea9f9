/**
 * The receiver's side of an isolated network. It compares the sender's role with its own; no address counts, so it
 * holds without port security too. The sender's role is what this host knows of the sender, never what a packet says.
 */
import type { Mac } from '../../../net/mac.ts';
import type { NetworkId } from '../../../policy/world.ts';
import type { Feature } from '../../feature.ts';
import { enteringRouter, fromOuterMac, leaving, permitted, toOuterMac } from './isolation-flows.ts';
import { roleNumber } from './roles.ts';

export const isolation: Feature = {
  defaults: [],
  ofPort: permitted,

  declare: ({ graph, facts, relations, ids, install }) => {
    const { routerPorts, routersHere, segments, outerMacHolders, isolated } = relations;
    install(
      graph.map('isolated-router-flows', routerPorts, (_, of, read) =>
        of.role !== 0 && read(routersHere, of.router) === true ? enteringRouter(of) : undefined,
      ),
    );
    install(
      graph.map('isolated-segment-flows', segments, (network, segment, read) =>
        read(isolated, network) === true
          ? leaving(segment, read(facts.networks, network)?.trustsPhysical === true)
          : undefined,
      ),
    );
    install(
      graph.map('outer-mac-role-flows', outerMacHolders, (name, held, read) => {
        const [id = '', text = ''] = name.split('|');
        const mac = text as Mac;
        const network = id as NetworkId;
        const segment = read(segments, network);
        if (segment === undefined || read(isolated, network) !== true) return undefined;
        const roles = [...held.keys()].sort().flatMap((port) => {
          const role = read(facts.ports, port)?.role;
          return role === undefined ? [] : [roleNumber(ids, network, role)];
        });
        return [...toOuterMac(segment, mac, roles), ...fromOuterMac(segment, mac, roles)];
      }),
    );
  },
};
