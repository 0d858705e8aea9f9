/** Physical networks: packets from and to what is outside the cloud, by patch ports. */
import type { Mac } from '../../../net/mac.ts';
import type { NetworkId } from '../../../policy/world.ts';
import type { Feature } from '../../feature.ts';
import { roleNumbers } from '../isolation/roles.ts';
import { fromPatch, ownMac, physicalDefaults, segmentFlows } from './physical-flows.ts';

export const physical: Feature = {
  defaults: physicalDefaults,

  declare: ({ graph, facts, relations, install }) => {
    const { segments, macHolders, outerMacHolders, isolated } = relations;
    install(graph.map('patch-flows', facts.patches, (_, ofport) => fromPatch(ofport)));
    install(
      graph.map('segment-flows', segments, (network, segment, read) => {
        const trusted = read(facts.networks, network)?.trustsPhysical === true;
        const role = trusted && read(isolated, network) === true ? roleNumbers.promiscuous : 0;
        return segmentFlows(segment, role);
      }),
    );
    install(
      graph.map('own-mac-flows', macHolders, (name, _, read) => {
        const [network = '', mac = ''] = name.split('|');
        const segment = read(segments, network as NetworkId);
        if (segment === undefined || read(outerMacHolders, name) !== undefined) return undefined;
        return ownMac(segment, mac as Mac);
      }),
    );
  },
};
