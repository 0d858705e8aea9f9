/** The features of the pipeline. `flow-derivation.ts` derives flows from them. */
import type { Feature } from './feature.ts';
import { classification } from './features/classify/feature.ts';
import { delivery } from './features/delivery/feature.ts';
import { dhcpService } from './features/dhcp/feature.ts';
import { forwarding } from './features/forwarding/feature.ts';
import { guards } from './features/guards/feature.ts';
import { ingressGuards } from './features/ingress-guard/feature.ts';
import { isolation } from './features/isolation/feature.ts';
import { moves } from './features/moves/feature.ts';
import { owners } from './features/owners/feature.ts';
import { physical } from './features/physical/feature.ts';
import { qos } from './features/qos/feature.ts';
import { records } from './features/records/feature.ts';
import { responder } from './features/responder/feature.ts';
import { routing } from './features/routing/feature.ts';
import { securityGroups } from './features/security-groups/feature.ts';
import { tracking } from './features/tracking/feature.ts';
import { tunnels } from './features/tunnels/feature.ts';

/** In a packet's order; tracking, rules and limits of the receiver come behind forwarding once more. */
export const features: readonly Feature[] = [
  classification,
  guards,
  tracking,
  securityGroups,
  dhcpService,
  responder,
  qos,
  tunnels,
  owners,
  physical,
  forwarding,
  isolation,
  ingressGuards,
  records,
  delivery,
  routing,
  moves,
];
