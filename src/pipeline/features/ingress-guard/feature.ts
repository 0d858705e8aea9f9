/** What a port hears: its own addresses, broadcast and multicast. */
import type { Feature } from '../../feature.ts';
import { ingressGuard, ingressGuardDefaults, subnetBroadcast } from './ingress-guard.ts';

export const ingressGuards: Feature = {
  defaults: ingressGuardDefaults,
  ofPort: ingressGuard,
  ofNetwork: ({ key, subnets }) => subnets.flatMap((subnet) => subnetBroadcast(key, subnet)),
};
