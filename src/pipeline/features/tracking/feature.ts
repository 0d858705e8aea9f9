/** The one conntrack lookup of a packet, and what its result allows. */
import type { Feature } from '../../feature.ts';
import { establishedBypass } from './established-bypass.ts';
import { heldLookups } from './held-lookups.ts';
import { portTracking, trackingDefaults } from './tracking.ts';

export const tracking: Feature = {
  defaults: trackingDefaults,
  ofTrackedPort: (local, untracked) => [
    ...portTracking(local, untracked),
    ...establishedBypass(local, untracked),
  ],
  ofNetwork: ({ id, key, zone }) => heldLookups(id, key, zone),
};
