/** Physical networks: packets from and to what is outside the cloud, by patch ports. */
import type { Mac } from '../../../net/mac.ts';
import type { NetworkId } from '../../../policy/world.ts';
import type { Feature } from '../../feature.ts';
import { fromPatch, ownMac, physicalDefaults, segmentFlows } from './physical-flows.ts';

export const physical: Feature = {
  defaults: physicalDefaults,

  declare: ({ graph, facts, relations: { segments, macHolders, outerMacHolders }, install }) => {
    install(graph.map('patch-flows', facts.patches, (_, ofport) => fromPatch(ofport)));
    install(graph.map('segment-flows', segments, (_, segment) => segmentFlows(segment)));
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
