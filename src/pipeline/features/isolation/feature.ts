/**
 * The receiver's side of an isolated network. It compares the sender's role with its own; no address counts, so it
 * holds without port security too. The sender's role is what this host knows of the sender, never what a packet says.
 */
import { contains } from '../../../net/cidr.ts';
import type { Mac } from '../../../net/mac.ts';
import type { NetworkId } from '../../../policy/world.ts';
import { noAbilities } from '../../abilities.ts';
import type { Feature } from '../../feature.ts';
import {
  enteringRouter,
  fromOuterMac,
  leaving,
  noRedirects,
  permitted,
  toOuterMac,
} from './isolation-flows.ts';
import {
  gatewayAnswers,
  heldAnswers,
  type IsolatedNetwork,
  linkLocalAnswers,
  ownQuestions,
} from './proxy-flows.ts';
import { soleMacOf } from './relations.ts';
import { roleNumber, roleNumbers } from './roles.ts';

export const isolation: Feature = {
  defaults: [],
  ofPort: (local) => [...permitted(local), ...ownQuestions(local)],

  declare: ({ graph, facts, relations, ids, install }) => {
    const {
      routerPorts,
      routersHere,
      segments,
      outerMacHolders,
      isolated,
      holders,
      gatewaysOf,
      networkKeyOf,
      subnetsOf,
    } = relations;
    const here = graph.map(
      'isolated-here',
      networkKeyOf,
      (network, key, read): IsolatedNetwork | undefined => {
        if (read(isolated, network) !== true) return undefined;
        const { answersNd } = read(facts.abilities, 'switch') ?? noAbilities;
        return { network, key, answersNd };
      },
    );
    install(graph.map('isolated-network-flows', here, (_, of) => noRedirects(of)));
    install(
      graph.map('gateway-answer-flows', gatewaysOf, (network, gateways, read) => {
        const of = read(here, network);
        if (of === undefined) return undefined;
        const macs6 = new Set(gateways.filter(({ cidr }) => cidr.family === 6).map(({ mac }) => mac));
        return [
          ...gateways.flatMap((gateway) => gatewayAnswers(of, gateway)),
          ...[...macs6].flatMap((mac) => linkLocalAnswers(of, mac)),
        ];
      }),
    );
    install(
      graph.map('proxied-flows', holders, (_, held, read) => {
        const [any, ...others] = [...held.values()].filter(({ how }) => how !== 'prefix');
        const of = any && read(here, any.port.network);
        if (any === undefined || of === undefined) return undefined;
        const { network } = any.port;
        const roles = [any, ...others].map(({ port }) => roleNumber(ids, network, port.role));
        const mac = soleMacOf([any, ...others], relations, read);
        const gateway = read(gatewaysOf, network)?.find(({ cidr }) => contains(cidr, any.address));
        return heldAnswers(of, { address: any.address, roles, mac }, gateway?.mac ?? null);
      }),
    );
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
      graph.map('outer-gateway-flows', segments, (network, segment, read) => {
        if (read(isolated, network) !== true) return undefined;
        const macs = [...(read(subnetsOf, network)?.values() ?? [])].map(({ gatewayMac }) => gatewayMac);
        return [...new Set(macs)]
          .filter((mac) => mac !== null)
          .filter((mac) => read(outerMacHolders, `${network}|${mac}`) === undefined)
          .flatMap((mac) => [
            ...toOuterMac(segment, mac, [roleNumbers.promiscuous]),
            ...fromOuterMac(segment, mac, [roleNumbers.promiscuous]),
          ]);
      }),
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
